"""What may be said of an order of any flow when it is placed, by who wants it said."""

from __future__ import annotations

import msgspec

from chalicelib.domain.orders.proof import NO_PROOF, ProofRules
from chalicelib.domain.orders.windows import NO_WINDOWS, Windows


class OrderOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer adds to an order. It stays with the order: events carry none of it.

    `external_id` is the customer's or merchant's own number of the order; `metadata` is kept and
    given back, never interpreted. `windows` say when it is to be picked up and dropped off;
    `proof` is what its courier has to give at each stop.
    """

    external_id: str | None = None
    metadata: dict[str, str] = {}
    windows: Windows = NO_WINDOWS
    proof: ProofRules = NO_PROOF


NO_OPTIONS = OrderOptions()
