"""OpenAPI 3.1 of REST, and of the webhooks that are sent."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from chalicelib.domain.request_keys import MAX_KEY
from chalicelib.edge.rest import console, event_stream, money, pages, responses, versions
from chalicelib.edge.rest.routes import LinkRoute, PublicRoute, Route
from infra.documents.answers import ANSWERS
from infra.documents.feed_events import FEED_SCHEMAS
from infra.documents.operations import CSV, OPERATIONS, Operation
from infra.documents.ops import OPS_SCHEMAS
from infra.documents.requests import REQUESTS
from infra.documents.rest_errors import (
    PAGE,
    describe_answers,
    describe_page_errors,
    list_errors,
    refer_to_errors,
)
from infra.documents.shapes import STRING, Schema, choice, pick_schemas, ref
from infra.documents.webhook_events import HEADERS, WEBHOOK_SCHEMAS, WEBHOOKS

STAGE = "/api"
SAMPLES = Path(__file__).resolve().parents[2] / "tests" / "samples"
JSON = "application/json"
AnyRoute = Route | PublicRoute
SCHEMAS: Mapping[str, Schema] = {
    **REQUESTS,
    **ANSWERS,
    **OPS_SCHEMAS,
    **FEED_SCHEMAS,
    **WEBHOOK_SCHEMAS,
}

INTRODUCTION = """\
Waybill's REST API: orders, rides, meals, couriers, money, webhooks. `asyncapi.json`, beside this
document, has the sockets.

- **Texts** are trimmed before they are measured. An optional field that is null is as if it were
  absent, and one that is not named here is passed over, unless a schema says that there are no
  others.
- **Answers may get more fields**: pass over those that you do not know.
- **Errors** all have one form, `{"error": code, "message": text, "details"?: object}`. Act on the
  code, not on the text. 503 and 504 may be asked again; a `details.written` of `unknown` says
  that it may have been done.
- **Asking again**: what creates takes an `Idempotency-Key`, for 24 hours.
- `HEAD` is answered wherever `GET` is, `OPTIONS` everywhere. Another method is 405, with `Allow`.
"""

_TAGS = {
    "orders": "Orders: from the customer's and the admin's side, and what is common to all flows.",
    "lists": "Lists of orders.",
    "courier": "Couriers: on duty, where, and their steps with an order (spec 000).",
    "drivers": "Orders for drivers (spec 004).",
    "restaurants": "Restaurants and their orders (spec 002).",
    "rides": "Rides (spec 001).",
    "quotes": "Prices, before an order is placed.",
    "proof": "Proof at the stops of an order.",
    "front": "What this is, and whether it is up.",
    "me": "One's own profile.",
    "hands": "What dispatchers do by hand, and what they look at for it.",
    "figures": "How it goes, now and by the hour.",
    "money": "Payments, tips and payouts.",
    "event_stream": "One's own log, as a read-only Durable Stream.",
    "feed": "People's event logs, and their figures (spec 003).",
    "tracking": "Tracking links: an order, for whoever has its link.",
    "webhooks": "Webhook endpoints. What they are sent is under `webhooks`.",
}
_SERVERS = [{"url": "/", "description": "Where this document was read."}]


def list_routes() -> list[tuple[str, AnyRoute]]:
    """List the routes of REST with the name of their module, static pages left out."""
    import app

    modules: Sequence[ModuleType] = [one for one in app.PARTS if one not in (pages, console)]
    return [
        (module.__name__.rpartition(".")[2], route) for module in modules for route in module.ROUTES
    ]


def make_openapi() -> dict[str, Any]:
    """Make the document. Raises ValueError where operations and routes differ."""
    routes = list_routes()
    served = {(route.method, route.path) for _, route in routes}
    if served != OPERATIONS.keys():
        raise ValueError(f"routes and operations differ: {sorted(served ^ OPERATIONS.keys())}")
    paths: dict[str, dict[str, Any]] = {}
    for tag, route in routes:
        at = paths.setdefault(route.path if _is_link(route) else STAGE + route.path, {})
        at[route.method.lower()] = _describe_route(tag, route)
    webhooks = {type_: _describe_webhook(type_) for type_ in WEBHOOKS}
    answers = _describe_answers()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Waybill",
            "version": "1",
            "summary": "Realtime dispatch: orders, couriers, money.",
            "description": INTRODUCTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": _SERVERS,
        "tags": [{"name": name, "description": words} for name, words in _TAGS.items()],
        "paths": dict(sorted(paths.items())),
        "webhooks": webhooks,
        "components": {
            "schemas": pick_schemas(SCHEMAS, paths, webhooks, answers),
            "responses": answers,
            "securitySchemes": _SECURITY_SCHEMES,
        },
        "security": [{"bearer": []}],
    }


_SECURITY_SCHEMES: dict[str, Any] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token whose `role` is customer, courier, merchant or admin.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": money.SIGNATURE_HEADER,
        "description": '`t=<epoch seconds>,v1=<hex HMAC-SHA256 of "t.body">`, at most 5 min old.',
    },
}


def _is_link(route: AnyRoute) -> bool:
    """Say whether a route is a link's, whose address has no stage before it."""
    return isinstance(route, LinkRoute)


def _describe_route(tag: str, route: AnyRoute) -> dict[str, Any]:
    operation = OPERATIONS[route.method, route.path]
    words = inspect.getdoc(route.view) or ""
    first, _, rest = " ".join(words.split()).partition(". ")
    described: dict[str, Any] = {
        "operationId": make_operation_id(route),
        "tags": [tag],
        "summary": operation.summary or first.removesuffix("."),
        "parameters": _list_parameters(route, operation),
        "responses": _describe_responses(route, operation),
    }
    if about := " ".join(part for part in (rest, _name_roles(route)) if part):
        described["description"] = about
    if isinstance(route, PublicRoute):
        described["security"] = [{"signature": []}] if "webhook" in route.path else []
    elif route.roles:
        described["x-roles"] = [role.value for role in route.roles]
    if operation.request:
        described["requestBody"] = _describe_request(route, operation)
    return described


