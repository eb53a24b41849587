"""What tests see of Waybill, held against the documents that clients are built against.

`check_answer` and `check_frame` fail for a status, a code, a field or a frame that is not there.
Objects are closed here (shapes.close): clients are told that there may be more, we are not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs
from jsonschema_rs import Draft202012Validator

from chalicelib.contracts import socketio
from chalicelib.contracts.registry import build_contracts
from chalicelib.settings import Settings
from infra.documents.frames import SAID
from infra.documents.frames.food import SOCKETIO_PACKETS
from infra.documents.openapi import SCHEMAS, STAGE, list_routes
from infra.documents.operations import OPERATIONS, Operation
from infra.documents.rest_errors import group_codes, list_errors
from infra.documents.shapes import Schema, close, pick_schemas, ref
from infra.documents.webhook_events import WEBHOOKS

# Said of any path and any method.
_ANYWHERE = {(404, "not_found"), (405, "method_not_allowed"), (400, "invalid_input")}


class Undocumented(AssertionError):
    """Something that was answered or said and is in no document."""


def check_answer(
    method: str,
    path: str,
    status: int,
    headers: Mapping[str, str],
    body: Any,
    sent: str | None = None,
) -> None:
    """Hold an answer of REST against OpenAPI, and what was asked where it was granted. `path` is
    the route's, below the stage; the names of headers are in lower case."""
    if method in ("HEAD", "OPTIONS"):
        return
    operation = OPERATIONS.get((method, path))
    what = f"{method} {path} {status}"
    if "html" in headers.get("content-type", ""):
        _check_page(what, operation, (method, path), status)
        return
    if status >= 400:
        _check_error(what, operation, (method, path), status, body)
    elif operation is None:
        return  # a static page
    elif status not in operation.answers:
        raise Undocumented(f"{what}: no such success")
    elif operation.has_csv and "csv" in headers.get("content-type", ""):
        return
    else:
        _check(what, operation.answers[status], body)
        _check_request(what, operation, _decode(sent))


def _check_page(what: str, operation: Operation | None, key: tuple[str, str], status: int) -> None:
    if operation is None:
        return  # it is in no document
    known = {*operation.answers, *(status for status, _ in _known_errors()[key])}
    if not operation.is_page or status not in known:
        raise Undocumented(f"{what}: a page")


def _check_error(
    what: str, operation: Operation | None, key: tuple[str, str], status: int, body: Any
) -> None:
    _check(what, "Error", body)
    known = _known_errors().get(key, set()) | (_ANYWHERE if operation is None else set())
    if (status, body["error"]) not in known:
        raise Undocumented(f"{what} {body['error']} is not documented")


def _check_request(what: str, operation: Operation, sent: Any) -> None:
    """Hold what was granted against the schema of what may be asked. Texts are trimmed, and null is
    as if it were absent, as the document says."""
    if not operation.request or not isinstance(sent, dict):
        return
    if not _validator(operation.request, True).is_valid(sent):
        _check(f"{what}: its request", operation.request, _trim(sent), is_open=True)


def _decode(sent: str | None) -> Any:
    try:
        return json.loads(sent) if sent else None
    except (ValueError, RecursionError):  # it was sent as bytes, or is odd, and was not read
        return None


