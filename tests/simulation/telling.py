"""Whether everybody was told everything: the checks of logs and sockets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from chalicelib.domain import events
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.mailboxes import name_restaurant_mailbox
from chalicelib.services.messaging.leases import LEASE_TIME
from chalicelib.store.mailboxes import MailboxTable
from tests.simulation.gateway import FOR_EVER_S, Heard, Socket
from tests.simulation.history import Identity, identity_of

if TYPE_CHECKING:
    from tests.simulation.town import Town

Place = tuple[str, int]
"""An event's id on the wire: the mailbox, and the place in its log."""

_TOLD_AT_MOST = 10  # times to one socket
_IN_TIME_S = 90.0  # a freeze, a lease that must run out, some pauses
# A greeting tells of an offer itself: what led to it is not told again.
_OF_OFFERS = frozenset({events.OFFER_TIMED_OUT, events.OFFER_REASSIGNED})


def list_mailboxes(town: Town) -> list[str]:
    """List all mailboxes that an event was committed for, or that have a head."""
    heads = [row["person_id"]["S"] for row in town.dynamo.rows("mailboxes")]
    return sorted({*heads, *(identity[0] for identity in town.history.facts)} - {events.NOBODY})


def read_log(mailbox: str) -> list[Event]:
    """Read all of a log."""
    store = MailboxTable()
    return store.list_events_from(store.get_mailbox(mailbox), 1, 10_000)


def places_have_no_gaps(town: Town) -> Iterator[str]:
    """1, 2, 3, …"""
    for name in list_mailboxes(town):
        places = [event.seq for event in read_log(name)]
        if places != list(range(1, len(places) + 1)):
            yield f"{name}: {places}"


def an_id_stands_for_one_event(town: Town) -> Iterator[str]:
    """On every socket, and in the log."""
    named: dict[Place, Identity] = {}
    told = [event for socket in _all(town) for _, event in _tellings(socket)]
    for event in [event for name in list_mailboxes(town) for event in read_log(name)] + told:
        identity = named.setdefault((event.to, event.seq), identity_of(event))
        if identity != identity_of(event):
            yield f"{event.to} {event.seq} is {identity} and {identity_of(event)}"


def first_tellings_come_in_order(town: Town) -> Iterator[str]:
    """On each socket, of each log; what is told once more has its id. (Where clocks are further
    apart than a lease lasts, two may hold it, for one of whom an offer has lapsed already.)"""
    apart = town.plan.skew_s > LEASE_TIME.total_seconds() / 2
    for socket in _all(town):
        seen: set[Place] = set()
        newest: dict[str, int] = {}
        for one, event in _tellings(socket):
            place, top = (event.to, event.seq), newest.get(event.to, 0)
            excused = one.frozen or (apart and event.type == events.OFFER_MADE)
            if place not in seen and event.seq < top and not excused:
                yield f"{socket.id}: {event.to} {event.seq} after {top}"
            seen.add(place)
            newest[event.to] = max(top, event.seq)


def nothing_is_told_again_and_again(town: Town) -> Iterator[str]:
    """An event is repeated after a death or a lost answer, not with each try for a neighbour."""
    for socket in _all(town):
        told = Counter((event.to, event.seq) for _, event in _tellings(socket))
        for place, times in told.items():
            if times > _TOLD_AT_MOST:
                yield f"{socket.id}: {place} {times} times"


def who_is_well_is_not_kept_waiting(town: Town) -> Iterator[str]:
    """A socket that was never troubled is told in time, whatever its neighbours are; unless
    @connections was out for all."""
    for socket in _all(town):
        if town.gateway.outage or socket.troubles or socket.admitted_s is None:
            continue
        heard: set[Place] = set()
        for one, event in _tellings(socket):
            fact = town.history.facts.get(identity_of(event))
            new = (event.to, event.seq) not in heard
            heard.add((event.to, event.seq))
            if new and fact and one.at_s > max(fact.at_s, socket.admitted_s) + _IN_TIME_S:
                yield f"{socket.id}: {event.to} {event.seq}, {one.at_s - fact.at_s:.0f} s late"


