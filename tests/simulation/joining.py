"""Whether Waybill and the sockets agree on who is there: the checks of rooms and of presence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chalicelib.domain.people import Role
from chalicelib.store.connections import ConnectionTable
from tests.simulation.gateway import FOR_EVER_S, Socket
from tests.simulation.town import Town


def who_was_let_in_is_in_every_room(town: Town) -> Iterator[str]:
    """A client that was told that it is in is known, and hears what is said in each of its rooms,
    as it asked for last. A courier among them counts as connected."""
    store, now = ConnectionTable(), town.scheduler.now
    for socket in _settled(town):
        connection = store.get_connection(socket.id, now)
        if connection is None:
            yield f"{socket.id} is unknown"
            continue
        for room in connection.rooms:
            there = [
                one for one in store.list_subscribers(room, now) if one.connection_id == socket.id
            ]
            if not there:
                yield f"{socket.id} is not in {room}"
            elif there[0].subscriptions != connection.subscriptions:
                heard = there[0].subscriptions
                yield f"{socket.id} hears {heard} in {room}, not {connection.subscriptions}"
        counts = connection.role is Role.COURIER and connection.subscriptions is None
        if counts and socket.id not in _sockets_of(town, socket.person_id):
            yield f"{socket.id} does not count as connected"


def nobody_counts_as_connected_who_is_gone(town: Town) -> Iterator[str]:
    """A courier who left is found out by and by. (Of rooms, which are left by whoever can't be
    posted to, this need not be so.)"""
    for row in town.dynamo.rows("couriers"):
        for id_ in _living(row, town):
            socket = town.gateway.sockets.get(id_)
            if socket is None or not socket.open:
                yield f"{row['courier_id']['S']} still counts as connected by {id_}"


def _settled(town: Town) -> list[Socket]:
    """The sockets that are there, let in and well."""
    return [
        socket
        for socket in town.gateway.sockets.values()
        if socket.open
        and socket.admitted_s is not None
        and not any(trouble.until_s == FOR_EVER_S for trouble in socket.troubles)
    ]


def _sockets_of(town: Town, courier_id: str) -> list[str]:
    rows = [r for r in town.dynamo.rows("couriers") if r["courier_id"]["S"] == courier_id]
    return [id_ for row in rows for id_ in _living(row, town)]


def _living(row: Mapping[str, Any], town: Town) -> list[str]:
    """The ids of the sockets in a courier's row that have not ended: a row holds `end@id`."""
    pairs = [one.partition("@") for one in row.get("sockets", {}).get("SS", ())]
    now_s = town.scheduler.now.timestamp()
    return [id_ for end_s, _, id_ in pairs if now_s < float(end_s)]


JOINING: tuple[Callable[[Town], Iterator[str]], ...] = (
    who_was_let_in_is_in_every_room,
    nobody_counts_as_connected_who_is_gone,
)
