"""Show the city while it works: as a table on a terminal, as lines elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from infra.demo.ledger import Ledger
from infra.demo.people import SimulatedCourier
from infra.harness.quantiles import quantile

_REDRAW_EVERY_S = 0.25
_LINE_EVERY_S = 2.0


class LedgerBoard:
    """The board: shows the ledger until it is cancelled."""

    def __init__(
        self, console: Console, ledger: Ledger, couriers: Sequence[SimulatedCourier]
    ) -> None:
        self._console = console
        self._ledger = ledger
        self._couriers = couriers
        self._began_at = time.monotonic()

    async def show(self) -> None:
        """Redraw, for ever."""
        if not self._console.is_terminal:
            await self._print_lines()
        with Live(self.make_table(), console=self._console, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(_REDRAW_EVERY_S)
                live.update(self.make_table(), refresh=True)

    async def _print_lines(self) -> None:
        while True:
            await asyncio.sleep(_LINE_EVERY_S)
            self._console.print(self.format_line(), soft_wrap=True)

    def format_line(self) -> str:
        """Return the state in one line."""
        known = {word: n for word, n in self._ledger.count_by_status().items() if n}
        orders = ", ".join(f"{n} {word}" for word, n in known.items()) or "no orders yet"
        lapsed = self._ledger.offers_timed_out
        return f"{self._time_since_start_s():5.1f} s  {orders}; {lapsed} timed out"

    def make_table(self) -> Table:
        """Return the state as a table."""
        table = Table(title=f"Waybill demo, {self._time_since_start_s():.0f} s", min_width=46)
        table.add_column("orders")
        table.add_column("", justify="right")
        for word, count in self._ledger.count_by_status().items():
            table.add_row(word, str(count))
        table.add_section()
        for name, value in collect_facts(self._ledger, self._couriers).items():
            table.add_row(name, value)
        return table

    def _time_since_start_s(self) -> float:
        return time.monotonic() - self._began_at


def collect_facts(ledger: Ledger, couriers: Sequence[SimulatedCourier]) -> dict[str, str]:
    """Return what the table shows below the orders: value by name."""
    busy = sum(courier.order is not None for courier in couriers)
    after_ms = [1000 * s for s in ledger.assigned_after_s]
    return {
        "couriers busy": f"{busy} of {len(couriers)}",
        "offers timed out": str(ledger.offers_timed_out),
        "offers declined": str(ledger.offers_declined),
        "positions reported": str(ledger.fixes),
        "order to assignment, p50": f"{quantile(after_ms, 0.5):.0f} ms",
        "order to assignment, p99": f"{quantile(after_ms, 0.99):.0f} ms",
    }
