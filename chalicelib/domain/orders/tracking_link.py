"""One tracking link, as its order carries it."""

from __future__ import annotations

from datetime import datetime

import msgspec


class TrackingLink(msgspec.Struct, frozen=True, array_like=True):
    """One link by which whoever has it sees the order. `hash` is its token's, in hex: the token
    itself is kept nowhere."""

    hash: str
    made_at: datetime
