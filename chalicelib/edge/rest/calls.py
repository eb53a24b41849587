"""REST calls: a request and the services that answer it, as a view is given them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import msgspec
from chalice.app import Request

from chalicelib.contracts import json_text
from chalicelib.contracts.base import read_text
from chalicelib.contracts.json_text import MAX_BYTES
from chalicelib.contracts.placing import read_idempotency_key
from chalicelib.domain.ids import parse_id
from chalicelib.domain.people import Actor, Role
from chalicelib.domain.request_keys import RequestKey, hash_request, make_request_key
from chalicelib.edge.app_services import Services
from chalicelib.edge.bearer import read_bearer_token
from chalicelib.edge.tracing import note_order
from chalicelib.errors import Forbidden, InvalidInput, NotFound

KEY_HEADER = "idempotency-key"


class PublicCall(msgspec.Struct, frozen=True):
    """A request that no token was asked of."""

    services: Services
    request: Request

    @property
    def now(self) -> datetime:
        """The time by the services' clock."""
        return self.services.clock()

    def read_body(self) -> dict[str, Any]:
        """Read the JSON object in the body; an absent body is an empty object.

        Raises InvalidInput, PayloadTooLarge.
        """
        raw = self.request.raw_body
        if not raw.strip() and len(raw) <= MAX_BYTES:
            return {}
        body = json_text.decode_json(raw, "The body")
        if not isinstance(body, dict):
            raise InvalidInput("The body must be a JSON object.")
        return body

    def read_header(self, name: str) -> str | None:
        """Read a header whose value is a list, also if it was sent in several lines (RFC 9110,
        5.3); None where it is absent. `name` is in lower case."""
        named = self.request.to_original_event().get("multiValueHeaders") or {}
        lines = [one for sent, values in named.items() if sent.lower() == name for one in values]
        return ", ".join(lines) if lines else self.request.headers.get(name)

    def read_query(self, *names: str) -> dict[str, str]:
        """Read the query's values of these names, where they are given.

        Raises InvalidInput for an empty value: to take it for an absent one would be a guess.
        """
        query: Mapping[str, Any] = self.request.query_params or {}
        given = {name: str(query[name]) for name in names if name in query}
        for name, value in given.items():
            if not value.strip():
                raise InvalidInput(f"{name} must not be empty; leave it out.", field=name)
        return given


class Call(PublicCall, frozen=True):
    """A request whose token was checked: `actor` is the person who asks."""

    actor: Actor

    def hash_request(self) -> str:
        """Hash what is asked: the method, the path and the body, by what it says."""
        request = self.request
        return hash_request(request.method, request.path, request.uri_params, self.read_body())

    def read_key(self) -> RequestKey | None:
        """Read the request's Idempotency-Key; None where it has none. Raises InvalidInput."""
        value = self.request.headers.get(KEY_HEADER)
        if value is None:
            return None
        text = read_idempotency_key(value)
        return make_request_key(self.actor.id, text, self.hash_request(), self.now)


def authorize(services: Services, request: Request, roles: Sequence[Role]) -> Actor:
    """Check a request's token and return its actor; no roles means any role.

    Raises Unauthenticated; Forbidden unless the token's role is one of `roles`.
    """
    actor = services.authenticate(read_bearer_token(request.headers.get("authorization")))
    if roles and actor.role not in roles:
        allowed = " or ".join(role.value for role in roles)
        raise Forbidden(f"This is for a token whose role is {allowed}.")
    return actor


def decode_path_text(captured: str) -> str:
    """Decode a path parameter: API Gateway hands it on percent-encoded, as the client sent it.

    `+` is a plus, as in every path. Raises InvalidInput if it is not UTF-8.
    """
    try:
        return unquote(captured, errors="strict")
    except UnicodeDecodeError:
        raise InvalidInput("The path is not UTF-8.") from None


def read_order_id(value: Any, name: str = "order_id") -> int:
    """Read an order's id, from a path or a body.

    Raises InvalidInput if it is absent or empty; NotFound if no order can have it.
    """
    if value is None:
        raise InvalidInput(f"{name} is required.", field=name)
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InvalidInput(f"{name} must be a text.", field=name)
    if isinstance(value, str):
        value = read_text(value, name)
    id_ = parse_id(value)
    if id_ is None:
        raise NotFound("There is no such order.")
    note_order(id_)
    return id_
