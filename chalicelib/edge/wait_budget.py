"""How long a message may wait for another one that it has overtaken.

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
# A client that sends at once on opening is done by then: later, nothing can have been overtaken.
_MAX_AGE_FOR_IDENTITY = timedelta(seconds=8)
_LET_PASS_S = 0.03

_IDENTITY_WAITS = RateLimit(8, timedelta(minutes=1))  # what a client sends at once, on opening
_DUTY_WAITS = RateLimit(2, timedelta(minutes=1))  # a phone off duty may send positions all day long
_JOINING_WAITS = RateLimit(2, timedelta(minutes=1))


class WaitBudget:
    """The pauses that one message has left. Each connection's waits are counted in `allowances`."""

    def __init__(
        self,
        allowances: AllowanceStore,
        sleep: Callable[[float], object],
        clock: Callable[[], datetime],
    ) -> None:
        self._allowances = allowances
        self._sleep = sleep
        self._clock = clock
        self._pauses_left_s = list(PAUSES_S)
        self._allowed: dict[str, bool] = {}

    def wait_for_identity(self, connection: Connection) -> bool:
        """Pause, for a young connection to be authenticated by another message meanwhile.

        Return False, without a pause, where the connection is too old, or a budget is spent.
        """
        if self._clock() - connection.connected_at > _MAX_AGE_FOR_IDENTITY:
            return False
        return self._pause_if_allowed(f"stranger#{connection.id}", _IDENTITY_WAITS)

    def wait_for_duty(self, connection: Connection) -> bool:
        """Pause, for a courier to go on duty by another message meanwhile.

        Return False, without a pause, where a budget is spent.
        """
        return self._pause_if_allowed(f"off_duty#{connection.id}", _DUTY_WAITS)

    def wait_for_joining(self, connection: Connection) -> bool:
        """Pause, for a connection that was told it is admitted to join its rooms meanwhile.

        Return False, without a pause, where a budget is spent.
        """
        return self._pause_if_allowed(f"joining#{connection.id}", _JOINING_WAITS)

    def let_answer_pass(self) -> None:
        """Pause, for the answer to the other message to be posted first. Likely, not certain."""
        self._sleep(_LET_PASS_S)

    def _pause_if_allowed(self, key: str, limit: RateLimit) -> bool:
        """Pause once more; return False where this message, or its connection, has waited enough.

        A message counts once against its connection's limit, however often it pauses.
        """
        if key not in self._allowed:
            self._allowed[key] = self._allowances.try_use(key, limit, self._clock())
        if not self._pauses_left_s or not self._allowed[key]:
            return False
        self._sleep(self._pauses_left_s.pop(0))
        return True
