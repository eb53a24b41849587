"""The events of an endpoint's log: derived from an outbox that tells others, and kept in none.

What an event says is decided as it is appended, and stays: a resend carries the first body. So the
logged event has all of it: what the ordinary event tells, and `facts`, what its order (payment,
payout) says besides.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from chalicelib.domain.details import Contact
from chalicelib.domain.events import Entry, Event, Outbox
from chalicelib.domain.money.payments import Payment
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.money.pricing import list_price_lines
from chalicelib.domain.orders.model import TERMINAL_STATUSES, Order, Status
from chalicelib.domain.orders.windows import NO_WINDOWS, Windows
from chalicelib.domain.price_lines import PriceLine
from chalicelib.domain.webhooks.endpoint import name_endpoint_mailbox
from chalicelib.domain.webhooks.event_types import list_canonical
from chalicelib.domain.webhooks.registry import EndpointRegistry, RegisteredEndpoint

# What may be told of a version that is not the newest: what ended an order stays as it was. (One
# that nobody took may be searched for again.)
_SETTLED = frozenset(status.value for status in TERMINAL_STATUSES - {Status.UNSERVED})
_FACTS = "facts"
AnyFacts = TypeVar("AnyFacts", bound=msgspec.Struct)


class OrderFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an order says besides its details and its event."""

    placed_at: datetime
    external_id: str | None = None
    metadata: dict[str, str] = {}
    windows: Windows = NO_WINDOWS
    parent_id: int | None = None
    courier: Contact | None = None
    price: tuple[PriceLine, ...] = ()


class PaymentFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a payment says besides its event."""

    customer_id: str
    initiated_at: datetime
    merchant_id: str | None = None


class PayoutFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a payout says besides its event."""

    courier_id: str
    requested_at: datetime


def is_for_endpoints(outbox: Outbox) -> bool:
    """Tell whether endpoints may hear of an outbox."""
    return isinstance(outbox.aggregate, Order | Payment | Payout)


def is_stream_for_endpoints(stream: str) -> bool:
    """Tell the same by a stream's name."""
    return stream.partition("#")[0] in ("order", "payment", "payout")


def list_listeners(registry: EndpointRegistry, outbox: Outbox) -> tuple[RegisteredEndpoint, ...]:
    """List the endpoints that hear of an outbox's aggregate, whatever they have asked for: of an
    order or a payment those of its merchant, of a payout those that hear of everybody's."""
    aggregate = outbox.aggregate
    if isinstance(aggregate, Order):
        merchant_id = aggregate.details.merchant_id
    elif isinstance(aggregate, Payment | Payout):
        merchant_id = aggregate.merchant_id if isinstance(aggregate, Payment) else None
    else:
        return ()
    return tuple(one for one in registry.endpoints if one.hears_of(merchant_id))


def list_subscribed(registry: EndpointRegistry, outbox: Outbox) -> tuple[str, ...]:
    """List the mailboxes of the endpoints that have an event among the entries of an outbox."""
    return tuple(
        name_endpoint_mailbox(endpoint.id)
        for endpoint in list_listeners(registry, outbox)
        if any(_hears_any(endpoint, entry) for entry in outbox.entries)
    )


def derive_events(
    registry: EndpointRegistry, mailbox: str, outbox: Outbox, entry: Entry
) -> tuple[Event, ...]:
    """Derive the events of an entry for an endpoint's mailbox, without their places in its log. An
    event that is addressed to the mailbox itself is as it is: a ping, say."""
    direct = tuple(event for event in entry.events if event.to == mailbox)
    for endpoint in list_listeners(registry, outbox):
        if name_endpoint_mailbox(endpoint.id) == mailbox:
            return direct + tuple(
                _make_event(type_, mailbox, event, ordinal, outbox)
                for ordinal, (type_, event) in enumerate(list_canonical(entry))
                if _hears(endpoint, type_, event)
            )
    return direct


def _hears_any(endpoint: RegisteredEndpoint, entry: Entry) -> bool:
    return any(_hears(endpoint, type_, event) for type_, event in list_canonical(entry))


def _hears(endpoint: RegisteredEndpoint, type_: str, event: Event) -> bool:
    """Tell whether an endpoint has asked for an event, and was there when it happened."""
    return endpoint.wants(type_) and endpoint.created_at <= event.at


def _make_event(type_: str, mailbox: str, event: Event, ordinal: int, outbox: Outbox) -> Event:
    facts = _find_facts(outbox.aggregate, event)
    data = event.data if facts is None else {**event.data, _FACTS: msgspec.to_builtins(facts)}
    return replace(
        event,
        type=type_,
        to=mailbox,
        ordinal=ordinal,
        valid_until=None,
        audience=None,
        data=data,
        details=outbox.details,
    )


def _find_facts(aggregate: object, event: Event) -> msgspec.Struct | None:
    if isinstance(aggregate, Order):
        return _find_order_facts(aggregate, event)
    if isinstance(aggregate, Payment):
        return PaymentFacts(aggregate.customer_id, aggregate.initiated_at, aggregate.merchant_id)
    if isinstance(aggregate, Payout):
        return PayoutFacts(aggregate.courier_id, aggregate.requested_at)
    return None


def _find_order_facts(order: Order, event: Event) -> OrderFacts:
    """Find what is true of an order at the event's version, though the order is a later one: its
    courier may be another by then, as long as it has not ended."""
    options = order.options
    is_true_still = order.version == event.version or event.status in _SETTLED
    return OrderFacts(
        placed_at=order.placed_at,
        external_id=options.external_id,
        metadata=options.metadata,
        windows=options.windows,
        parent_id=order.parent_id,
        courier=event.courier or (order.courier if is_true_still else None),
        price=list_price_lines(order),
    )


def read_facts(event: Event, type_: type[AnyFacts]) -> AnyFacts:
    """Read the facts of a logged event of an order, payment or payout."""
    return msgspec.convert(event.data[_FACTS], type_)
