"""What a client asks over its socket, in no contract's words."""

from __future__ import annotations

import msgspec

from chalicelib.domain.people import Fix


class Authenticate(msgspec.Struct, frozen=True):
    """Who this is, where a contract lets that be said after connecting."""

    token: str


class ReportFix(msgspec.Struct, frozen=True):
    """The courier is here now."""

    fix: Fix


Ask = Authenticate | ReportFix
