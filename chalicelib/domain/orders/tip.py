"""One tip, as its order carries it."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Tip(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One tip, in minor units. `token` is drawn by the request that gives it: a request whose write
    got no answer knows its own by it. `key` names its Idempotency-Key, if it had one. `given_at` is
    not there in tips of versions that did not note it."""

    amount_minor: int
    token: str
    key: str | None = None
    given_at: datetime | None = None
