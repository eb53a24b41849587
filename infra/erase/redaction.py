"""Take a person out of orders, events, payments and the like. Pure: no row is read or written.

What belongs to the books stays, with a pseudonym for the person: orders, earnings, payments. What
tells about them goes: names, phones, pictures, addresses, coordinates, free text. A thing that does
not concern the person comes back as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from chalicelib.domain.courier_changes import CourierChange
from chalicelib.domain.details import Contact, Offer, OrderDetails, Place
from chalicelib.domain.events import MESSAGE_SENT, ORDER_CANCELLED, Entry, Event
from chalicelib.domain.money.payments import Payment
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.money.wallets import Wallet
from chalicelib.domain.orders.changes import Asked, Change, History
from chalicelib.domain.orders.chat import ChatMessage
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.options import NO_OPTIONS
from chalicelib.domain.orders.proof import NOTHING_PROVEN, OrderProof, Stop
from chalicelib.domain.orders.reasons import Reason
from chalicelib.domain.people import Rating
from infra.erase.told import ERASED, is_told, read_order_id, redact_told

_NOWHERE = {"lat": 0.0, "lng": 0.0}


class Redaction(msgspec.Struct, frozen=True):
    """A person, the pseudonym that takes their place, and the ids of their orders.

    Theirs are orders that name them on either side, or that name the pseudonym already.
    """

    person_id: str
    pseudonym: str
    order_ids: frozenset[int] = frozenset()

    def owns(self, order: Order) -> bool:
        """Tell whether an order is the person's, as customer or as courier."""
        return bool(
            {order.details.customer_id, order.courier_id} & {self.person_id, self.pseudonym}
        )

    def redact_order(self, order: Order) -> Order:
        """Return an order without the person, one version on if that changes it."""
        mine = order.courier_id == self.person_id
        after = replace(
            order,
            details=self.redact_details(order.details),
            courier_id=self._replace_id(order.courier_id),
            courier=self._redact_contact(order.courier),
            offer=self._redact_offer(order.offer),
            more_offers=tuple(filter(None, map(self._redact_offer, order.more_offers))),
            offered_to=self._replace_ids(order.offered_to),
            excluded=self._replace_ids(order.excluded),
            unconfirmed=self._replace_ids(order.unconfirmed),
            released_by=self._replace_ids(order.released_by),
            reason=self._redact_reason(order),
            entries=self._redact_entries(order.entries),
            proof=self._redact_proof(order),
            changes=self.redact_changes(order.changes, is_theirs=self.owns(order)),
        )
        if order.details.customer_id == self.person_id:
            after = replace(after, options=NO_OPTIONS)  # whatever they wrote there
        if self.owns(order):  # a recipient's words are about one of them, or from one
            after = replace(after, links=(), recipient_note=None)
        if after.trip and (mine or order.details.customer_id == self.person_id):
            after = replace(after, trip=replace(after.trip, start=None))
        return replace(after, version=order.version + 1) if after != order else order

    def _redact_proof(self, order: Order) -> OrderProof:
        """Return an order's proof without the files, which are deleted; nothing at all where the
        order was the person's to place."""
        if order.details.customer_id == self.person_id:
            return NOTHING_PROVEN
        proof = order.proof
        for stop in Stop:
            known = proof.get_stop(stop)
            overrides = tuple(
                replace(one, by=self._replace_id(one.by) or "") for one in known.overrides
            )
            files = () if self.owns(order) else known.files
            proof = proof.replace_stop(stop, replace(known, overrides=overrides, files=files))
        return proof

    def redact_history(self, order_id: int, history: History) -> History:
        """Return what was archived of an order's history without the person."""
        is_theirs = order_id in self.order_ids
        return replace(history, changes=self.redact_changes(history.changes, is_theirs))

    def redact_changes(self, changes: Sequence[Change], is_theirs: bool) -> tuple[Change, ...]:
        """Return changes without the person: in an order of theirs, and of any other from which
        they once were taken, without positions and words."""
        names = {self.person_id, self.pseudonym}
        is_named = any(one.courier_id in names or one.actor_id in names for one in changes)
        return tuple(self._redact_change(one, is_theirs or is_named) for one in changes)

    def _redact_change(self, change: Change, is_theirs: bool) -> Change:
        actor_id = self._replace_id(change.actor_id)
        after = replace(
            change,
            by=change.by[:1] + (actor_id or ""),
            courier_id=self._replace_id(change.courier_id),
            asked=tuple(map(self._redact_asked, change.asked)),
        )
        return replace(after, reason=None, note=None, position=None) if is_theirs else after

    def redact_courier_change(self, change: CourierChange) -> CourierChange:
        """Return what a dispatcher did with another courier without the person: as the dispatcher
        they have a pseudonym, and words of theirs, or about an order of theirs, go."""
        is_theirs = change.actor_id in (self.person_id, self.pseudonym)
        if not is_theirs and change.order_id not in self.order_ids:
            return change
        actor_id = self.pseudonym if is_theirs else change.actor_id
        return replace(change, actor_id=actor_id, note=None)

    def _redact_asked(self, asked: Asked) -> Asked:
        return Asked(self.pseudonym) if asked.courier_id == self.person_id else asked

    def _redact_reason(self, order: Order) -> Reason | None:
        """Return the reason of an order without its words, where they are the person's, or may be
        about them."""
        had_it = self.person_id in (*order.released_by, *order.excluded)  # and gave it back
        concerned = self.owns(order) or had_it
        return Reason(order.reason.code) if order.reason and concerned else order.reason

    def redact_details(self, details: OrderDetails) -> OrderDetails:
        """Return an order's details without the person.

        Where an order of a restaurant is picked up is no secret.
        """
        if details.customer_id != self.person_id:
            return details
        return replace(
            details,
            customer_id=self.pseudonym,
            customer=Contact(self.pseudonym) if details.customer else None,
            pickup=details.pickup if details.merchant_id else Place(ERASED),
            dropoff=Place(ERASED),
            receiver_phone=ERASED if details.receiver_phone else None,
            notes=None,
        )

    def redact_event(self, event: Event) -> Event:
        """Return an event of somebody else's log, or of an outbox, without the person."""
        data = self._redact_data(event) if self._concerns_event(event) else event.data
        if is_told(event):
            is_theirs = self._concerns_event(event) or read_order_id(event) in self.order_ids
            data = redact_told(data, self.person_id, self.pseudonym, is_theirs=is_theirs)
        return replace(
            event,
            details=self.redact_details(event.details) if event.details else None,
            courier=self._redact_contact(event.courier),
            offer=self._redact_offer(event.offer),
            data=data,
        )

    def redact_events(self, events: Sequence[Event]) -> tuple[Event, ...]:
        """Return events without the person."""
        return tuple(map(self.redact_event, events))

    def concerns_message(self, message: ChatMessage) -> bool:
        """Tell whether a message is of a conversation of the person's.

        All of those go: what the other side wrote tells about them as well.
        """
        among = {message.sender_id, *message.to}
        return self.person_id in among or message.order_id in self.order_ids

    def redact_rating(self, rating: Rating) -> Rating:
        """Return a rating without the words; the stars are in an average by now."""
        if self.person_id not in (rating.customer_id, rating.courier_id):
            return rating
        customer_id = self._replace_id(rating.customer_id) or ""
        courier_id = self._replace_id(rating.courier_id) or ""
        return replace(rating, customer_id=customer_id, courier_id=courier_id, comment=None)

    def redact_payment(self, payment: Payment) -> Payment:
        """Return a payment with its amount, time, method and transaction only."""
        if payment.customer_id != self.person_id:
            return payment
        return replace(
            payment,
            customer_id=self.pseudonym,
            upi_id=None,
            error=ERASED if payment.error else None,
            version=payment.version + 1,
            entries=self._redact_entries(payment.entries),
        )

    def redact_payout(self, payout: Payout) -> Payout:
        """Return a payout with its amount, time and the bank's transaction only.

        The account is the bank's to know.
        """
        if payout.courier_id != self.person_id:
            return payout
        return replace(
            payout,
            courier_id=self.pseudonym,
            bank_account=ERASED,
            version=payout.version + 1,
            entries=self._redact_entries(payout.entries),
        )

    def redact_wallet(self, wallet: Wallet) -> Wallet:
        """Return a balance under the pseudonym."""
        return replace(
            wallet, courier_id=self.pseudonym, entries=self._redact_entries(wallet.entries)
        )

    def _replace_id(self, person_id: str | None) -> str | None:
        return self.pseudonym if person_id == self.person_id else person_id

    def _replace_ids(self, person_ids: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self.pseudonym if one == self.person_id else one for one in person_ids)

    def _redact_contact(self, contact: Contact | None) -> Contact | None:
        mine = contact is not None and contact.id == self.person_id
        return Contact(self.pseudonym) if mine else contact

    def _redact_offer(self, offer: Offer | None) -> Offer | None:
        if offer is None or offer.courier_id != self.person_id:
            return offer
        return replace(offer, courier_id=self.pseudonym, distance_m=None)

    def _redact_entries(self, outbox: tuple[Entry, ...]) -> tuple[Entry, ...]:
        """Return the entries, with nothing left to deliver to the person.

        No entry is left out: wakeups wait for the newest version that is in the outbox.
        """
        return tuple(
            Entry(
                entry.version,
                entry.at,
                self.redact_events([one for one in entry.events if one.to != self.person_id]),
            )
            for entry in outbox
        )

    def _concerns_event(self, event: Event) -> bool:
        """Tell whether an event's particulars may speak of the person."""
        if event.details and event.details.customer_id == self.person_id:
            return True
        if event.courier and event.courier.id == self.person_id:
            return True
        if event.type == MESSAGE_SENT:
            return self.concerns_message(_message_of(event))
        kind, _, rest = event.stream.partition("#")
        return kind == "order" and rest.isdigit() and int(rest) in self.order_ids

    def _redact_data(self, event: Event) -> dict[str, Any]:
        """Return an event's particulars in their old form, as contracts still word them."""
        data = dict(event.data)
        if event.type == MESSAGE_SENT:
            said = _message_of(event)
            kept = replace(
                said,
                sender_id=self._replace_id(said.sender_id) or "",
                to=self._replace_ids(said.to),
                text=ERASED,
            )
            data["message"] = msgspec.to_builtins(kept)
        if event.type == ORDER_CANCELLED:
            data.pop("reason", None)
        if "reason_code" in data:  # that alone tells about nobody
            data.pop("reason", None)
            data.pop("note", None)
        if "fix" in data:
            data["fix"] = {**_NOWHERE, "at": data["fix"]["at"]}
        if "at" in data:
            data["at"] = (0.0, 0.0)
        if "address" in data:
            data["address"] = ERASED
        return data


def _message_of(event: Event) -> ChatMessage:
    return msgspec.convert(event.data["message"], ChatMessage)
