"""Messages that overtake the one they rely on.

API Gateway promises no order: of two messages that a client sends without waiting in between, each
is an invocation of its own, and the second may be done with before the first has begun. So a
message that comes too early waits a moment for the other one. Waiting costs the time of a Lambda
function: it is bounded for each message, and each connection may do it a few times only.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.rate_limits import Limit
from chalicelib.services.ports import AllowanceStore

PAUSES_S = (0.02, 0.03, 0.05, 0.1, 0.15, 0.25, 0.3, 0.35, 0.35, 0.4)  # 2 s in all
YOUNG = timedelta(seconds=8)  # who has said nothing for longer than that is in no hurry
_AFTER_YOU_S = 0.03

_STRANGERS = Limit(8, timedelta(minutes=1))  # what a client sends at once, on opening
_OFF_DUTY = Limit(2, timedelta(minutes=1))  # a phone off duty may send positions all day long


class Patience:
    """How long one message may still wait."""

    def __init__(
        self,
        allowances: AllowanceStore,
        sleep: Callable[[float], object],
        clock: Callable[[], datetime],
    ) -> None:
        self._allowances = allowances
        self._sleep = sleep
        self._clock = clock
        self._left = list(PAUSES_S)
        self._allowed: dict[str, bool] = {}

    def wait_for_identity(self, connection: Connection) -> bool:
        """Pause, for somebody to have said on a young connection who they are. False at once where
        that is not worth it, or not any more."""
        if self._clock() - connection.connected_at > YOUNG:
            return False
        return self._pause(f"stranger#{connection.id}", _STRANGERS)

    def wait_for_duty(self, connection: Connection) -> bool:
        """Pause, for a courier to have gone on duty. False as above."""
        return self._pause(f"off_duty#{connection.id}", _OFF_DUTY)

    def let_pass(self) -> None:
        """Let the answer to the message that was waited for go first, as it mostly will."""
        self._sleep(_AFTER_YOU_S)

    def _pause(self, name: str, limit: Limit) -> bool:
        if name not in self._allowed:
            self._allowed[name] = self._allowances.take(name, limit, self._clock())
        if not self._left or not self._allowed[name]:
            return False
        self._sleep(self._left.pop(0))
        return True