def make_operation_id(route: AnyRoute) -> str:
    """Make an id of a method and a path: `post_v1_orders_order_id_cancel`."""
    path = route.path.replace("{", "").replace("}", "").replace("-", "_")
    return f"{route.method.lower()}{path.replace('/', '_')}".rstrip("_")


def _name_roles(route: AnyRoute) -> str:
    if isinstance(route, PublicRoute):
        return ""
    roles = " or ".join(role.value for role in route.roles)
    return f"For a token whose role is {roles}." if roles else "For any token."


def _list_parameters(route: AnyRoute, operation: Operation) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": STRING} for name in names
    ]
    found += [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in operation.query.items()
    ]
    if operation.takes_key:
        found.append(_header("Idempotency-Key", _KEY, "Makes it safe to ask again, for 24 hours."))
    if operation.needs_etag:
        words = "The ETag of what is to be changed, or *."
        found.append({**_header("If-Match", STRING, words), "required": True})
    return found


_KEY: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[ -~]+$"}


def _header(name: str, schema: Schema, words: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": schema, "description": words}


def _describe_request(route: AnyRoute, operation: Operation) -> dict[str, Any]:
    assert operation.request, "a body has a schema"
    media: dict[str, Any] = {"schema": ref(operation.request)}
    if operation.sample:
        media["example"] = read_sample(operation.sample)
    is_required = any("required" in one for one in _alternatives(REQUESTS[operation.request]))
    return {"required": is_required, "content": dict.fromkeys(route.types, media)}


def _alternatives(schema: Schema) -> Iterable[Schema]:
    return schema.get("oneOf") or schema.get("anyOf") or [schema]


def read_sample(name: str) -> Any:
    """Read an example: a file below tests/samples, of which a frame's `data` is the body."""
    sample = json.loads((SAMPLES / name).read_text())
    is_frame = isinstance(sample, dict) and {"event", "data"} <= sample.keys()
    return sample["data"] if is_frame else sample


def _describe_responses(route: AnyRoute, operation: Operation) -> dict[str, Any]:
    found = {
        str(status): _describe_success(operation, status, name)
        for status, name in operation.answers.items()
    }
    kinds = list_errors(route, operation)
    if operation.is_page:
        return {**found, **describe_page_errors(kinds)}
    return {**found, **refer_to_errors(kinds)}


_SUCCESSES = {
    200: "Done.",
    201: "Created.",
    202: "It will be done.",
    204: "Done; there is nothing to say.",
    303: "Done, by the page's form: the page is at `Location`.",
}


def _describe_success(operation: Operation, status: int, name: str | None) -> dict[str, Any]:
    words = _SUCCESSES[status]
    if status == 200 and 201 in operation.answers:
        words = "It was there already: nothing is created."
    if status == 201 and operation.takes_key:
        words = "Created, now or before by the same request."
    headers = _list_headers(operation, status)
    described = {"description": words, **({"headers": headers} if headers else {})}
    if name is None:
        return described
    media: dict[str, Any] = {"schema": ref(name)}
    if operation.shown:
        media["example"] = read_sample(operation.shown)
    content = {
        JSON: media,
        **({"text/csv": {"schema": CSV}} if operation.has_csv else {}),
        **(PAGE if operation.is_page else {}),
    }
    return {**described, "content": content}


_STREAM_HEADERS: dict[str, Any] = {
    event_stream.NEXT_OFFSET: {"schema": STRING, "description": "The offset to ask with next."},
    event_stream.UP_TO_DATE: {
        "schema": choice(["true"]),
        "description": "There is nothing more now.",
    },
    event_stream.CURSOR: {"schema": STRING, "description": "Of a long poll: the next cursor."},
}


def _list_headers(operation: Operation, status: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if operation.takes_key and status == 201:
        words = "`true` where the same request was answered before."
        found[responses.REPLAYED_HEADER] = {"schema": choice(["true"]), "description": words}
    if status == 303:
        found["Location"] = {"schema": STRING, "description": "The page, by a relative reference."}
    if operation.has_etag:
        found["ETag"] = {"schema": STRING, "description": f"Its version, for {versions.IF_MATCH}."}
    if operation.is_stream:
        found |= _STREAM_HEADERS
    if operation.has_csv:
        words = "Of CSV: where the next page is, as rel=next."
        found["Link"] = {"schema": STRING, "description": words}
    return found


def _describe_answers() -> dict[str, Any]:
    """Describe the answers of errors that operations refer to."""
    kinds = [list_errors(route, OPERATIONS[route.method, route.path]) for _, route in list_routes()]
    return describe_answers(kinds)


# Webhooks


def _describe_webhook(type_: str) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "header", "required": True, "schema": STRING, "description": words}
        for name, words in HEADERS.items()
    ]
    return {
        "post": {
            "operationId": f"webhook_{type_.replace('.', '_')}",
            "tags": ["webhooks"],
            "summary": f"An endpoint is told of {type_}",
            "parameters": parameters,
            "requestBody": {"required": True, "content": {JSON: {"schema": WEBHOOKS[type_]}}},
            "responses": {
                "2XX": {"description": "It has arrived. Anything else is tried again."},
                "410": {"description": "The endpoint is disabled."},
            },
            "security": [],
        }
    }
