"""Socket.IO packets as text: Engine.IO 4 carrying Socket.IO 5. A pure codec, no binary data.

A frame is one Engine.IO digit; 4 (a message) is followed by one Socket.IO digit:

    0{…} open · 1 close · 2 ping · 3 pong · 5 upgrade · 6 noop
    40{…} connect · 41 disconnect · 42[…] event · 43[…] ack · 44{…} connect error

After it stand a namespace with a comma, unless it is `/`, then an ack id, then JSON:
`42/orders,7["accept-order",{"orderId":123}]`.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

from chalicelib.contracts import json_text
from chalicelib.errors import InvalidInput

ROOT_NAMESPACE = "/"
_MAX_ID_DIGITS = 15  # exact in every JavaScript client
_MAX_NAMESPACE = 100


class PacketKind(str, Enum):
    """What a packet is, as its digits."""

    OPEN = "0"
    CLOSE = "1"
    PING = "2"
    PONG = "3"
    UPGRADE = "5"
    NOOP = "6"
    CONNECT = "40"
    DISCONNECT = "41"
    EVENT = "42"
    ACK = "43"
    CONNECT_ERROR = "44"


_KIND_BY_DIGITS = {kind.value: kind for kind in PacketKind}
_KINDS_WITH_ID = {PacketKind.EVENT, PacketKind.ACK}
_BINARY_DIGITS = {"45", "46"}


class BadPacket(InvalidInput):
    """A frame that is no packet, or one with binary data.

    What could be read of it is what an answer has to name: `kind`, `namespace` and the ack `id`.
    """

    def __init__(
        self,
        message: str,
        kind: PacketKind | None = None,
        namespace: str = ROOT_NAMESPACE,
        id_: int | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.namespace = namespace
        self.id = id_


class Packet(msgspec.Struct, frozen=True):
    """One packet. `data` is None where there is none: JSON of the shape that its kind has, or for
    Engine.IO's own kinds the text that follows the digit."""

    kind: PacketKind
    data: Any = None
    namespace: str = ROOT_NAMESPACE
    id: int | None = None


def encode_packet(packet: Packet) -> str:
    """Encode a packet as the text of a frame."""
    kind, data = packet.kind, packet.data
    if len(kind.value) == 1:
        return kind.value + (_encode_json(data) if kind is PacketKind.OPEN else data or "")
    namespace = "" if packet.namespace == ROOT_NAMESPACE else f"{packet.namespace},"
    id_ = "" if packet.id is None else str(packet.id)
    return kind.value + namespace + id_ + ("" if data is None else _encode_json(data))


def decode_packet(text: str) -> Packet:
    """Decode the packet in a frame. Raises BadPacket and nothing else."""
    kind = _KIND_BY_DIGITS.get(text[:1]) or _KIND_BY_DIGITS.get(text[:2])
    if kind is None:
        raise _refuse_binary(text) if text[:2] in _BINARY_DIGITS else BadPacket(_NO_PACKET)
    if len(kind.value) == 1:
        rest = text[1:]
        return Packet(kind, _decode_json(rest) if kind is PacketKind.OPEN else rest or None)
    namespace, id_ = ROOT_NAMESPACE, None
    try:
        namespace, rest = _split_namespace(text[2:])
        id_, rest = _split_id(rest) if kind in _KINDS_WITH_ID else (None, rest)
        data = _decode_json(rest) if rest else None
        if not _is_valid_data(kind, data, id_):
            raise BadPacket(f"This is not what follows {kind.value}.")
    except BadPacket as bad:
        raise BadPacket(bad.message, kind, namespace, id_) from None
    return Packet(kind, data, namespace, id_)


_NO_PACKET = "This is no Socket.IO packet."


def _refuse_binary(text: str) -> BadPacket:
    """Say that a packet with binary data (`451-/orders,7[…]`) is none, and whose answer that is."""
    said, named = "Binary data can't be sent.", text.partition("-")[2]
    try:
        namespace, rest = _split_namespace(named)
        return BadPacket(
            said, PacketKind.EVENT if text[1] == "5" else None, namespace, _split_id(rest)[0]
        )
    except BadPacket:
        return BadPacket(said)


def _split_namespace(text: str) -> tuple[str, str]:
    if not text.startswith("/"):
        return ROOT_NAMESPACE, text
    named, _, rest = text.partition(",")
    if len(named) > _MAX_NAMESPACE:
        raise BadPacket(f"A namespace has at most {_MAX_NAMESPACE} characters.")
    return named.partition("?")[0], rest


def _split_id(text: str) -> tuple[int | None, str]:
    digits = 0
    while digits < len(text) and text[digits] in "0123456789":
        digits += 1
    if digits > _MAX_ID_DIGITS:
        raise BadPacket("An ack id has at most 15 digits.")
    return (int(text[:digits]) if digits else None), text[digits:]


def _is_valid_data(kind: PacketKind, data: Any, id_: int | None) -> bool:
    if kind is PacketKind.EVENT:
        return isinstance(data, list) and len(data) > 0 and isinstance(data[0], str)
    if kind is PacketKind.ACK:
        return isinstance(data, list) and id_ is not None
    if kind is PacketKind.CONNECT:
        return data is None or isinstance(data, dict)
    if kind is PacketKind.CONNECT_ERROR:
        return isinstance(data, str | dict)
    return data is None


def _encode_json(data: Any) -> str:
    return msgspec.json.encode(data).decode()


def _decode_json(text: str) -> Any:
    try:
        return json_text.decode_json(text, "A packet")
    except InvalidInput as error:
        raise BadPacket(error.message) from None
