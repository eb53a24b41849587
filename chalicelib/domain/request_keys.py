"""Keys that clients give what they ask for, so that it may be asked again without being done twice.

A key is a row of its own, written in the same transaction as what it stands for. So there is no
key of something that is not there, nothing "in progress", and nothing to clean up: a request that
was refused has left no key.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

import msgspec

KEY_KEPT_FOR = timedelta(hours=24)
MAX_KEY = 255
MIN_KEY = 16  # of a text in a message over a socket, to be a key beyond its connection
MAX_EXTERNAL_ID = 100


class RequestKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key of one request. `name` says whose it is, too; `request_hash` tells the request from
    another under the same key. It is good until `expires_at`, None for ever."""

    name: str
    request_hash: str
    expires_at: datetime | None = None


class UsedKey(msgspec.Struct, frozen=True):
    """A key that was used, and what for: `target` is the stream or the id of what was created."""

    key: RequestKey
    target: str


def hash_request(*parts: Any) -> str:
    """Hash what a client asks for: texts and what JSON is made of. The order of an object's members
    makes no difference."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def make_request_key(person_id: str, text: str, request_hash: str, now: datetime) -> RequestKey:
    """Make the key of a text that a person has sent with a request."""
    return RequestKey(_name("key", person_id, text), request_hash, now + KEY_KEPT_FOR)


def make_connection_key(
    connection_id: str, text: str, request_hash: str, now: datetime
) -> RequestKey:
    """Make the key of a text that means something within one connection only."""
    return RequestKey(_name("socket", connection_id, text), request_hash, now + KEY_KEPT_FOR)


def make_external_id_key(
    merchant_id: str | None, customer_id: str, external_id: str, request_hash: str
) -> RequestKey:
    """Make the key of an order's external id: unique for its merchant, else for its customer."""
    kind, owner = ("merchant", merchant_id) if merchant_id else ("customer", customer_id)
    return RequestKey(_name(f"order of {kind}", owner, external_id), request_hash)


def _name(kind: str, owner: str, text: str) -> str:
    """Name a key. A hash, as both parts are what somebody else chose: any characters, any length,
    and no way to write one that reads as another's."""
    return f"{kind}#{hash_request(owner, text)}"
