"""REST: versions of what is read, and changes of nothing but a version that was read (RFC 9110)."""

from __future__ import annotations

import re

from chalice.app import Response

from chalicelib.domain.orders.amendment import MatchVersion
from chalicelib.domain.orders.model import Order
from chalicelib.edge.rest.responses import Body, make_json_response
from chalicelib.errors import InvalidInput, PreconditionRequired

IF_MATCH = "if-match"
# RFC 9110, 8.8.3 and 5.6.1: entity tags in a list, with empty elements that mean nothing.
_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_LIST = re.compile(rf"[ \t,]*(?:{_TAG.pattern}[ \t]*(?:,[ \t,]*|$))+")


def reply_with_version(order: Order, body: Body, status: int = 200) -> Response:
    """Answer with an order, and which version it is."""
    response = make_json_response(status, body)
    response.headers["ETag"] = format_etag(order.version)
    return response


def format_etag(version: int) -> str:
    """Write a version as a strong entity tag."""
    return f'"{version}"'


def read_if_match(value: str | None) -> MatchVersion:
    """Read which versions may be changed: one of a list of tags, or any for `*`. Tags are compared
    strongly, as RFC 9110 has it: a weak one is never the one.

    Raises PreconditionRequired where the header is missing, InvalidInput where it is none.
    """
    if value is None:
        raise PreconditionRequired("Say by If-Match which ETag is to be changed.")
    if value.strip() == "*":
        return lambda version: True
    if not _LIST.fullmatch(value.strip()):
        raise InvalidInput('If-Match takes entity tags, as "3", or *.', field="If-Match")
    strong = {tag for weak, tag in _TAG.findall(value) if not weak}
    return lambda version: str(version) in strong
