"""Whether the other side is still there, by timestamps: a timer that comes late decides nothing."""

from __future__ import annotations

from typing import Literal


class Liveness:
    """One connection's: when the last sign of life was asked for, and whether any came since.

    All times are seconds of the same clock.
    """

    def __init__(self, heartbeat_s: float, timeout_s: float, now: float) -> None:
        self._heartbeat_s = heartbeat_s
        self._timeout_s = timeout_s
        self.ask(now)

    def ask(self, now: float) -> None:
        """Note that the other side has to show itself."""
        self._asked_at = now
        self._is_asked = True

    def hear(self) -> None:
        """Note that it has."""
        self._is_asked = False

    @property
    def is_asked(self) -> bool:
        """Whether an answer is still to come."""
        return self._is_asked

    def look(self, now: float) -> Literal["dead", "due", "fine"]:
        """Say what the time is for: to give the connection up, or to ask for a sign of life."""
        passed = abs(now - self._asked_at)  # clocks are set back, too
        if self._is_asked:
            return "dead" if passed >= self._timeout_s else "fine"
        return "due" if passed >= self._heartbeat_s else "fine"
