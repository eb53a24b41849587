"""What a client asks over its socket, in no contract's words."""

from __future__ import annotations

import msgspec

from chalicelib.domain.people import Fix


class ReportFix(msgspec.Struct, frozen=True):
    """The courier is here now."""

    fix: Fix


Ask = ReportFix
