"""Which calls a frame had to wait for, read off when they began and ended."""

from __future__ import annotations

from pathlib import Path

from infra.bench.critical_path import AwsCall, find_longest_chain
from infra.bench.delays import CallLog, read_calls

POST = AwsCall("post", 30, 40)


def names(*calls: AwsCall, began_at: float = 0) -> list[str]:
    return [call.name for call in find_longest_chain(calls, began_at, POST)]


def test_calls_one_after_another_are_all_on_the_path() -> None:
    assert names(AwsCall("read", 0, 10), AwsCall("write", 12, 30)) == ["read", "write", "post"]


def test_calls_at_the_same_time_count_once() -> None:
    beside = (AwsCall("send", 0, 20), AwsCall("read", 0, 10), AwsCall("also read", 5, 9))
    assert names(*beside) == ["send", "post"]


def test_two_beside_a_longer_one_count_as_two() -> None:
    beside = (AwsCall("send", 0, 29), AwsCall("read", 0, 10), AwsCall("read again", 11, 20))
    assert names(*beside) == ["read", "read again", "post"]


def test_of_chains_as_long_the_slower_is_the_path() -> None:
    assert names(AwsCall("quick", 1, 5), AwsCall("slow", 1, 25)) == ["slow", "post"]


def test_what_came_before_or_was_not_over_is_not_waited_for() -> None:
    others = (AwsCall("before", 0, 4), AwsCall("not over", 10, 31), AwsCall("after", 41, 42))
    assert names(*others, began_at=1) == ["post"]


def test_calls_are_read_as_they_were_logged(tmp_path: Path) -> None:
    log = CallLog(tmp_path / "calls")
    log.add(POST)
    log.add(AwsCall("GetItem", 0.1, 1 / 3))
    log.close()
    assert read_calls(tmp_path / "calls") == [POST, AwsCall("GetItem", 0.1, 1 / 3)]
