"""Lists of orders, of any flow: how they are asked for, and how they are shown, in JSON and CSV.

In JSON each order is shown as its contract's REST shows one. A table has one row of headings for
all flows, whose names are ours; the status in it is the contract's word, as in JSON.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from typing import Any

from chalicelib.contracts.base import read_text
from chalicelib.contracts.courier.socket import render_delivery_order
from chalicelib.contracts.drivers.socket import render_hail_order
from chalicelib.contracts.food.orders import render_food_order
from chalicelib.contracts.moments import format_iso, read_rfc3339
from chalicelib.contracts.placing import render_order_options
from chalicelib.contracts.rides.bodies import render_ride
from chalicelib.domain.orders.listing import ListedStatus, OrderFilter
from chalicelib.domain.orders.model import Order, OrderView
from chalicelib.domain.request_keys import MAX_EXTERNAL_ID
from chalicelib.errors import InvalidInput

DEFAULT_LIMIT, MAX_LIMIT = 50, 100
MAX_PERSON_ID = 128  # no token names a longer one

Query = Mapping[str, str]


def read_own_filter(query: Query) -> OrderFilter:
    """Read {status?, from?, to?, external_id?}. Raises InvalidInput."""
    external_id = query.get("external_id")
    return OrderFilter(
        status=_read_status(query),
        created_from=_read_time(query, "from"),
        created_to=_read_time(query, "to"),
        external_id=external_id and read_text(external_id, "external_id", MAX_EXTERNAL_ID),
    )


def read_any_filter(query: Query) -> OrderFilter:
    """Read {status?, day?, from?, to?, customer_id?, courier_id?, merchant_id?}. Raises
    InvalidInput."""
    starts = [at for at in (_read_time(query, "from"), _read_day_start(query)) if at]
    ends = [at for at in (_read_time(query, "to"), _read_day_end(query)) if at]
    merchant_id = _read_id(query, "merchant_id")
    return OrderFilter(
        status=_read_status(query),
        created_from=max(starts, default=None),
        created_to=min(ends, default=None),
        customer_id=_read_id(query, "customer_id"),
        courier_id=_read_id(query, "courier_id"),
        merchant_ids=None if merchant_id is None else (merchant_id,),
    )


def read_limit(query: Query) -> int:
    """Read `limit`: a whole number from 1; more than MAX_LIMIT counts as MAX_LIMIT. Raises
    InvalidInput."""
    text = query.get("limit", str(DEFAULT_LIMIT)).strip()
    if not (text.isascii() and text.isdigit()) or not text.strip("0"):
        raise InvalidInput("limit must be a whole number from 1.", field="limit")
    digits = text.lstrip("0")
    return min(int(digits), MAX_LIMIT) if len(digits) < 10 else MAX_LIMIT


def _read_status(query: Query) -> ListedStatus:
    try:
        return ListedStatus(query.get("status", ListedStatus.ALL.value))
    except ValueError:
        words = ", ".join(word.value for word in ListedStatus)
        raise InvalidInput(f"status must be one of {words}.", field="status") from None


def _read_time(query: Query, name: str) -> datetime | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        return read_rfc3339(text, name)
    except InvalidInput as error:
        raise InvalidInput(
            f"{error.message} (A + in a query is written %2B.)", field=name
        ) from None


def _read_day(query: Query) -> date | None:
    text = query.get("day")
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise InvalidInput("day must be YYYY-MM-DD, in UTC.", field="day")
    return day


def _read_day_start(query: Query) -> datetime | None:
    day = _read_day(query)
    return None if day is None else datetime.combine(day, time.min, timezone.utc)


def _read_day_end(query: Query) -> datetime | None:
    """Read when the day is over; None for the last day that there is."""
    day = _read_day(query)
    if day is None or day == date.max:
        return None
    return datetime.combine(day + timedelta(days=1), time.min, timezone.utc)


def _read_id(query: Query, name: str) -> str | None:
    return read_text(query[name], name, MAX_PERSON_ID) if name in query else None


# How an order of each flow is shown in a list: as REST shows it, less what takes more than the
# order itself to tell, as a ride's ETA.
_RENDERERS: Mapping[str, Callable[[Order], dict[str, Any]]] = {
    "delivery": render_delivery_order,
    "hail": render_hail_order,
    "ride": lambda order: render_ride(OrderView(order)),
    "food": render_food_order,
}


def render_listed_order(order: Order) -> dict[str, Any]:
    """Render an order of a list: in its contract's words, and of which flow it is."""
    flow = order.details.flow
    render = _RENDERERS.get(flow, render_delivery_order)
    return {"flow": flow, **render(order), **render_order_options(order)}


Cell = str | int | float | None
CSV_COLUMNS: Mapping[str, Callable[[Order], Cell]] = {
    "id": lambda order: order.id,
    "flow": lambda order: order.details.flow,
    "status": lambda order: render_listed_order(order)["status"],
    "external_id": lambda order: order.options.external_id,
    "customer_id": lambda order: order.details.customer_id,
    "courier_id": lambda order: order.courier_id,
    "merchant_id": lambda order: order.details.merchant_id,
    "pickup_address": lambda order: order.details.pickup.address,
    "pickup_lat": lambda order: order.details.pickup.lat,
    "pickup_lng": lambda order: order.details.pickup.lng,
    "dropoff_address": lambda order: order.details.dropoff.address,
    "dropoff_lat": lambda order: order.details.dropoff.lat,
    "dropoff_lng": lambda order: order.details.dropoff.lng,
    "receiver_phone": lambda order: order.details.receiver_phone,
    "notes": lambda order: order.details.notes,
    "created_at": lambda order: format_iso(order.details.created_at),
    "updated_at": lambda order: format_iso(order.updated_at),
}
# A spreadsheet takes a text that begins so for a formula, and runs it (OWASP, CSV injection).
# The last four are the same in full width.
_FORMULA_SIGNS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def make_csv_row(order: Order) -> list[Cell]:
    """Make the cells of an order, by CSV_COLUMNS. A text is no formula in any of them."""
    return [_neutralize(read(order)) for read in CSV_COLUMNS.values()]


def _neutralize(cell: Cell) -> Cell:
    if not isinstance(cell, str):
        return cell  # a number of ours: -33.8 is a latitude
    # Leading blanks do not keep every spreadsheet from seeing what follows.
    is_formula = cell.startswith(_FORMULA_SIGNS) or cell.lstrip().startswith(_FORMULA_SIGNS)
    return f"'{cell}" if is_formula else cell


def format_csv(rows: list[list[Cell]]) -> str:
    """Write rows as RFC 4180 has it, under their headings."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(rows)
    return text.getvalue()
