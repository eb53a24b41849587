"""The Socket.IO codec: text in, packets out, and back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from socketio.packet import Packet as StockPacket

from chalicelib.contracts.socketio import (
    BadPacket,
    Packet,
    PacketKind,
    decode_packet,
    encode_packet,
)

numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
json = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
namespaces = st.just("/") | st.from_regex(r"\A/[a-z0-9/_-]{1,30}\Z")
ids = st.none() | st.integers(0, 10**15 - 1)
objects = st.dictionaries(texts, json, max_size=4)
events = st.tuples(texts, st.lists(json, max_size=3)).map(lambda found: [found[0], *found[1]])

packets = st.one_of(
    st.builds(Packet, st.just(PacketKind.OPEN), objects),
    st.builds(
        Packet,
        st.sampled_from(
            [
                PacketKind.CLOSE,
                PacketKind.PING,
                PacketKind.PONG,
                PacketKind.UPGRADE,
                PacketKind.NOOP,
            ]
        ),
        st.none() | st.just("probe"),
    ),
    st.builds(Packet, st.just(PacketKind.CONNECT), st.none() | objects, namespaces),
    st.builds(Packet, st.just(PacketKind.DISCONNECT), st.none(), namespaces),
    st.builds(Packet, st.just(PacketKind.EVENT), events, namespaces, ids),
    st.builds(
        Packet, st.just(PacketKind.ACK), st.lists(json), namespaces, st.integers(0, 10**15 - 1)
    ),
    st.builds(Packet, st.just(PacketKind.CONNECT_ERROR), objects | texts, namespaces),
)


@settings(max_examples=60)
@given(packets)
def test_what_is_encoded_is_decoded_as_it_was(packet: Packet) -> None:
    assert decode_packet(encode_packet(packet)) == packet


@given(st.text())
def test_any_text_is_a_packet_or_a_bad_packet(text: str) -> None:
    with suppress(BadPacket):
        decode_packet(text)


@given(
    st.sampled_from(sorted(kind.value for kind in PacketKind)), st.text('[]{}",:/0123456789\\ua?')
)
def test_what_nearly_is_a_packet_is_one_or_a_bad_packet(digits: str, rest: str) -> None:
    try:
        packet = decode_packet(digits + rest)
    except BadPacket:
        return
    assert packet.kind.value == digits or packet.kind.value == digits[:1]


@pytest.mark.parametrize(
    ("text", "packet"),
    [
        ('0{"sid":"x"}', Packet(PacketKind.OPEN, {"sid": "x"})),
        ("2", Packet(PacketKind.PING)),
        ("3", Packet(PacketKind.PONG)),
        ("2probe", Packet(PacketKind.PING, "probe")),
        ("40", Packet(PacketKind.CONNECT)),
        ("40/orders,", Packet(PacketKind.CONNECT, None, "/orders")),
        ('40/orders,{"token":"t"}', Packet(PacketKind.CONNECT, {"token": "t"}, "/orders")),
        ("41/orders,", Packet(PacketKind.DISCONNECT, None, "/orders")),
        ('42/orders,["ev",{"a":1}]', Packet(PacketKind.EVENT, ["ev", {"a": 1}], "/orders")),
        ('42/orders,7["ev"]', Packet(PacketKind.EVENT, ["ev"], "/orders", 7)),
        ('42["ev",1,"2"]', Packet(PacketKind.EVENT, ["ev", 1, "2"])),
        ('43/orders,7[{"ok":true}]', Packet(PacketKind.ACK, [{"ok": True}], "/orders", 7)),
        (
            '44/orders,{"message":"no"}',
            Packet(PacketKind.CONNECT_ERROR, {"message": "no"}, "/orders"),
        ),
    ],
)
def test_frames_as_clients_and_servers_write_them(text: str, packet: Packet) -> None:
    """S2-02."""
    assert decode_packet(text) == packet
    assert encode_packet(packet) == text


def test_a_namespace_may_carry_a_query_which_is_dropped() -> None:
    assert decode_packet("40/orders?token=t,").namespace == "/orders"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "7",
        "49",
        "x",
        "42",
        "42/orders,",
        "42/orders,[]",
        "42/orders,[1]",
        '42/orders,{"a":1}',
        "42/orders,[",
        '42/orders,["ev"',
        "40/orders,[]",
        "41/orders,{}",
        '43/orders,["no id"]',
        "43/orders,7{}",
        "44/orders,",
        f'42/orders,{"9" * 16}["ev"]',
        f"40/{'o' * 200},",
        "42" + "[" * 100_000,
        '42/orders,["\ud800"]',
    ],
)
def test_frames_that_are_no_packets(text: str) -> None:
    with pytest.raises(BadPacket):
        decode_packet(text)


def test_binary_packets_are_named_as_such() -> None:
    with pytest.raises(BadPacket, match="Binary data can't be sent"):
        decode_packet('451-/orders,["ev",{"_placeholder":true,"num":0}]')


@settings(max_examples=40)
@given(events, namespaces, ids)
def test_it_reads_and_writes_what_python_socketio_does(
    event: list[Any], namespace: str, id_: int | None
) -> None:
    stock = StockPacket(2, event, namespace, id_)
    assert decode_packet(f"4{stock.encode()}") == Packet(PacketKind.EVENT, event, namespace, id_)
    read = StockPacket(
        encoded_packet=encode_packet(Packet(PacketKind.EVENT, event, namespace, id_))[1:]
    )
    assert (read.data, read.namespace or "/", read.id) == (event, namespace, id_)
