"""Waves: several couriers are asked at once, and whoever accepts first has the order. Pure.

A flow's waves are asked one after the other, the next as soon as all of the one before have
declined, or its time is up. Waves of one courier each ask one courier after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import msgspec


class Wave(msgspec.Struct, frozen=True):
    """How a wave is asked: so many couriers at most, up to so far from the pickup, for so long."""

    radius_m: float
    couriers: int
    ttl: timedelta


class OpenWave(msgspec.Struct, frozen=True, array_like=True):
    """Which of its flow's waves an order is in, from 1, and its first offer there."""

    number: int
    first_seq: int


def list_next_waves(waves: Sequence[Wave], current: OpenWave | None) -> Iterator[tuple[int, Wave]]:
    """List the waves that are to come in a search, by their numbers."""
    done = current.number if current else 0
    yield from enumerate(waves[done:], start=done + 1)