def _trim(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _trim(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_trim(one) for one in value]
    return value.strip() if isinstance(value, str) else value


def _check(what: str, name: str | None, body: Any, is_open: bool = False) -> None:
    if name is None:
        if body:
            raise Undocumented(f"{what}: there is a body")
        return
    _fail_unless_valid(what, _validator(name, is_open), body)


def _fail_unless_valid(what: str, validator: Draft202012Validator, body: Any) -> None:
    if validator.is_valid(body):
        return
    words = "; ".join(error.message[:300] for error in validator.iter_errors(body))
    raise Undocumented(f"{what}: {words}\n{json.dumps(body)[:1000]}")


@lru_cache
def _validator(name: str, is_open: bool) -> Draft202012Validator:
    return _compile(ref(name), is_open)


def _compile(schema: Schema, is_open: bool = False) -> Draft202012Validator:
    schemas = dict(SCHEMAS) if is_open else _close_schemas()
    root = schema if is_open else close(schema)
    schemas = pick_schemas(schemas, root)
    return jsonschema_rs.Draft202012Validator({**root, "components": {"schemas": schemas}})


@lru_cache(maxsize=1)
def _close_schemas() -> dict[str, Schema]:
    return {name: close(schema) for name, schema in SCHEMAS.items()}


@lru_cache(maxsize=1)
def _known_errors() -> dict[tuple[str, str], set[tuple[int, str]]]:
    return {
        (route.method, route.path): {
            (status, code)
            for status, codes in group_codes(
                list_errors(route, OPERATIONS[route.method, route.path])
            ).items()
            for code in codes
        }
        for _, route in list_routes()
    }


# Frames


def check_frame(contract: str, frame: str) -> None:
    """Hold a frame that a contract's client is sent against AsyncAPI."""
    if contract == "socketio":
        _check_packet(frame)
        return
    said = json.loads(frame)
    name = said.get("event") or said.get("event_type") or said.get("type")
    _check_said(contract, name, said)


def _check_packet(frame: str) -> None:
    packet = socketio.decode_packet(frame)
    digits = packet.kind.value
    if packet.kind is socketio.PacketKind.EVENT:
        _check_said("socketio", packet.data[0], packet.data)
    elif digits in SOCKETIO_PACKETS:
        _fail_unless_valid(f"socketio {digits}", _packet_validator(digits), packet.data)
    elif packet.kind is not socketio.PacketKind.PING:
        raise Undocumented(f"socketio {digits}: {frame[:200]}")


@lru_cache
def _packet_validator(digits: str) -> Draft202012Validator:
    return _compile(SOCKETIO_PACKETS[digits])


def _check_said(contract: str, name: str, said: Any) -> None:
    validator = _frame_validator(contract, name)
    if validator is None:
        raise Undocumented(f"{contract} says {name!r}")
    _fail_unless_valid(f"{contract} {name}", validator, said)


@lru_cache(maxsize=1000)
def _frame_validator(contract: str, name: str) -> Draft202012Validator | None:
    frames = SAID[contract].list_frames()
    return _compile(frames[name]) if name in frames else None


def check_webhook(body: bytes | str) -> None:
    """Hold what an endpoint is sent against both documents."""
    sent = json.loads(body)
    if sent["type"] not in WEBHOOKS:
        raise Undocumented(f"a webhook of {sent['type']}")
    _fail_unless_valid(f"webhook {sent['type']}", _webhook_validator(sent["type"]), sent)


@lru_cache
def _webhook_validator(type_: str) -> Draft202012Validator:
    return _compile(WEBHOOKS[type_])


# By the addresses that clients use


def check_call(
    method: str, target: str, status: int, headers: Mapping[str, str], body: bytes, sent: str | None
) -> None:
    """Hold an answer against OpenAPI as a client sees it: its target has the stage, and a query."""
    path = target.partition("?")[0].removeprefix(STAGE).rstrip("/")
    named = {name.lower(): value for name, value in headers.items()}
    decoded = json.loads(body) if body and "json" in named.get("content-type", "") else body
    check_answer(method, _find_route(method, path), status, named, decoded, sent)


def check_heard(target: str, frame: str) -> None:
    """Hold a frame against AsyncAPI as a client sees it: by its socket's target."""
    path = target.partition("?")[0]
    paths = {at.rstrip("/"): name for name, at in _list_addresses()}
    contract = paths.get(path.rstrip("/")) or ("drivers" if path.startswith("/ws/driver") else None)
    if contract is None:
        raise Undocumented(f"a socket at {path}")
    check_frame(contract, frame)


@lru_cache(maxsize=1)
def _list_addresses() -> list[tuple[str, str]]:
    contracts = build_contracts(Settings(jwt_secret="-" * 32))
    return [(name, path) for name, contract in contracts.items() for path in contract.paths]


@lru_cache(maxsize=10_000)
def _find_route(method: str, path: str) -> str:
    """Find the path of a route; the path itself, where there is none."""
    segments = path.split("/")
    for known_method, known in sorted(OPERATIONS, key=lambda one: one[1].count("{")):
        parts = known.split("/")
        if known_method == method and len(parts) == len(segments):
            pairs = zip(parts, segments, strict=True)
            if all(part == one or (part.startswith("{") and one) for part, one in pairs):
                return known
    return path
