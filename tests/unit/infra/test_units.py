"""DynamoDB's rules for sizes and units, on the cases that AWS's documents work through."""

from __future__ import annotations

from typing import Any

import pytest

from infra.bench.units import item_bytes, read_units, write_units

KB = 1024


@pytest.mark.parametrize(
    ("sizes", "together", "consistent", "units"),
    [
        ([int(3.5 * KB)], False, True, 1),  # GetItem rounds up to 4 KB
        ([10 * KB], False, True, 3),  # to 12 KB
        ([10 * KB], False, False, 1.5),
        ([int(1.5 * KB), int(6.5 * KB)], False, True, 3),  # BatchGetItem: 4 KB and 8 KB, each alone
        ([int(4.08 * KB)] * 10, True, True, 11),  # Query: 40.8 KB together, to 44 KB
        ([int(4.08 * KB)] * 10, True, False, 5.5),
        ([], False, True, 1),  # an item that is not there
        ([], True, False, 0.5),  # a query that finds nothing
    ],
)
def test_reads_cost_what_the_documents_say(
    sizes: list[int], together: bool, consistent: bool, units: float
) -> None:
    assert read_units(sizes, consistent=consistent, together=together) == units


@pytest.mark.parametrize(("size", "units"), [(0, 1), (KB, 1), (KB + 1, 2), (int(1.5 * KB), 2)])
def test_writes_are_rounded_up_to_whole_kilobytes(size: int, units: int) -> None:
    assert write_units(size) == units


@pytest.mark.parametrize(
    ("item", "size"),
    [
        ({"id": {"S": "ä"}}, 2 + 2),  # UTF-8
        ({"n": {"N": "27"}}, 1 + 2),  # a byte for two digits, and one
        ({"n": {"N": "-27"}}, 1 + 3),
        ({"n": {"N": "461168601842738"}}, 1 + 9),
        ({"b": {"B": b"\x00\x01\x02"}}, 1 + 3),
        ({"t": {"BOOL": True}}, 1 + 1),
        ({"s": {"SS": ["ab", "c"]}}, 1 + 3),
        ({"l": {"L": [{"S": "ab"}]}}, 1 + 3 + 1 + 2),
        ({"m": {"M": {"k": {"S": "ab"}}}}, 1 + 3 + 1 + 1 + 2),
    ],
)
def test_an_item_is_as_large_as_its_names_and_values(item: dict[str, Any], size: int) -> None:
    assert item_bytes(item) == size
