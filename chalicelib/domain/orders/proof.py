"""Proof that an order was picked up, or handed over: what is asked for, given, and known of it.

What is asked for is said when the order is placed (`ProofRules`, in the order's options). How far
it has been given is the order's own state (`OrderProof`). What a courier brings to a step is its
`Evidence`, which the service gathers; domain/orders/proof_checks.py judges it.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from enum import Enum

import msgspec

from chalicelib.domain.orders.reasons import ALLOWED_REASONS
from chalicelib.domain.people import Role

PIN_DIGITS = 6
MAX_PIN_TRIES = 5
# What an admin may say of an override: any reason of anybody's, and an admin's own.
OVERRIDE_REASONS = ALLOWED_REASONS[Role.ADMIN]


class Stop(str, Enum):
    """One of the two ends of an order's way."""

    PICKUP = "pickup"
    DROPOFF = "dropoff"


class ProofKind(str, Enum):
    """What can prove that a courier was at a stop."""

    PIN = "pin"  # told to the recipient alone, who tells it to the courier
    PHOTO = "photo"
    SIGNATURE = "signature"


FILE_KINDS = frozenset({ProofKind.PHOTO, ProofKind.SIGNATURE})
CONTENT_TYPES = ("image/jpeg", "image/png", "image/webp")
# What the keys of all files begin with: the bucket's rules, and its rights, go by that.
UPLOADS, KEPT = "uploads", "kept"
MAX_FILE_BYTES = 5 * 1024 * 1024


class ProofRules(msgspec.Struct, frozen=True, omit_defaults=True):
    """The kinds of proof that are asked for at each stop; nothing where none is."""

    pickup: tuple[ProofKind, ...] = ()
    dropoff: tuple[ProofKind, ...] = ()

    def get_kinds(self, stop: Stop) -> tuple[ProofKind, ...]:
        """Return the kinds that are asked for at one stop."""
        return self.pickup if stop is Stop.PICKUP else self.dropoff

    def list_kinds(self) -> frozenset[ProofKind]:
        """Return all kinds that are asked for at all."""
        return frozenset((*self.pickup, *self.dropoff))


NO_PROOF = ProofRules()


class ProofFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """One confirmed file: what the bucket had at the step. It is kept under a key of its own, to
    which nobody can post, whatever is uploaded later."""

    kind: ProofKind
    key: str
    etag: str
    size_bytes: int
    content_type: str
    uploaded_at: datetime


class ProofOverride(msgspec.Struct, frozen=True):
    """An admin's word in the place of one kind of proof."""

    kind: ProofKind
    reason: str
    by: str
    at: datetime


class StopProof(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of the proof at one stop. `pin_at` is when its PIN was right, `proven_at` when
    the step was taken that needed it all. `pins_said` counts the PINs that were said to couriers
    who have the order no longer: each was the last of its kind."""

    pins_said: int = 0
    wrong_pins: int = 0
    pin_at: datetime | None = None
    files: tuple[ProofFile, ...] = ()
    overrides: tuple[ProofOverride, ...] = ()
    proven_at: datetime | None = None

    @property
    def tries_left(self) -> int:
        """The wrong PINs that may yet be said."""
        return max(0, MAX_PIN_TRIES - self.wrong_pins)

    def has_override(self, kind: ProofKind) -> bool:
        """Say whether an admin has let one kind go."""
        return any(one.kind is kind for one in self.overrides)

    def has_kind(self, kind: ProofKind) -> bool:
        """Say whether one kind needs no more: it was given, or an admin has let it go."""
        if kind is ProofKind.PIN and self.pin_at is not None:
            return True
        return any(file.kind is kind for file in self.files) or self.has_override(kind)


class FoundFile(msgspec.Struct, frozen=True):
    """A file as the bucket has it."""

    etag: str
    size_bytes: int
    content_type: str
    uploaded_at: datetime


class UploadForm(msgspec.Struct, frozen=True):
    """Where and with which fields a file may be posted, once or more, for some minutes."""

    url: str
    fields: dict[str, str]


class OrderProof(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of an order's proof. `salt` is what its PINs are made of, beside a secret that
    is in no table: who reads the row can't tell them. `couriers_lost` counts those who had the
    order and have it no longer (losing_couriers.py): what they have uploaded is not looked for."""

    salt: str = ""
    couriers_lost: int = 0
    pickup: StopProof = StopProof()
    dropoff: StopProof = StopProof()

    def get_stop(self, stop: Stop) -> StopProof:
        """Return what is known of one stop."""
        return self.pickup if stop is Stop.PICKUP else self.dropoff

    def replace_stop(self, stop: Stop, proof: StopProof) -> OrderProof:
        """Return the same with another state of one stop."""
        return msgspec.structs.replace(self, **{stop.value: proof})


NOTHING_PROVEN = OrderProof()


class Evidence(msgspec.Struct, frozen=True):
    """What a courier brings to a step: whether the PIN that they said is right (None: they said
    none), and the files that are in the bucket now."""

    is_pin_right: bool | None = None
    files: tuple[ProofFile, ...] = ()


NO_EVIDENCE = Evidence()


def make_pin(secret: bytes, order_id: int, stop: Stop, salt: str, pins_said: int = 0) -> str:
    """Make the PIN of one stop of an order. The same of the same: it is kept nowhere, and still can
    be shown again. Who lacks the secret or the salt learns nothing of it. After each of `pins_said`
    it is another."""
    again = f":{pins_said}" if pins_said else ""
    text = f"pin:{order_id}:{stop.value}:{salt}{again}".encode()
    digest = hmac.new(secret, text, hashlib.sha256).digest()
    # Of 64 bits, 10^6 divides all but a millionth of a millionth: no PIN is likelier than another.
    number = int.from_bytes(digest[:8], "big") % 10**PIN_DIGITS
    return f"{number:0{PIN_DIGITS}d}"


def make_pin_secret(secret: str) -> bytes:
    """Derive the secret of the PINs from one that signs something else: none is ever an HMAC that
    the other makes."""
    return hmac.new(secret.encode(), b"waybill proof pins, version 1", hashlib.sha256).digest()


def list_order_prefixes(order_id: int) -> tuple[str, str]:
    """List what the keys of all files of one order begin with, and those of no other: of what was
    uploaded, and of what was confirmed."""
    return f"{UPLOADS}/{order_id}/", f"{KEPT}/{order_id}/"


def make_upload_key(
    order_id: int, stop: Stop, kind: ProofKind, courier_id: str, couriers_lost: int = 0
) -> str:
    """Make the key under which one file of an order is uploaded. It is never the client's to say:
    nobody can bring another order's, nor what the courier before them has uploaded, nor what they
    have themselves, should they have the order for the second time."""
    courier = hashlib.sha256(courier_id.encode()).hexdigest()[:16]
    again = f"-{couriers_lost}" if couriers_lost else ""
    return f"{UPLOADS}/{order_id}/{stop.value}-{kind.value}-{courier}{again}"


def make_kept_key(upload_key: str, etag: str) -> str:
    """Make the key under which an upload is kept once it is confirmed. It is the same for the same
    content: who keeps it twice has one."""
    return f"{KEPT}/{upload_key.removeprefix(UPLOADS + '/')}-{etag}"


def is_acceptable(file: FoundFile) -> bool:
    """Say whether a file is one that a form of ours lets pass: whatever else is under its key, the
    store was told by somebody else."""
    return 0 < file.size_bytes <= MAX_FILE_BYTES and file.content_type in CONTENT_TYPES
