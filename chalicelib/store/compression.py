"""A versioned format of documents in rows, where size is money: JSON, compressed with a dictionary.

The first byte of a document names its dictionary. A row can't be read in the console: `python -m
infra.deploy.unpack` reads one by hand.

DynamoDB charges a write for each started kilobyte. An order with its timeline, its courier and the
events of its last versions is 2 to 4 KB of JSON, which says most things several times, and about
0.5 KB packed. The dictionary holds what all of them say: without it they are half as large again.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from chalicelib.store.decoding import decode_json

T = TypeVar("T")

_ZLIB_LEVEL = 6  # 9 saves not one byte of an order, 1 a third less
# zlib's window of 32 KB; negative: without zlib's header, as our first byte is header enough.
_RAW_DEFLATE_BITS = -15

# A dictionary that changes makes every row of it unreadable: never change one, add another with the
# next letter. What is said most often stands last, where zlib reaches it with the fewest bits.
_DICTIONARIES = {
    b"a": b'"deliveries":"on_time":"rewarded":false}}"months":{"20'
    b'"newest":[{"key":"earning#"order_id":"parts":{"base":"distance_bonus":0,"on_time_bonus":0,'
    b'"rating_bonus":0},"amount_minor":"balance_minor":"previous_minor":"balance_minor":'
    b'"reason":"earning_recorded"}"trip":{"distance_m":"duration_s":"fare_minor":'
    b'"estimate":{"distance_m":"fare_minor":"merchant_id":"restaurant_id":'
    b'"items":[{"name":"quantity":1,"price_minor":"kind":"pickup"'
    b'"next_search_at":"20"search_until":"20"offers_made":1,"offered_to":["excluded":["'
    b'"timeline":{"placed":"20"searching":"20"offered":"20"accepted":"20"at_pickup":"20'
    b'"in_transit":"20"done":"20"pending","confirmed","preparing","ready","cancelled","unserved",'
    b'{"type":"order_confirmed","{"type":"order_preparing","{"type":"order_ready","'
    b'{"type":"order_claimed","{"type":"courier_stepped","{"type":"wallet_updated","'
    b'{"type":"earning_recorded","{"type":"order_declined","{"type":"order_cancelled","'
    b'{"type":"order_placed","{"type":"offer_made","{"type":"order_offered","'
    b'{"type":"order_accepted","{"type":"courier_arrived","{"type":"order_picked_up","'
    b'{"type":"order_delivered","data":{"payment_status":"pending"},"data":{"pickup_minutes":'
    b'"data":{"eta_minutes":"valid_until":"20","offer":{"seq":1,"courier_id":"expires_at":"20Z",'
    b'"distance_m":{"next_seq":"delivered_to":"heard":{"taken":{"wallet#","tail":['
    b'{"id":,"job":{"flow":"delivery","customer_id":"","pickup":{"address":"","lat":,"lng":},'
    b'"dropoff":{"address":"","lat":,"lng":},"created_at":"20Z","receiver_phone":"+","notes":"",'
    b'"customer":{"id":"},"status":"","updated_at":"20Z","version":1,"courier_id":"",'
    b'"courier":{"id":"","name":"","phone":"+","picture":"https://","vehicle":"",'
    b'"vehicle_type":"standard","rating":5.0},"outbox":[{"version":1,"at":"20Z",'
    b'"events":[{"type":"order_","to":"","stream":"order#","version":1,"ordinal":0,"at":"2026-'
}
_NEWEST_DICTIONARY = b"a"


def pack(value: msgspec.Struct | Sequence[msgspec.Struct]) -> bytes:
    """Pack a value into the bytes that a row holds. The same value always gives the same bytes."""
    deflate = zlib.compressobj(
        _ZLIB_LEVEL,
        zlib.DEFLATED,
        _RAW_DEFLATE_BITS,
        zlib.DEF_MEM_LEVEL,
        zlib.Z_DEFAULT_STRATEGY,
        _DICTIONARIES[_NEWEST_DICTIONARY],
    )
    return _NEWEST_DICTIONARY + deflate.compress(msgspec.json.encode(value)) + deflate.flush()


def unpack(packed: bytes, kind: type[T]) -> T:
    """Unpack a value. Raises KeyError, zlib.error or msgspec.DecodeError for what is none."""
    return decode_json(unpack_json(packed), kind)


def unpack_json(packed: bytes) -> bytes:
    """Unpack a value's JSON. Raises KeyError or zlib.error for what is none."""
    inflate = zlib.decompressobj(_RAW_DEFLATE_BITS, _DICTIONARIES[packed[:1]])
    plain = inflate.decompress(packed[1:])
    if not inflate.eof:
        raise zlib.error("incomplete")
    return plain
