"""Phones that hold their own positions: whether they miss nothing between two sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.positions import parse_position
from chalicelib.store.mailboxes import MailboxTable
from tests.functional.devices import read_frame
from tests.simulation.gateway import FOR_EVER_S, Socket
from tests.simulation.history import identity_of
from tests.simulation.telling import list_mailboxes, read_log

if TYPE_CHECKING:
    from tests.simulation.phones import Phone
    from tests.simulation.town import Town

# An offer is not worth telling once it is answered, and a greeting shows what has become of it.
_OF_OFFERS = frozenset({events.OFFER_MADE, events.OFFER_TIMED_OUT, events.OFFER_REASSIGNED})


def find_position(sockets: Sequence[Socket]) -> str:
    """Find what a client has stored that had these sockets: the last position that it was told, or
    where it was told that "now" is; "" where it was told none."""
    position = ""
    for frame in (read_frame(text) for socket in sockets for text in socket.frames()):
        if frame.name == "resumed" and not position:
            position = frame.data["to"]
        position = frame.pos or position
    return position


def nobody_is_told_of_a_gap(town: Town) -> Iterator[str]:
    """No event is so old here that it is kept no more."""
    for phone in town.phones:
        for socket in phone.sockets if phone.holds_position else ():
            if any(read_frame(text).name == "gap" for text in socket.frames()):
                yield socket.id


def whoever_holds_a_position_misses_nothing(town: Town) -> Iterator[str]:
    """From where they began to the end, over all their sockets together: if they are there then."""
    phones = [phone for phone in town.phones if phone.holds_position and _is_there(phone)]
    mailboxes = list_mailboxes(town) if phones else []
    names = {MailboxTable().get_mailbox(name).epoch: name for name in mailboxes}
    logs = {name: read_log(name) for name in mailboxes}
    for phone in phones:
        began = next((frame for frame in _list_answers(phone) if frame), "")
        heard = {
            (one.event.to, one.event.seq)
            for socket in phone.sockets
            for one in socket.heard
            if one.event is not None
        }
        for epoch, seq in parse_position(began) if began else ():
            for event in _list_owed(town, phone, logs.get(names.get(epoch, ""), ()), seq):
                if (event.to, event.seq) not in heard:
                    yield f"{phone.sockets[-1].id}: {event.to} {event.seq} {event.type}"


def _is_there(phone: Phone) -> bool:
    last = phone.socket
    is_well = last is not None and all(one.until_s < FOR_EVER_S for one in last.troubles)
    return is_well and last is not None and last.open and last.admitted_s is not None


def _list_answers(phone: Phone) -> Iterator[str]:
    """List where a phone was told that "now" is."""
    for socket in phone.sockets:
        for text in socket.frames():
            frame = read_frame(text)
            if frame.name == "resumed":
                yield frame.data["to"]


def _list_owed(town: Town, phone: Phone, log: Sequence[Event], after_seq: int) -> Iterator[Event]:
    """List the events of a log after a place that a phone's contract has words for."""
    socket = phone.sockets[-1]
    subscriber = Subscriber(
        socket.id, phone.person.id, phone.contract, socket.hears, phone.person.role
    )
    contract, poison = town.contracts[phone.contract], town.poison
    for event in log:
        is_poison = poison.contract == phone.contract and poison.event == identity_of(event)
        if event.seq <= after_seq or event.type in _OF_OFFERS or is_poison:
            continue
        if subscriber.subscribes_to(event.type) and contract.render_event(event, subscriber):
            yield event


POSITIONS: tuple[Callable[[Town], Iterator[str]], ...] = (
    nobody_is_told_of_a_gap,
    whoever_holds_a_position_misses_nothing,
)
