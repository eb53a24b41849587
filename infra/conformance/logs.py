"""What the functions logged, from the engine's CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Iterator

from infra.aws import client

GROUPS = "/waybill/"


def complaints(endpoint: str) -> Iterator[str]:
    """Every logged line of an invocation that logged more than its start and end."""
    logs = client("logs", endpoint)
    for group in logs.describe_log_groups(logGroupNamePrefix=GROUPS)["logGroups"]:
        name = group["logGroupName"]
        for stream in logs.describe_log_streams(logGroupName=name)["logStreams"]:
            events = logs.get_log_events(
                logGroupName=name, logStreamName=stream["logStreamName"], startFromHead=True
            )["events"]
            lines = [line for event in events for line in event["message"].splitlines()]
            yield from (f"{name}: {line}" for line in lines if not line.startswith(_ROUTINE))


_ROUTINE = ("START ", "END ", "REPORT ")
