"""Frames by the contract's name: what services say, in the words of each connection's contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from chalicelib.contracts.base import Contract, SocketMessage
from chalicelib.domain.events import Event
from chalicelib.domain.messaging.connections import Connection, Heartbeat, Subscriber
from chalicelib.domain.messaging.positions import NOW
from chalicelib.domain.orders.model import Order
from chalicelib.errors import WaybillError

RESUMED, GAP = "resumed", "gap"


FindPosition = Callable[[str], str]
"""Finds where a connection that watches is, by its id."""


class ContractRenderer:
    """Renders events and frames. `keepalive_every` is how often a contract without a heartbeat of
    its own gives a sign of life; zero is never."""

    def __init__(
        self,
        contracts: Mapping[str, Contract],
        keepalive_every: timedelta,
        find_position: FindPosition = lambda connection_id: NOW,
    ) -> None:
        self._contracts = contracts
        self._keepalive_every = keepalive_every
        self._find_position = find_position

    def render_event(
        self, listener: Subscriber, event: Event, positions: tuple[str, str] | None = None
    ) -> Sequence[str]:
        """Render an event for a listener, with the `positions` before and after it where its client
        holds them: only the last frame says that the event was heard, or a link that is cut amid
        its frames would lose the rest. A contract that is gone since is silent: its listeners' rows
        may outlive it by a deployment."""
        contract = self._contracts.get(listener.contract)
        frames = contract.render_event(event, listener) if contract else ()
        if contract is None or positions is None or not frames:
            return frames
        before, after = positions
        *first, last = frames
        amid = tuple(contract.add_position(frame, before) for frame in first)
        return (*amid, contract.add_position(last, after))

    def render_resumed(self, connection: Connection, start: str, end: str) -> str:
        """Render that a connection is told all that came after the position `start`; `end` is the
        end of its logs."""
        data = {"from": start, "to": end}
        return self._contracts[connection.contract].encode_event(RESUMED, data)

    def render_gap(self, connection: Connection, start: str, oldest: str) -> str:
        """Render that some of what came after the position `start` is kept no more: the connection
        is told what is, from `oldest` on."""
        data = {"from": start, "oldest": oldest}
        return self._contracts[connection.contract].encode_event(GAP, data)

    def render_first_frames(
        self, connection: Connection, offered: Sequence[Order]
    ) -> Sequence[str]:
        """Render what a new connection is told first; `offered` are open offers to its courier."""
        return self._contracts[connection.contract].render_first_frames(connection, offered)

    def render_last_frames(self, connection: Connection, error: WaybillError) -> Sequence[str]:
        """Render why a connection is closed."""
        frames = self._contracts[connection.contract].render_error(SocketMessage(), error)
        return self.add_watch_position(connection, frames)

    def add_watch_position(self, connection: Connection, frames: Sequence[str]) -> Sequence[str]:
        """Add to frames for somebody who watches where they are: each of theirs says so. Frames for
        others are as they were."""
        if connection.watch is None or not frames:
            return frames
        contract, position = (
            self._contracts[connection.contract],
            self._find_position(connection.id),
        )
        return tuple(contract.add_position(frame, position) for frame in frames)

    def list_rooms(self, connection: Connection) -> Sequence[str]:
        """List the rooms, beyond the person's own, in which a connection listens."""
        return self._contracts[connection.contract].list_rooms(connection)

    @property
    def client_timeouts(self) -> dict[str, timedelta]:
        """How long each contract's clients may be silent, by its name, where that is bounded."""
        timeouts = {name: each.client_timeout for name, each in self._contracts.items()}
        return {name: timeout for name, timeout in timeouts.items() if timeout is not None}

    def find_heartbeat(self, contract_name: str) -> Heartbeat | None:
        """Find a contract's own heartbeat; else the keepalive, where one is asked for."""
        contract = self._contracts[contract_name]
        if contract.heartbeat or not self._keepalive_every or not contract.keepalive_frame:
            return contract.heartbeat
        return Heartbeat(self._keepalive_every, contract.keepalive_frame)
