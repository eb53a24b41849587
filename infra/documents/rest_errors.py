"""The errors that an operation of REST can give, by status: which codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from chalicelib import errors
from chalicelib.edge.rest import http_errors
from chalicelib.edge.rest.routes import LinkRoute, PublicRoute, Route
from chalicelib.errors import WaybillError
from infra.documents.operations import Operation
from infra.documents.shapes import STRING, Schema, ref

AnyRoute = Route | PublicRoute


class GatewayTimeout(WaybillError):
    """What API Gateway answers where the application takes too long."""

    code = "timeout"
    http_status = 504


def list_errors(route: AnyRoute, operation: Operation) -> tuple[type[WaybillError], ...]:
    """List the errors that an operation can give: its own, and those of what it reads."""
    reads = operation.request is not None or operation.takes_key
    found: list[type[WaybillError]] = [http_errors.UnsupportedEncoding, errors.RateLimited]
    if reads or operation.query or ("{" in route.path and not isinstance(route, LinkRoute)):
        found.append(errors.InvalidInput)
    if reads:
        found.append(errors.PayloadTooLarge)
    if operation.takes_key:
        found.append(errors.KeyReused)
    if isinstance(route, Route):
        found += [errors.Unauthenticated, *([errors.Forbidden] if route.roles else [])]
    if operation.answers != {200: "Health"}:
        found.append(errors.Unavailable)
    return tuple(dict.fromkeys((*found, GatewayTimeout, *operation.errors)))


def group_codes(kinds: Iterable[type[WaybillError]]) -> dict[int, tuple[str, ...]]:
    """Group the codes of errors by their status."""
    found: dict[int, set[str]] = {}
    for kind in kinds:
        found.setdefault(kind.http_status, set()).add(kind.code)
    return {status: tuple(sorted(codes)) for status, codes in sorted(found.items())}


def refer_to_errors(kinds: Iterable[type[WaybillError]]) -> dict[str, Any]:
    """Refer to the answers of errors, by status."""
    return {
        str(status): {"$ref": f"#/components/responses/{_name_answer(status, codes)}"}
        for status, codes in group_codes(kinds).items()
    }


def _name_answer(status: int, codes: Sequence[str]) -> str:
    return "_".join([str(status), *codes])


def _describe_error(codes: Sequence[str]) -> Schema:
    return {"allOf": [ref("Error"), {"properties": {"error": {"enum": list(codes)}}}]}


_RETRY: Mapping[int, dict[str, Any]] = {
    429: {
        "headers": {
            "Retry-After": {"schema": STRING, "description": "Seconds to wait, where known."}
        }
    }
}


# A page for people, in one of some languages.
PAGE: dict[str, Any] = {"text/html": {"schema": STRING}}


def describe_page_errors(kinds: Iterable[type[WaybillError]]) -> dict[str, Any]:
    """Describe the answers of errors where a page is served: a page, to who asked for one."""
    return {
        str(status): {
            "description": f"{' or '.join(codes)}.",
            "content": {"application/json": {"schema": _describe_error(codes)}, **PAGE},
        }
        for status, codes in group_codes(kinds).items()
    }


def describe_answers(operations: Iterable[Iterable[type[WaybillError]]]) -> dict[str, Any]:
    """Describe the answers of the errors of operations: which codes a status may have."""
    groups = {group for kinds in operations for group in group_codes(kinds).items()}
    return {
        _name_answer(status, codes): {
            "description": f"{' or '.join(codes)}.",
            "content": {"application/json": {"schema": _describe_error(codes)}},
            **_RETRY.get(status, {}),
        }
        for status, codes in sorted(groups)
    }
