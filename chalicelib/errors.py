"""Everything that can be said no to.

WaybillError                     code               http_status
├── InvalidInput                 invalid_input      400   the request itself is wrong
│   └── PayloadTooLarge          payload_too_large  413   more than anything here takes
├── Unauthenticated              unauthenticated    401   no token, or a bad one
├── Forbidden                    forbidden          403   a good token, but not for this
│   ├── CourierIdMismatch        courier_id_mismatch 403  the body names another courier
│   └── UseRest                  use_rest           403   not over this socket, by its settings
├── NotFound                     not_found          404
├── Conflict                     conflict           409   true a moment ago, no longer
│   ├── InvalidTransition        invalid_transition 409   carries status, step, allowed
│   ├── OfferGone                offer_gone         409   the offer lapsed or moved on
│   ├── CourierBusy              courier_busy       409   the courier holds another order
│   ├── BalanceTooLow            balance_too_low    409   more than there is in the wallet
│   ├── NotOnline                not_online         409   the courier is off duty
│   ├── NoTariff                 no_tariff          409   no rides for what the driver drives
│   ├── NotAtPickup              not_at_pickup      409   no fresh fix near the pickup
│   └── AlreadyRated             already_rated      409
├── RateLimited                  rate_limited       429   carries retry_after_s
└── Unavailable                  unavailable        503   not now: nothing was written; try again
    └── Unanswered               unavailable        503   a write without an answer: maybe done

The store raises four of its own, which services turn into a retry or one of the above: Stale (the
row changed since it was read), its subclass CourierContended (a courier's row could not be written
now), CourierTaken (a claim lost its race) and TooManySockets. Wallets raise AlreadyBooked, which is
Stale, too.
The gateway raises three: Gone, PostFailed, FrameTooLarge. A wakeup raises Unfinished and a sweep
Overdue, for the alarms to hear of it.
Errors are raised where the rule lives and worded at the edges.
"""

from __future__ import annotations

from typing import Any


class WaybillError(Exception):
    """An answer that is not a success. `details` may be shown to the client."""

    code = "error"
    http_status = 500

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InvalidInput(WaybillError):
    code = "invalid_input"
    http_status = 400


class PayloadTooLarge(InvalidInput):
    code = "payload_too_large"
    http_status = 413


class Unauthenticated(WaybillError):
    code = "unauthenticated"
    http_status = 401


class Forbidden(WaybillError):
    code = "forbidden"
    http_status = 403


class CourierIdMismatch(Forbidden):
    code = "courier_id_mismatch"


class UseRest(Forbidden):
    code = "use_rest"


class NotFound(WaybillError):
    code = "not_found"
    http_status = 404


class Conflict(WaybillError):
    code = "conflict"
    http_status = 409


class InvalidTransition(Conflict):
    """`step` is not possible in `status`; `allowed` are the steps that are."""

    code = "invalid_transition"

    def __init__(self, status: str, step: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"An order that is {status} can't be changed by {step}.")
        self.status = status
        self.step = step
        self.allowed = allowed


class OfferGone(Conflict):
    code = "offer_gone"


class CourierBusy(Conflict):
    code = "courier_busy"


class BalanceTooLow(Conflict):
    code = "balance_too_low"


class NotOnline(Conflict):
    code = "not_online"


class NoTariff(Conflict):
    code = "no_tariff"


class NotAtPickup(Conflict):
    code = "not_at_pickup"


class AlreadyRated(Conflict):
    code = "already_rated"


class RateLimited(WaybillError):
    code = "rate_limited"
    http_status = 429


class Unavailable(WaybillError):
    code = "unavailable"
    http_status = 503


class Unanswered(Unavailable):
    """A write that the database did not answer, however often it was asked. `written` says so in
    the answer's details."""

    def __init__(self, message: str) -> None:
        super().__init__(message, written="unknown")


class Stale(Exception):
    """The row changed since it was read: read again and decide again."""


class CourierContended(Stale):
    """Another write held the row of `courier_id` at the moment of a claim; nothing was written, and
    whether the courier is free nobody knows."""

    def __init__(self, courier_id: str) -> None:
        super().__init__(courier_id)
        self.courier_id = courier_id


class CourierTaken(Exception):
    """A claim on `courier_id` lost its race; nothing was written."""

    def __init__(self, courier_id: str) -> None:
        super().__init__(courier_id)
        self.courier_id = courier_id


class AlreadyBooked(Stale):
    """A wallet has an entry of this key: whoever looks again finds it."""


class TooManySockets(Exception):
    """One more would be too many for one mailbox."""


class Gone(Exception):
    """A connection that is no longer there (410)."""


class PostFailed(Exception):
    """A frame that could not be posted now (429 or 5xx, after retries)."""


class FrameTooLarge(Exception):
    """A frame that can never be posted (413): over 128 KB."""


class Unfinished(Exception):
    """A wakeup that has been sent on too often: from now on the queue counts how often it fails."""


class Overdue(Exception):
    """A sweep that failed, or that finds something still due long after it was handed on."""
