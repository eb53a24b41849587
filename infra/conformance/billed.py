"""`python -m infra.conformance.billed dist/here`: how long the functions run for an order.

From the REPORT lines that the engine logs as Lambda does, once everything is warm: one courier and
one customer with a socket each, one delivery after the other, then positions, by REST since the
engine logs nothing of what sockets say. What the engine adds to everything, some 50 ms for reading
what was logged, is measured by asking for the health, and taken off.

For infra/docs/costs.py; on a machine that does nothing else.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from urllib.request import urlopen

from infra.bench.rounds import PARCEL, PLACE
from infra.conformance.cloud import ROOT, run_cloud
from infra.conformance.deployment import deploy_stage
from infra.conformance.front import Front
from infra.conformance.logs import read_invocations
from infra.harness.clients import StackClient
from infra.local.options import LocalOptions
from infra.local.ports import find_free_port
from infra.local.tokens import mint_token

WARM_UP, ROUNDS = 5, 40
QUIET_S = 25.0  # every timer of an order has come and found nothing to do


async def main(package: Path) -> None:
    """Deploy, measure, and print how often each function ran, and how long."""
    secret, port = secrets.token_urlsafe(48), find_free_port()
    with run_cloud() as running, ThreadPoolExecutor(4) as pool:
        deployed = await asyncio.to_thread(
            deploy_stage, package, running.endpoint, secret, "billed"
        )
        async with Front(port, deployed).serve():
            url = LocalOptions(port=port).url
            people = [
                StackClient(url, mint_token(secret, role, f"{role}-1"), role, f"{role}-1", pool)
                for role in ("courier", "customer")
            ]
            await asyncio.gather(*(who.connect() for who in people))
            ben, ana = people
            assert (await ben.post("courier/availability", available=True, **PLACE))[0] == 200
            floor = await _median_ms(lambda: _ask_nothing(deployed.rest_url), running.endpoint)
            print(f"the engine adds {floor['api_handler'][1]:.0f} ms")
            for what, once in {
                "a delivery": lambda: _make_delivery(ben, ana),
                "a position": lambda: _report_position(ben),
            }.items():
                for function, (times, ms) in (await _median_ms(once, running.endpoint)).items():
                    net = ms - floor["api_handler"][1]
                    print(f"{what}: {function} {times:.1f} times, median {net:.0f} ms")
            await asyncio.gather(*(who.close() for who in people))


async def _median_ms(
    once: Callable[[], Awaitable[None]], endpoint: str
) -> dict[str, tuple[float, float]]:
    """Measure how often each function runs for one call of `once`, and its median milliseconds."""
    await _run_repeatedly(once, WARM_UP)
    before = set(read_invocations(endpoint))
    await _run_repeatedly(once, ROUNDS)
    ran: dict[str, list[int]] = defaultdict(list)
    for each in set(read_invocations(endpoint)) - before:
        ran[each.function].append(each.billed_ms)
    ran.pop("sweep", None)  # by the clock
    return {function: (len(ms) / ROUNDS, median(ms)) for function, ms in sorted(ran.items())}


async def _run_repeatedly(once: Callable[[], Awaitable[None]], count: int) -> None:
    for _ in range(count):
        await once()
    await asyncio.sleep(QUIET_S)


async def _ask_nothing(rest_url: str) -> None:
    with await asyncio.to_thread(urlopen, f"{rest_url}/health") as answer:
        assert answer.status == 200


async def _make_delivery(ben: StackClient, ana: StackClient) -> None:
    status, order = await ana.post("orders", **PARCEL)
    assert status == 201, order
    for step in ("accept", "arrived", "picked", "delivered"):
        status, answer = await ben.post(f"courier/orders/{step}", order_id=order["id"])
        assert status == 200, answer


async def _report_position(ben: StackClient) -> None:
    await asyncio.sleep(1.1)  # one a second is enough
    status, answer = await ben.post("courier/location", **PLACE)
    assert status == 200, answer


if __name__ == "__main__":
    os.environ.update(ROOT)
    asyncio.run(main(Path(sys.argv[1])))
