"""Every error that the application raises on purpose, and the HTTP status of those with one.

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
│   │   └── HandRefused          invalid_transition 409   a dispatcher's: carries hands, too
│   ├── OfferGone                offer_gone         409   the offer lapsed or moved on
│   ├── CourierBusy              courier_busy       409   the courier holds another order
│   ├── BalanceTooLow            balance_too_low    409   more than there is in the wallet
│   ├── CourierPaused            courier_paused     409   a dispatcher has paused the courier
│   ├── NotOnline                not_online         409   the courier is off duty
│   ├── NoTariff                 no_tariff          409   no rides for what the driver drives
│   ├── TooEarly                 too_early          409   carries no_show_at: still to wait
│   ├── NotAtPickup              not_at_pickup      409   no fresh fix near the pickup
│   ├── AlreadyRated             already_rated      409
│   ├── AlreadyReattempted       already_reattempted 409  carries the id of the order that does
│   ├── ExternalIdTaken          external_id_taken  409   another order has the number
│   ├── QuoteExpired             quote_expired      409   the price is promised no longer
│   ├── QuoteMismatch            quote_mismatch     409   the price is another request's
│   ├── ProofRequired            proof_required     409   carries stop, missing
│   ├── WrongPin                 wrong_pin          409   carries stop, tries_left
│   ├── TooManyEndpoints         too_many_endpoints 409   as many webhook endpoints as one may have
│   ├── EndpointDisabled         endpoint_disabled  409   a webhook endpoint that is not sent to
│   ├── ProofLocked              proof_locked       409   too many wrong PINs: an admin's to undo
│   └── ProofConfirmed           proof_confirmed    409   what was confirmed is never replaced
├── PreconditionFailed           precondition_failed   412 it changed since it was read
├── PreconditionRequired         precondition_required 428 say which version is to be changed
├── KeyReused                    idempotency_key_reused 422 the key is another request's
├── RateLimited                  rate_limited       429   carries retry_after_s
└── Unavailable                  unavailable        503   not now: nothing was written; try again
    └── Unanswered               unavailable        503   a write without an answer: maybe done

The store raises some of its own, which services turn into a retry or one of the above: Stale (the
row changed since it was read), its subclass CourierContended (a courier's row could not be written
now), CourierTaken (a claim lost its race) and TooManySockets. AlreadyBooked, of wallets, and
KeyTaken are Stale, too.
The gateway raises three: Gone, PostFailed, FrameTooLarge. A wakeup raises Unfinished and a sweep
Overdue, for the alarms to hear of it.
Errors are raised where the rule lives and worded at the edges.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any


class WaybillError(Exception):
    """An answer that is not a success. `message` and `details` are for the client to see."""

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


class NotKept(WaybillError):
    """What is asked for was there, and is kept no more."""

    code = "gone"
    http_status = 410


class Conflict(WaybillError):
    code = "conflict"
    http_status = 409


class InvalidTransition(Conflict):
    """A step that is not possible in an order's status; `allowed` are the steps that are."""

    code = "invalid_transition"

    def __init__(self, status: str, step: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"An order that is {status} can't be changed by {step}.")
        self.status = status
        self.step = step
        self.allowed = allowed


class HandRefused(InvalidTransition):
    """A hand that does not reach an order; `hands` are those that do."""

    def __init__(
        self, status: str, step: str, allowed: tuple[str, ...], hands: tuple[str, ...]
    ) -> None:
        super().__init__(status, step, allowed)
        self.hands = hands


class OfferGone(Conflict):
    code = "offer_gone"


class CourierBusy(Conflict):
    code = "courier_busy"


class CourierPaused(Conflict):
    code = "courier_paused"


class BalanceTooLow(Conflict):
    code = "balance_too_low"


class NotOnline(Conflict):
    code = "not_online"


class NoTariff(Conflict):
    code = "no_tariff"


class NotAtPickup(Conflict):
    code = "not_at_pickup"


class TooEarly(Conflict):
    """A no-show before its courier has waited long enough: until `no_show_at`."""

    code = "too_early"

    def __init__(self, no_show_at: datetime) -> None:
        super().__init__("There is still time for somebody to come.")
        self.no_show_at = no_show_at


class AlreadyRated(Conflict):
    code = "already_rated"


class AlreadyReattempted(Conflict):
    code = "already_reattempted"


class ExternalIdTaken(Conflict):
    code = "external_id_taken"


class QuoteExpired(Conflict):
    code = "quote_expired"


class QuoteMismatch(Conflict):
    """A quote of another request: `field` in the details is what differs first."""

    code = "quote_mismatch"


class ProofRequired(Conflict):
    code = "proof_required"


class WrongPin(Conflict):
    """A wrong PIN, which whoever catches this has to count (domain/orders/proof_checks.py)."""

    code = "wrong_pin"


class ProofLocked(Conflict):
    code = "proof_locked"


class ProofConfirmed(Conflict):
    code = "proof_confirmed"


class TooManyEndpoints(Conflict):
    code = "too_many_endpoints"


class EndpointDisabled(Conflict):
    code = "endpoint_disabled"


class KeyReused(WaybillError):
    code = "idempotency_key_reused"
    http_status = 422


class PreconditionFailed(WaybillError):
    code = "precondition_failed"
    http_status = 412


class PreconditionRequired(WaybillError):
    code = "precondition_required"
    http_status = 428


class RateLimited(WaybillError):
    code = "rate_limited"
    http_status = 429


class Unavailable(WaybillError):
    code = "unavailable"
    http_status = 503


class Unanswered(Unavailable):
    """A write that the database did not answer, however often the SDK sent it. `written` in the
    details tells the client that it may be done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, written="unknown")


class Stale(Exception):
    """A row changed since it was read, and nothing was written: read again and decide again."""


class CourierContended(Stale):
    """Another write held the row of a courier at the moment of a claim: nothing was written, and
    nobody knows whether the courier is free. Of a wave it may be several."""

    def __init__(self, *courier_ids: str) -> None:
        super().__init__(*courier_ids)
        self.courier_ids = courier_ids


class CourierTaken(Exception):
    """A claim on a courier, or on some of a wave's, lost its race: nothing was written, and others
    may be asked."""

    def __init__(self, *courier_ids: str) -> None:
        super().__init__(*courier_ids)
        self.courier_ids = courier_ids


class KeyTaken(Stale):
    """Another request used the key meanwhile, and nothing was written: look what it is for."""


class AlreadyBooked(Stale):
    """A wallet has a booking of this key. It is Stale, as whoever looks again finds the booking."""


class TooManySockets(Exception):
    """A socket that would be one too many for its mailbox."""


class Gone(Exception):
    """A connection that is no longer there (410)."""


class PostFailed(Exception):
    """A frame that could not be posted now (429 or 5xx, after retries)."""


class FrameTooLarge(Exception):
    """A frame that can never be posted (413): over 128 KB."""


class Unfinished(Exception):
    """A wakeup that has sent itself on too often: it fails from now on, so that the queue counts
    its receives and the alarm on the dead letters rings."""


class Overdue(Exception):
    """A sweep that failed, or that finds something still due long after it was put on the queue:
    the sweep's alarm rings."""
