"""`python -m infra.docs.costs`: write what a stage costs on AWS into README.md and docs/deploy.md.

Measured capacity times public prices: units are those of docs/cost.md, which the bench measures;
BILLED is what `python -m infra.conformance.billed` prints, and the one wakeup that comes after that
has ended: minutes after `arrive`; the rest is counted from the code.
`--check` writes nothing and exits 1 where a page is out of date.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib.services.sweeper import PASSES
from infra.package.project import CONFIG, STAGE
from infra.resources.stage import HEARTBEAT_S
from infra.template import alarms
from infra.template.apis import REST_LOG, WEBSOCKET_LOG

HOME = Path(__file__).resolve().parents[2]
PAGES = (HOME / "README.md", HOME / "docs" / "deploy.md")
UNITS = HOME / "docs" / "cost.md"
_PLACE = re.compile(r"(<!-- (costs|billed) -->\n).*?(<!-- end -->)", re.DOTALL)

# Dollars for a million, us-east-1, without free tiers.
REST, MESSAGE, CONNECTION_MINUTE = 3.50, 1.00, 0.25
EDGE_REQUEST = 1.00  # CloudFront, HTTPS
WRITE, READ = 0.625, 0.125  # DynamoDB on demand
INVOCATION, GB_SECOND = 0.20, 13.3334  # Lambda on arm64
QUEUE_REQUEST = 0.40
# And for a megabyte of logs, an alarm's month, a secret's.
LOG_MB, ALARM, SECRET = 0.50 / 1000, 0.10, 0.40

# Function: how often it runs for one, and milliseconds each time.
Runs = Mapping[str, tuple[float, float]]
BILLED: dict[str, Runs] = {
    "delivery": {"api_handler": (5, 33), "wake": (6, 7)},
    "position": {"websocket_message": (1, 10)},
}
_LIFECYCLE_BYTES = 400  # START, END and REPORT, with what CloudWatch adds to each
_ACCESS_BYTES = 26 + max(len(json.dumps(log)) for log in (REST_LOG, WEBSOCKET_LOG))
_QUEUE_REQUESTS = 3  # a wakeup is sent, received and deleted
_IDLE_POLLS = 2 * 5 * 3 * 43_200  # Lambda asks each queue five times at once, 20 s each
_MONTH_MINUTES = 43_200
_IDLE_PASS_MS = 250  # 16 queries of 6 ms, one after another, and as much again for all else
# A courier's month, in millions: 8 h on 30 days, a position every 5 s, a heartbeat every 8 min.
_ONLINE_MINUTES = 30 * 8 * 60 / 1e6
_POSITIONS = _ONLINE_MINUTES * 12
_BEATS = _ONLINE_MINUTES * 60 / float(HEARTBEAT_S)


@dataclass(frozen=True)
class Costs:
    """Dollars, by service."""

    gateway: float = 0
    edge: float = 0
    dynamodb: float = 0
    functions: float = 0
    queue: float = 0
    logs: float = 0

    def __iter__(self) -> Iterator[float]:
        return iter(vars(self).values())

    @property
    def cells(self) -> list[str]:
        """The amounts as the table has them, the sum last."""
        each = list(self)
        return [format_dollars(amount) for amount in [*each, sum(each)]]


def main(arguments: list[str]) -> int:
    """Write or check; return the exit code."""
    outdated = [page for page in PAGES if rewrite_page(page.read_text()) != page.read_text()]
    for page in outdated:
        if "--check" in arguments:
            print(f"{page.relative_to(HOME)} is out of date: run `python -m infra.docs.costs`.")
        else:
            page.write_text(rewrite_page(page.read_text()))
    return 1 if outdated and "--check" in arguments else 0


def rewrite_page(page: str) -> str:
    """Return a page with its tables as the figures have them."""
    tables = {"costs": make_costs_table, "billed": make_billed_table}
    return _PLACE.sub(lambda found: found[1] + tables[found[2]]() + found[3], page)


def make_costs_table() -> str:
    """Return the table of costs: a million deliveries, positions, heartbeats, a month, idling."""
    position = sum_positions()
    beat = sum_heartbeats()
    month = Costs(
        *(_POSITIONS * one + _BEATS * other for one, other in zip(position, beat, strict=True))
    )
    month = replace(month, gateway=month.gateway + _ONLINE_MINUTES * CONNECTION_MINUTE)
    rows = {
        "a million deliveries": sum_deliveries(),
        "a million positions by socket": position,
        "a million heartbeats": beat,
        "a courier's month: 8 h on 30 days, a position every 5 s, heartbeats": month,
        "a stage that idles, a month": sum_idle_month(),
    }
    return _format_table(
        ["", "API Gateway", "CloudFront", "DynamoDB", "Lambda", "SQS", "logs", "sum"],
        *([name, *costs.cells] for name, costs in rows.items()),
    )


def make_billed_table() -> str:
    """Return the table of how often functions run, and how long."""
    return _format_table(
        ["for one", "function", "runs", "milliseconds each, warm"],
        *(
            [what, f"`{function}`", f"{times:g}", f"{ms:g}"]
            for what, runs in BILLED.items()
            for function, (times, ms) in runs.items()
        ),
    )


def _format_table(head: list[str], *rows: list[str]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def sum_deliveries() -> Costs:
    """Sum a million deliveries: five REST requests each, and the frames."""
    units = read_units("whole")
    runs = BILLED["delivery"]
    return Costs(
        gateway=5 * REST + units["frames"] * MESSAGE,
        edge=5 * EDGE_REQUEST,
        dynamodb=units["write units"] * WRITE + units["read units"] * READ,
        functions=functions(runs),
        queue=units["wakeups"] * _QUEUE_REQUESTS * QUEUE_REQUEST,
        logs=logs(runs, requests=5),
    )


def sum_positions() -> Costs:
    """Sum a million positions by socket.

    Each is a message that is not answered, and one read more than by REST.
    """
    units = read_units("a position in the same cell")
    runs = BILLED["position"]
    return Costs(
        gateway=MESSAGE,
        dynamodb=units["write units"] * WRITE + (units["read units"] + 1) * READ,
        functions=functions(runs),
        logs=logs(runs, requests=1),
    )


def sum_heartbeats() -> Costs:
    """Sum a million heartbeats: a message each, and a connection's row.

    The sweep that sends them is paid for anyway.
    """
    units = read_units("a heartbeat")
    return Costs(
        gateway=MESSAGE,
        dynamodb=units["write units"] * WRITE + units["read units"] * READ,
    )


def sum_idle_month() -> Costs:
    """Sum a month of a stage that idles.

    Of a minute's passes the sweep makes one, and `wake` the others; the alarms count as logs.
    """
    units = read_units("a pass of the sweep with nothing due")
    sweeps = _MONTH_MINUTES / 1e6
    runs = {"sweep": (1.0, _IDLE_PASS_MS), "wake": (PASSES - 1.0, _IDLE_PASS_MS)}
    # The wakeups are sent by one call; each is received, which the polls are, and deleted.
    sends = sweeps * PASSES * QUEUE_REQUEST
    # An alarm over a query is charged by the metrics that it finds: none, while all is well.
    watched = [one for one in alarms.make_resources().values() if "MetricName" in one["Properties"]]
    watching = len(watched) * ALARM + SECRET
    return Costs(
        dynamodb=sweeps * PASSES * units["read units"] * READ,
        functions=sweeps * functions(runs),
        queue=_IDLE_POLLS / 1e6 * QUEUE_REQUEST + sends,
        logs=sweeps * logs(runs, requests=0) + watching,
    )


def functions(runs: Runs) -> float:
    """Return the dollars that a million of these cost in Lambda."""
    return sum(
        times * (INVOCATION + ms / 1000 * memory_gb(function) * GB_SECOND)
        for function, (times, ms) in runs.items()
    )


def logs(runs: Runs, requests: int) -> float:
    """Return the dollars that a million of these cost in CloudWatch Logs."""
    times = sum(times for times, _ in runs.values())
    return (times * _LIFECYCLE_BYTES + requests * _ACCESS_BYTES) * LOG_MB


def memory_gb(function: str) -> float:
    """Return the memory that a function is given."""
    stage = json.loads((HOME / CONFIG).read_text())["stages"][STAGE]
    own = stage["lambda_functions"][function].get("lambda_memory_size")
    return float(own or stage["lambda_memory_size"]) / 1024


def read_units(label: str) -> dict[str, float]:
    """Read a row of docs/cost.md: numbers by their columns. Raises KeyError for no such row."""
    head: list[str] = []
    for line in UNITS.read_text().splitlines():
        cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
        if re.sub(r"\W* \(.*", "", cells[0]) == label:  # less a remark in parentheses
            return {name: _parse_number(cell) for name, cell in zip(head, cells, strict=True)}
        if not line.startswith("|"):
            head = []
        elif not head:
            head = cells
    raise KeyError(label)


def _parse_number(cell: str) -> float:
    found = re.match(r"[\d.]+", cell)
    return float(found[0]) if found else 0.0


def format_dollars(amount: float) -> str:
    """Return an amount as the tables have it: $0.07, $3.20, $38."""
    if not amount:
        return "-"
    return f"${amount:.2f}" if amount < 10 else f"${amount:.0f}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
