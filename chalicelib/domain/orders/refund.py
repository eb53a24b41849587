"""What is to be paid back of an order's payment, as the order carries it."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Refund(msgspec.Struct, frozen=True, omit_defaults=True):
    """An amount that is due to the customer, in minor units; `refunded_at` once the provider has
    said that it is paid back."""

    payment_id: str
    amount_minor: int
    due_at: datetime
    refunded_at: datetime | None = None
