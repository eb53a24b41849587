"""When an event is tried again at an endpoint: later each time, over some three days."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

# Between one attempt and the next (Standard Webhooks, and Svix's). The first is made at once.
PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MAX_ATTEMPTS = len(PAUSES) + 1
JITTER = 0.2  # a receiver that comes up again must not get all that it missed in one second
LONGEST_RETRY_AFTER = timedelta(hours=24)
THROTTLING = frozenset({429, 503})  # statuses whose Retry-After is heeded
GONE = 410
DISABLED_AFTER = timedelta(days=5)  # of nothing but failures

_SECONDS = re.compile(r"[0-9]+", re.ASCII)
_MAX_DIGITS = 9  # more than LONGEST_RETRY_AFTER, and few enough for a timedelta


def compute_pause(
    attempts: int, retry_after: timedelta | None, dice: Callable[[], float]
) -> timedelta | None:
    """Compute the pause after so many attempts, None where there are no more. A receiver may ask
    for a longer one, of up to a day. `dice` gives a number from 0 to 1."""
    if attempts >= MAX_ATTEMPTS:
        return None
    step = PAUSES[attempts - 1] * (1 + JITTER * (2 * dice() - 1))
    return max(step, min(retry_after or step, LONGEST_RETRY_AFTER))


def parse_retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Read a Retry-After header: seconds, or a date of HTTP. None for anything else, and for what
    has passed."""
    if not text:
        return None
    if _SECONDS.fullmatch(text.strip()):
        digits = text.strip().lstrip("0") or "0"
        is_readable = len(digits) <= _MAX_DIGITS
        return timedelta(seconds=int(digits)) if is_readable else LONGEST_RETRY_AFTER
    try:
        at = parsedate_to_datetime(text)
        # A date without a zone is in GMT, as all of HTTP's are.
        pause = (at if at.tzinfo else at.replace(tzinfo=timezone.utc)) - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return pause if pause > timedelta(0) else None
