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
from chalicelib.domain.rate_limits import RateLimit
from chalicelib.services.ports import AllowanceStore

PAUSES_S = (0.02, 0.03, 0.05, 0.1, 0.15, 0.25, 0.3, 0.35, 0.35, 0.4)  # 2 s in all
YOUNG_FOR = timedelta(seconds=8)  # who has said nothing for longer than that is in no hurry
_LET_PASS_S = 0.03

_IDENTITY_WAITS = RateLimit(8, timedelta(minutes=1))  # what a client sends at once, on opening
_DUTY_WAITS = RateLimit(2, timedelta(minutes=1))  # a phone off duty may send positions all day long


class WaitBudget:
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
        if self._clock() - connection.connected_at > YOUNG_FOR:
            return False
        return self._pause_if_allowed(f"stranger#{connection.id}", _IDENTITY_WAITS)

    def wait_for_duty(self, connection: Connection) -> bool:
        """Pause, for a courier to have gone on duty. False as above."""
        return self._pause_if_allowed(f"off_duty#{connection.id}", _DUTY_WAITS)

    def let_answer_pass(self) -> None:
        """Let the answer to the message that was waited for go first, as it mostly will."""
        self._sleep(_LET_PASS_S)

    def _pause_if_allowed(self, name: str, limit: RateLimit) -> bool:
        if name not in self._allowed:
            self._allowed[name] = self._allowances.try_use(name, limit, self._clock())
        if not self._left or not self._allowed[name]:
            return False
        self._sleep(self._left.pop(0))
        return True