def every_socket_is_told_everything(town: Town) -> Iterator[str]:
    """Each that is there at the end, and no longer troubled, has heard whatever was first told to
    others of its kind after its client was let in, and whatever nobody was told. Of one that left,
    what came before anything that it heard."""
    logs = {name: read_log(name) for name in list_mailboxes(town)}
    first = {kind: _first_told(town, kind) for kind in (False, True)}
    for socket in _all(town):
        if socket.admitted_s is None or any(t.until_s == FOR_EVER_S for t in socket.troubles):
            continue
        if socket.holds_position:
            continue  # see positions.py
        heard = {(event.to, event.seq) for _, event in _tellings(socket)}
        for name in _mailboxes_of(town, socket):
            upto = max((seq for to, seq in heard if to == name), default=0)
            for event in logs.get(name, ()):
                if event.seq > upto and not socket.open:
                    break
                at_s = first[socket.hears is not None].get((name, event.seq))
                if (name, event.seq) not in heard and _owes(town, socket, event, at_s):
                    yield _missed(town, socket, event, at_s)


def _owes(town: Town, socket: Socket, event: Event, told_s: float | None) -> bool:
    """Tell whether an event is owed to a socket; `told_s` is when it was first told to any."""
    assert socket.admitted_s is not None
    if told_s is not None and told_s < socket.admitted_s:
        return False
    fact = town.history.facts.get(identity_of(event))
    if town.poison.event == identity_of(event) and fact and fact.at_s < socket.admitted_s:
        return False  # it was left out, as told, for all who were there
    if event.type == events.OFFER_MADE:
        return False  # short-lived, and pointless once it is answered
    if event.type in _OF_OFFERS and _precedes_greeting(town, socket, event):
        return False
    return _is_worded(town, socket, event)


def _precedes_greeting(town: Town, socket: Socket, event: Event) -> bool:
    """Tell whether an event was committed before the first frame that a socket heard."""
    fact = town.history.facts.get(identity_of(event))
    return fact is None or not socket.heard or fact.at_s < socket.heard[0].at_s


def _is_worded(town: Town, socket: Socket, event: Event) -> bool:
    """Tell whether the socket's contract has words for an event, and its client asked for it."""
    poison = town.poison
    if poison.contract == socket.contract and poison.event == identity_of(event):
        return False
    person = town.people[socket.person_id]
    listener = Subscriber(socket.id, person.id, socket.contract, socket.hears, person.role)
    return listener.subscribes_to(event.type) and bool(
        town.contracts[socket.contract].render_event(event, listener)
    )


def _missed(town: Town, socket: Socket, event: Event, told_s: float | None) -> str:
    fact = town.history.facts.get(identity_of(event))
    at_s = f"{fact.at_s:.3f}" if fact else "?"
    others = f"others were told at {told_s:.3f}" if told_s is not None else "nobody was told"
    until = "still open" if socket.open else f"until {socket.closed_s:.3f}"
    return (
        f"{socket.id} (admitted {socket.admitted_s:.3f}, {until}): {event.to} {event.seq} "
        f"{event.type}, committed {at_s}, {others}"
    )


def _all(town: Town) -> list[Socket]:
    return list(town.gateway.sockets.values())


def _tellings(socket: Socket) -> list[tuple[Heard, Event]]:
    """List the kept events that a socket heard, with repeats."""
    found = [(one, one.event) for one in socket.heard]
    return [(one, event) for one, event in found if event is not None and event.seq]


def _first_told(town: Town, selective: bool) -> dict[Place, float]:
    """Find when each event was first told to any socket that subscribes, or to any that does not,
    even if its client had just left."""
    first: dict[Place, float] = {}
    for socket in _all(town):
        if (socket.contract == "feed") is selective:
            for one in [*socket.heard, *socket.lost]:
                if one.event is not None and one.event.seq:
                    place = (one.event.to, one.event.seq)
                    first[place] = min(one.at_s, first.get(place, one.at_s))
    return first


def _mailboxes_of(town: Town, socket: Socket) -> list[str]:
    """List the mailboxes that a socket hears."""
    person = town.people[socket.person_id]
    owned = person.restaurant_ids if socket.contract in ("food", "socketio") else ()
    return [person.id, *map(name_restaurant_mailbox, owned)]


TELLING: tuple[Callable[[Town], Iterator[str]], ...] = (
    places_have_no_gaps,
    an_id_stands_for_one_event,
    first_tellings_come_in_order,
    nothing_is_told_again_and_again,
    who_is_well_is_not_kept_waiting,
    every_socket_is_told_everything,
)
