"""Positions of those who watch, for the frames that no tick has made: answers, and last words."""

from __future__ import annotations

from chalicelib.domain.messaging.positions import NOW
from chalicelib.services.ports import TickStore, WatcherStore


class WatcherPositions:
    """Finds where somebody who watches is."""

    def __init__(self, ticks: TickStore, watchers: WatcherStore) -> None:
        self._ticks = ticks
        self._watchers = watchers

    def find_position(self, connection_id: str) -> str:
        """Find a position from which on a connection misses nothing, whatever it has heard beyond:
        that of the last tick that all were told. Whoever was not shown all, or is to be shown it
        again, has nothing. Two reads; in this order, as who is shown all is told each tick since.
        """
        shown = self._watchers.find_shown(connection_id)
        state = self._ticks.get_state()
        if state is None:  # nobody has ever watched: the first tick is to come
            return NOW
        return state.make_position(state.last_told if shown else 0)
