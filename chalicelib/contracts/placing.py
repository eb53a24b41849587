"""What any client may add to a request that creates, beside its contract's own fields.

The names are ours and the same in all contracts. Who sends none of them is answered as ever.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from chalicelib.contracts.base import omit_none, read_text
from chalicelib.contracts.moments import format_iso, read_rfc3339
from chalicelib.contracts.money import render_price, render_settlement
from chalicelib.contracts.proof import read_proof_rules, render_proof
from chalicelib.contracts.reasons import render_reason
from chalicelib.domain.money.pricing import list_price_lines
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.orders.waiting import find_waiting_since
from chalicelib.domain.orders.windows import Windows
from chalicelib.domain.request_keys import MAX_EXTERNAL_ID, MAX_KEY
from chalicelib.errors import InvalidInput

WINDOW_NAMES = ("pickup_from", "pickup_by", "dropoff_by")
MAX_METADATA_KEYS = 20
MAX_METADATA_KEY = 40
MAX_METADATA_BYTES = 2048
MAX_QUOTE_ID = 4096
# draft-ietf-httpapi-idempotency-key-header-07: an RFC 8941 string. Most clients send it plain.
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')


def read_idempotency_key(value: str) -> str:
    """Read the value of an Idempotency-Key header, plain or quoted. Raises InvalidInput."""
    text = value.strip()
    if quoted := _QUOTED.fullmatch(text):
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    elif text.startswith('"'):
        raise InvalidInput("The Idempotency-Key is not a quoted string.", field="Idempotency-Key")
    if not 1 <= len(text) <= MAX_KEY or not (text.isascii() and text.isprintable()):
        raise InvalidInput(
            f"The Idempotency-Key must be 1 to {MAX_KEY} printable ASCII characters.",
            field="Idempotency-Key",
        )
    return text


def read_order_options(data: Mapping[str, Any]) -> OrderOptions:
    """Read what may be added to any order: {external_id?, metadata?, pickup_from?, pickup_by?,
    dropoff_by?, proof?}. Raises InvalidInput."""
    external_id = data.get("external_id")
    if external_id is not None:
        external_id = read_text(external_id, "external_id", MAX_EXTERNAL_ID)
    return OrderOptions(
        external_id=external_id,
        metadata=read_metadata(data.get("metadata")),
        windows=read_windows(data),
        proof=read_proof_rules(data.get("proof")),
    )


def read_quote_id(data: Mapping[str, Any]) -> str | None:
    """Read `quote_id`, as it was given: the quote that is taken. Raises InvalidInput."""
    value = data.get("quote_id")
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_QUOTE_ID:
        raise InvalidInput("quote_id is not the id of a quote.", field="quote_id")
    return value


def read_windows(data: Mapping[str, Any]) -> Windows:
    """Read {pickup_from?, pickup_by?, dropoff_by?}: only how they are written, as whether they can
    be met depends on when an order is placed (domain/orders/windows.py). Raises InvalidInput."""
    given = {name: data[name] for name in WINDOW_NAMES if data.get(name) is not None}
    return Windows(**{name: read_rfc3339(value, name) for name, value in given.items()})


def read_metadata(value: Any) -> dict[str, str]:
    """Read `metadata`, {} where it is absent. Raises InvalidInput."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise InvalidInput("metadata must be an object of texts.", field="metadata")
    if len(value) > MAX_METADATA_KEYS:
        raise InvalidInput(f"metadata has at most {MAX_METADATA_KEYS} keys.", field="metadata")
    if not all(1 <= len(name) <= MAX_METADATA_KEY for name in value):
        raise InvalidInput(
            f"A key of metadata has 1 to {MAX_METADATA_KEY} characters.", field="metadata"
        )
    if len(msgspec.json.encode(value)) > MAX_METADATA_BYTES:
        raise InvalidInput(f"metadata takes at most {MAX_METADATA_BYTES} bytes.", field="metadata")
    return dict(value)


def render_state(order: Order) -> dict[str, Any]:
    """Render where an order stands in no contract's words: some have none for it."""
    return {"state": order.status.value}


def render_order_options(order: Order) -> dict[str, Any]:
    """Render what each REST view of an order shows beside its contract's own fields: always
    `state`, the status in no contract's words; while its courier waits at a stop, since when; what
    was added to the order, and what was said of
    it, where anything was."""
    options = order.options
    return {
        **render_state(order),
        **render_wait(order),
        **render_reason(order),
        **omit_none(
            parent_id=str(order.parent_id) if order.parent_id else None,
            external_id=options.external_id,
            metadata=options.metadata or None,
            **render_settlement(order),
            price=render_price(list_price_lines(order)) if _has_price(order) else None,
            **render_windows(options.windows),
            proof=render_proof(order),
        ),
    }


def render_wait(order: Order) -> dict[str, str]:
    """Render since when a courier waits at a stop, and from when on a no-show can be said; nothing
    where nobody waits."""
    since, no_show_at = find_waiting_since(order), order.no_show_at
    if since is None or no_show_at is None:
        return {}
    return {"waiting_since": format_iso(since), "no_show_at": format_iso(no_show_at)}


def _has_price(order: Order) -> bool:
    """Say whether a view shows the price: where it is another than the contract says."""
    return bool(order.price or order.fees or order.tips)


def render_windows(windows: Windows) -> dict[str, str]:
    """Render the windows that there are: the same moments as were given, in UTC."""
    moments = {name: getattr(windows, name) for name in WINDOW_NAMES}
    return {name: format_iso(at) for name, at in moments.items() if at}
