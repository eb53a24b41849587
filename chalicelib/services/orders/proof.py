"""Proof at an order's stops: its PINs, the files of its courier, and an admin's word in its place.

What a step needs is judged with the step (domain/orders/proof_checks.py). Here it is gathered: a
PIN is compared, and the files that should be in the bucket are looked for, before the commit. The
order stays as it is for that. What the step is proven by is copied, before the commit, to where no
form reaches. Who dies after that leaves a copy that nothing names, and the bucket's rule deletes
it; the courier's next try finds the same upload and makes the same copy.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.history import note_override
from chalicelib.domain.orders.model import WITH_COURIER, Order, Status
from chalicelib.domain.orders.options import OrderOptions
from chalicelib.domain.orders.permissions import can_see
from chalicelib.domain.orders.proof import (
    FILE_KINDS,
    NOTHING_PROVEN,
    Evidence,
    OrderProof,
    ProofFile,
    ProofKind,
    ProofOverride,
    Stop,
    UploadForm,
    is_acceptable,
    make_kept_key,
    make_pin,
    make_pin_secret,
    make_upload_key,
)
from chalicelib.domain.orders.proof_checks import (
    check_asked,
    find_stop,
    is_left_with_photo,
    list_missing,
    list_needed,
    override_proof,
)
from chalicelib.domain.people import Actor, Role
from chalicelib.errors import Conflict, InvalidInput, NotFound, ProofConfirmed
from chalicelib.services.dispatch.order_commits import OrderWriter
from chalicelib.services.ports import Clock, OrderStore, ProofBucket

UPLOAD_WITHIN = timedelta(minutes=5)
READ_WITHIN = timedelta(minutes=10)


def _make_salt() -> str:
    return secrets.token_hex(16)


class ProofService:
    """Gathers and shows proof. Without a `secret` no order can ask for a PIN, without a `bucket`
    none for a file."""

    def __init__(
        self,
        orders: OrderStore,
        writer: OrderWriter,
        bucket: ProofBucket | None,
        secret: str,
        clock: Clock,
        make_salt: Callable[[], str] = _make_salt,
    ) -> None:
        self._orders = orders
        self._writer = writer
        self._bucket = bucket
        self._secret = make_pin_secret(secret) if secret else None
        self._clock = clock
        self._make_salt = make_salt

    def start_proof(self, options: OrderOptions) -> OrderProof:
        """Make the proof of a new order. Raises InvalidInput for a kind that this deployment can't
        take."""
        kinds = options.proof.list_kinds()
        if kinds & FILE_KINDS and self._bucket is None:
            raise InvalidInput(
                "This deployment keeps no photos and signatures (PROOF_BUCKET is not set).",
                field="proof",
            )
        if ProofKind.PIN not in kinds:
            return NOTHING_PROVEN
        if self._secret is None:
            raise InvalidInput(
                "This deployment makes no PINs: it has neither JWT_SECRET nor "
                "PAYMENT_WEBHOOK_SECRET, of 32 characters.",
                field="proof",
            )
        return OrderProof(salt=self._make_salt())

    def show_pins(self, actor: Actor, order: Order) -> dict[Stop, str]:
        """Return the PINs that are an actor's to know, of stops where one is still to be said.

        The drop-off's is its customer's; the pickup's its merchant's or, where there is none, its
        customer's. Nobody sees one as a courier or an admin.
        """
        if not order.proof.salt:  # no stop wants one
            return {}
        return {
            stop: self._make_pin(order, stop)
            for stop in Stop
            if ProofKind.PIN in list_missing(order, stop) and _is_pins_recipient(actor, order, stop)
        }

    def show_recipients_pin(self, order: Order) -> str | None:
        """Return the PIN that is still to be said at the drop-off, for whoever has a tracking link
        of the order; None where none is."""
        is_due = order.proof.salt and ProofKind.PIN in list_missing(order, Stop.DROPOFF)
        return self._make_pin(order, Stop.DROPOFF) if is_due and self._secret else None

    def add_evidence(self, order: Order, courier_id: str, command: Command) -> Command:
        """Add to a step at a stop what proves it: whether its PIN is right, and the files that are
        in the bucket now. Raises Unavailable where the bucket does not answer."""
        stop = find_stop(command)
        missing = list_needed(order, command)
        if stop is None or not missing:
            return command
        if isinstance(command, commands.LeaveBehind):
            found = self._find_files(order, stop, missing, courier_id)
            return replace(command, evidence=Evidence(None, found))
        assert isinstance(command, commands.PickUp | commands.Deliver), "find_stop has found one"
        is_right = None
        if ProofKind.PIN in missing and command.pin is not None:
            # In constant time: how long it takes tells nothing of the PIN.
            pin = self._make_pin(order, stop)
            is_right = hmac.compare_digest(pin.encode(), command.pin.encode())
        files: tuple[ProofFile, ...] = ()
        if is_right is not False:  # a wrong PIN ends the step: what else there is makes no odds
            files = self._find_files(order, stop, missing, courier_id)
        return replace(command, evidence=Evidence(is_right, files))

    def keep_files(self, before: Order, after: Order, courier_id: str) -> None:
        """Keep the files that a step was proven by. Raises Stale where one was uploaded anew since
        it was looked at: then the step is to be judged again. Raises Unavailable."""
        for stop in Stop:
            known = before.proof.get_stop(stop).files
            for file in after.proof.get_stop(stop).files:
                if file not in known:
                    key = _make_upload_key(after, stop, file.kind, courier_id)
                    self._get_bucket().keep_file(key, file.etag, file.key)

    def make_upload(
        self, actor: Actor, order_id: int, stop: Stop, kind: ProofKind, content_type: str
    ) -> UploadForm:
        """Make the form by which its courier uploads one file of an order, for five minutes.

        Raises NotFound for everybody else; Conflict where the order is not at hand or asks for no
        such file, ProofConfirmed where there is one.
        """
        order = self._orders.get_order(order_id)
        if actor.role is not Role.COURIER or actor.id != order.courier_id:
            raise NotFound("There is no such order.")
        if order.status not in WITH_COURIER and order.status is not Status.READY:
            raise Conflict("You do not have this order at hand.")
        if not (stop is Stop.DROPOFF and kind is ProofKind.PHOTO and is_left_with_photo(order)):
            check_asked(order, stop, kind)
        if order.proof.get_stop(stop).has_kind(kind):
            raise ProofConfirmed(f"The {kind.value} of this stop is there already.")
        key = _make_upload_key(order, stop, kind, actor.id)
        return self._get_bucket().make_upload_form(key, content_type, UPLOAD_WITHIN)

    def get_order(self, actor: Actor, order_id: int) -> Order:
        """Read an order for somebody who takes part in it. Raises NotFound for everybody else."""
        order = self._orders.get_order(order_id)
        if not can_see(order, actor):
            raise NotFound("There is no such order.")
        return order

    def make_reading_url(self, file: ProofFile) -> str:
        """Make a URL by which a confirmed file is read, as it was confirmed, for ten minutes."""
        return self._get_bucket().make_reading_url(file.key, READ_WITHIN)

    def override_proof(
        self, actor: Actor, order_id: int, stop: Stop, kind: ProofKind, reason: str
    ) -> Order:
        """Let one kind of proof go, as an admin. Again it changes nothing. Raises NotFound,
        Conflict."""

        def change(stored: Order) -> Order:
            now = self._clock()
            override = ProofOverride(kind, reason, actor.id, now)
            order = override_proof(stored, stop, override)
            if order is stored:
                return stored
            order = note_override(order, actor, stop, override, now)
            return self._writer.commit_order(stored, order, ())

        return self._writer.retry_change(order_id, change)

    def _make_pin(self, order: Order, stop: Stop) -> str:
        if self._secret is None:
            raise Conflict("This deployment has lost the secret of its PINs.")
        said = order.proof.get_stop(stop).pins_said
        return make_pin(self._secret, order.id, stop, order.proof.salt, said)

    def _find_files(
        self, order: Order, stop: Stop, missing: tuple[ProofKind, ...], courier_id: str
    ) -> tuple[ProofFile, ...]:
        found = []
        for kind in missing:
            if kind not in FILE_KINDS:
                continue
            key = _make_upload_key(order, stop, kind, courier_id)
            file = self._get_bucket().find_file(key)
            if file is not None and is_acceptable(file):
                kept_key = make_kept_key(key, file.etag)
                more = file.size_bytes, file.content_type, file.uploaded_at
                found.append(ProofFile(kind, kept_key, file.etag, *more))
        return tuple(found)

    def _get_bucket(self) -> ProofBucket:
        if self._bucket is None:
            raise Conflict("This deployment no longer keeps files (PROOF_BUCKET is not set).")
        return self._bucket


def _make_upload_key(order: Order, stop: Stop, kind: ProofKind, courier_id: str) -> str:
    return make_upload_key(order.id, stop, kind, courier_id, order.proof.couriers_lost)


def _is_pins_recipient(actor: Actor, order: Order, stop: Stop) -> bool:
    """Say whether an actor is the recipient whose PIN a stop has."""
    if stop is Stop.PICKUP and order.details.merchant_id is not None:
        return actor.role is Role.MERCHANT and order.details.merchant_id in actor.restaurant_ids
    return actor.role is Role.CUSTOMER and actor.id == order.details.customer_id
