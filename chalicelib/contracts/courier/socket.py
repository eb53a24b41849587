"""Contract `courier`: spec 000, courier dispatch. Frames are {"event", "data"}.

Two kinds of client speak it, couriers and customers, on a path each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.contracts import fixes
from chalicelib.contracts.base import (
    REFRESH,
    REFRESHED,
    Contract,
    Reader,
    Request,
    Writer,
    frame,
    message,
    optional_text,
    point,
    present,
    read_refresh,
    text,
)
from chalicelib.contracts.contacts import phone
from chalicelib.contracts.moments import iso
from chalicelib.domain import events
from chalicelib.domain.details import Job, Place
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Listener
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.requests import ReportFix
from chalicelib.domain.people import Fix, Person, Role
from chalicelib.errors import InvalidInput, InvalidTransition, RateLimited, WaybillError

# Spec 000's words for where an order stands. It has none for a search or a cancelled order.
STATUS_WORDS: dict[Status, str] = {
    Status.PENDING: "pending",
    Status.CONFIRMED: "confirmed",
    Status.PREPARING: "preparing",
    Status.READY: "ready",
    Status.SEARCHING: "searching",
    Status.OFFERED: "assigned",
    Status.ACCEPTED: "accepted",
    Status.AT_PICKUP: "arrived",
    Status.IN_TRANSIT: "picked_up",
    Status.DONE: "delivered",
    Status.CANCELLED: "cancelled",
    Status.UNSERVED: "no_nearby_driver",
}
# And for the steps that lead there.
STEP_WORDS: dict[str, str] = {
    "offer": "assigned",
    "assign": "assigned",
    "accept": "accepted",
    "decline": "declined",
    "arrive": "arrived",
    "pick_up": "picked_up",
    "reach": "reached",
    "deliver": "delivered",
    "cancel": "cancelled",
    "give_up": "no_nearby_driver",
}


class Courier(Contract):
    """The contract as one kind of client speaks it."""

    # Spec 000 has no word for it, and its clients pass over events that they do not know.
    sign_of_life = frame({"event": "heartbeat", "data": {}})

    def __init__(
        self, role: Role, readers: Mapping[str, Reader], writers: Mapping[str, Writer]
    ) -> None:
        self.roles = frozenset({role})
        self._readers = readers
        self._writers = writers

    def rooms(self, connection: Connection) -> Sequence[str]:
        """None beyond the person's own."""
        return ()

    def first_frames(self, connection: Connection, offered: Order | None) -> Sequence[str]:
        """A courier who comes back is told of the offer that is still open."""
        if offered is None:
            return ()
        data = _assigned(offered.id, offered.job)
        return (frame({"event": "order.assigned", "data": data}),)

    def words(self, event: Event, listener: Listener) -> Sequence[str]:
        """One frame an event, or none."""
        writer = self._writers.get(event.type)
        return (frame(writer(event)),) if writer else ()

    def read(self, text: str, connection: Connection, now: datetime) -> Request:
        """What a client asks. Raises InvalidInput."""
        found = message(text)
        name, data = found.get("event"), found.get("data", {})
        if not isinstance(data, dict):
            raise InvalidInput("data must be an object.")
        reader = self._readers.get(name) if isinstance(name, str) else None
        if reader is None:
            raise InvalidInput("This event is unknown.")
        return Request(str(name), reader(data, now))

    def answer(self, request: Request, result: Any, connection: Connection) -> Sequence[str]:
        """Spec 000 answers nothing on the socket; that a token was taken is ours to say."""
        return (frame({"event": REFRESHED, "data": {}}),) if request.name == REFRESH else ()

    def refusal(self, request: Request, error: WaybillError) -> Sequence[str]:
        """Spec 000 has no errors on the socket; this is ours, and the socket stays open.

        A position that comes too soon is passed over without a word: the next one heals it.
        """
        if isinstance(error, RateLimited):
            return ()
        return (frame({"event": "error", "data": {"message": error.message}}),)


def read_fix(data: Mapping[str, Any], now: datetime) -> Fix:
    """{lat, lng, heading?, speed?, accuracy?, altitude?, ts?} as a fix. Raises InvalidInput.

    `ts` is epoch seconds or milliseconds, or an ISO time; without it the fix is from now.
    """
    return fixes.read_fix(data, now, "lat", "lng", "ts")


def read_job(data: Mapping[str, Any], customer_id: str, now: datetime) -> Job:
    """The body of POST /api/v1/orders as a job. Raises InvalidInput."""
    return Job(
        flow="delivery",
        customer_id=customer_id,
        pickup=_read_place(data, "pickup"),
        dropoff=_read_place(data, "dropoff"),
        receiver_phone=phone(data.get("receiver_phone"), "receiver_phone"),
        notes=optional_text(data.get("notes"), "notes"),
        created_at=now,
    )


