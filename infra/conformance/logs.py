"""Read from the engine's CloudWatch Logs what the functions logged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from infra.resources.aws_clients import make_client

GROUPS = "/waybill/"
_ROUTINE = ("START ", "END ", "REPORT ", '{"_aws"')  # the last are metrics
_REPORT = re.compile(r"REPORT RequestId: (\S+)\t.*Billed Duration: (\d+) ms")


class BilledRun(NamedTuple):
    """One run of a function, as it would be billed."""

    function: str
    request_id: str
    billed_ms: int


def find_complaints(endpoint: str) -> Iterator[str]:
    """Yield every logged line but the routine ones: START, END and REPORT."""
    for group, line in read_lines(make_client("logs", endpoint)):
        if not line.startswith(_ROUTINE):
            yield f"{group}: {line}"


def read_invocations(endpoint: str) -> Iterator[BilledRun]:
    """Yield every run of a function so far."""
    for group, line in read_lines(make_client("logs", endpoint)):
        if found := _REPORT.match(line):
            yield BilledRun(group.rpartition("/")[2], found[1], int(found[2]))


def read_lines(logs: Any, prefix: str = GROUPS) -> Iterator[tuple[str, str]]:
    """Yield the log group's name and the text of every line that a logs client reads."""
    for group in logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
        name = group["logGroupName"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
            for event in page["events"]:
                yield from ((name, line) for line in event["message"].splitlines())
