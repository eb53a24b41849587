"""Logs: one JSON object a line, with what is known of the work that is under way.

A log never holds a token, a header, a query, or what was typed by somebody. Our own messages name
ids; the texts of exceptions may be anybody's words, so what looks like a secret is taken out.
"""

from __future__ import annotations

import hashlib
import logging
import re
import sys
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

import msgspec

from chalicelib.edge.tracing import get_invocation

MAX_TEXT = 16_384  # characters of a traceback: its end tells most
_HASH_LENGTH = 16
# As texts, which `re` compiles once it needs them: a cold start that logs nothing does not.
_SCRUBBED = (
    (r"\beyJ[\w-]*(?:\.[\w-]*)*", "(token)"),
    (r"(?i)\b(bearer|basic)\s+[^\s\"',;]+", r"\1 (token)"),
    (r"(\w://)[^\s/?#@\"'<>]+@", r"\1(user)@"),
    (r"(\w://[^\s?\"'<>]*)\?[^\s\"'<>]*", r"\1?(query)"),
    (r"(?i)\b(token|secret|password|signature)=[^\s&\"'<>]+", r"\1=(secret)"),
    (r"\+\d[\d ()/-]{5,18}\d", "(phone)"),
    (r"[\w.+-]+@[\w-]+\.[\w.-]+", "(address)"),
)


class JsonFormatter(logging.Formatter):
    """Write a record as one line of JSON. A record's `extra` may name an `order_id`, and a
    `connection_id`, which is hashed."""

    def __init__(self, end: str = "") -> None:
        super().__init__()
        self._end = end

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = datetime.fromtimestamp(record.created, tz=timezone.utc)
        fields: dict[str, Any] = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "message": scrub(record.getMessage()),
            "logger": record.name,
            **_read_work(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = type(record.exc_info[1]).__name__
            fields["exception"] = scrub(self.formatException(record.exc_info))[-MAX_TEXT:]
        return msgspec.json.encode(fields).decode() + self._end


def scrub(text: str) -> str:
    """Take out of a text what looks like a token, a query, somebody's name and password in a URL, a
    phone number or a mail address. Half a character, of which no JSON can be made, is written as
    its number: else there would be no line, and what could not be written on standard error."""
    text = text.encode(errors="backslashreplace").decode()
    for pattern, instead in _SCRUBBED:
        text = re.sub(pattern, instead, text)
    return text


def hash_connection(connection_id: str) -> str:
    """Hash a connection's id: who has the id could be posted to, and the hash tells as much."""
    return hashlib.sha256(connection_id.encode()).hexdigest()[:_HASH_LENGTH]


def _read_work(record: logging.LogRecord) -> dict[str, str]:
    """Read what a record is about: from its `extra`, else from the work that is under way."""
    work = get_invocation()
    connection_id = getattr(record, "connection_id", "") or (work.connection_id if work else "")
    order_id = getattr(record, "order_id", "") or (work.order_id if work else "")
    found = {
        "request_id": work.request_id if work else "",
        "connection": hash_connection(str(connection_id)) if connection_id else "",
        "order_id": str(order_id) if order_id else "",
        "trace_id": work.trace.trace_id if work else "",
    }
    return {name: value for name, value in found.items() if value}


def write_json(handlers: Iterable[logging.Handler]) -> None:
    """Have handlers write JSON: the app's own, and the one that Lambda's runtime has put at the
    root before the app is imported. Others, as a test's, stay as they are."""
    for handler in handlers:
        if isinstance(handler, logging.StreamHandler):
            if getattr(handler, "stream", None) is sys.stdout:
                handler.setFormatter(JsonFormatter())
        elif type(handler).__module__.startswith("awslambdaric"):
            handler.setFormatter(JsonFormatter(end="\n"))  # it writes as it is given