def _read_place(data: Mapping[str, Any], side: str) -> Place:
    names = f"{side}_lat", f"{side}_lng"
    found = point(data.get(names[0]), data.get(names[1]), names)
    address = text(data.get(f"{side}_address"), f"{side}_address")
    return Place(address, *found) if found else Place(address)


def order_body(order: Order) -> dict[str, Any]:
    """An order as REST shows it."""
    return present(
        id=str(order.id),
        status=STATUS_WORDS[order.status],
        customer_id=order.job.customer_id,
        courier_id=order.courier_id,
        **_places(order.job),
        receiver_phone=order.job.receiver_phone,
        notes=order.job.notes,
        created_at=iso(order.job.created_at),
        updated_at=iso(order.updated_at),
    )


def assigned_driver(person: Person) -> dict[str, Any]:
    """The courier of an order as its customer sees them: {id, name, phone, profile_picture?}."""
    return present(
        id=person.id,
        name=person.name or "",
        phone=person.phone or "",
        profile_picture=person.profile_picture,
    )


def transition_details(error: InvalidTransition) -> dict[str, Any]:
    """What an illegal step is answered with, in the words of spec 000."""
    return {
        "from": STATUS_WORDS[Status(error.status)],
        "to": STEP_WORDS.get(error.step, error.step),
        "allowed": [STEP_WORDS[step] for step in error.allowed if step in STEP_WORDS],
    }


def _places(job: Job) -> dict[str, Any]:
    return present(
        pickup_address=job.pickup.address,
        pickup_lat=job.pickup.lat,
        pickup_lng=job.pickup.lng,
        dropoff_address=job.dropoff.address,
        dropoff_lat=job.dropoff.lat,
        dropoff_lng=job.dropoff.lng,
    )


def _assigned(order_id: int, job: Job) -> dict[str, Any]:
    return {
        "order_id": str(order_id),
        "customer_id": job.customer_id,
        **_places(job),
        **present(receiver_phone=job.receiver_phone),
    }


def _job(event: Event) -> Job:
    assert event.job is not None, "events of orders are relayed with their job"
    return event.job


def _offer_made(event: Event) -> Mapping[str, Any]:
    return {"event": "order.assigned", "data": _assigned(event.order_id, _job(event))}


def _to_courier(name: str) -> Writer:
    def write(event: Event) -> Mapping[str, Any]:
        data = {"order_id": str(event.order_id), "customer_id": _job(event).customer_id}
        return {"event": name, "data": data}

    return write


def _status(status: str, with_places: bool = False, with_courier: bool = False) -> Writer:
    def write(event: Event) -> Mapping[str, Any]:
        data: dict[str, Any] = {"order_id": str(event.order_id), "status": status}
        if with_places:
            job = _job(event)
            data |= {**_places(job), **present(receiver_phone=job.receiver_phone)}
        if with_courier and event.courier:
            data |= present(
                courier_name=event.courier.name,
                courier_phone=event.courier.phone,
                courier_profile_picture=event.courier.picture,
            )
        return {"event": "order.status", "data": data}

    return write


_REFRESH: dict[str, Reader] = {REFRESH: lambda data, now: read_refresh(data)}
COURIER_READERS: dict[str, Reader] = {
    **_REFRESH,
    "location.update": lambda data, now: ReportFix(read_fix(data, now)),
}
CUSTOMER_READERS: dict[str, Reader] = _REFRESH

COURIER_WRITERS: dict[str, Writer] = {
    events.OFFER_MADE: _offer_made,
    events.OFFER_TIMED_OUT: _to_courier("order.assignment_timed_out"),
    events.OFFER_REASSIGNED: _to_courier("order.reassigned_away"),
    events.SEARCH_FAILED: _to_courier("order.no_nearby_driver"),
}
CUSTOMER_WRITERS: dict[str, Writer] = {
    events.ORDER_OFFERED: _status("assigned", with_places=True),
    events.ORDER_ACCEPTED: _status("accepted", with_courier=True),
    events.ORDER_DECLINED: _status("declined"),
    events.COURIER_ARRIVED: _status("arrived"),
    events.ORDER_PICKED_UP: _status("picked_up", with_courier=True),
    events.ORDER_DELIVERED: _status("delivered", with_courier=True),
    events.ORDER_UNSERVED: _status("no_nearby_driver"),
}

COURIER = Courier(Role.COURIER, COURIER_READERS, COURIER_WRITERS)
CUSTOMER = Courier(Role.CUSTOMER, CUSTOMER_READERS, CUSTOMER_WRITERS)
