"""`python -m infra.demo`: a small city on Waybill, watched, and checked at the end.

Uses the Waybill that serves on PORT, else starts one of its own. COURIERS, CUSTOMERS, SECONDS, the
probabilities ACCEPT, DECLINE and CANCEL, and SPEED may be set. Exit code 0: every order came to an
end, and no courier ever had two.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from websockets.exceptions import InvalidHandshake

from chalicelib.settings import BadSetting
from infra.demo.board import Board
from infra.demo.day import Day
from infra.demo.ledger import Ledger
from infra.demo.options import DemoOptions
from infra.harness.stack_process import StackProcess, StackProcessError, is_serving
from infra.local.options import LocalOptions
from infra.local.tokens import find_signing_secret

OWN_OFFER_TTL_S = "4"  # a minute should see offers lapse
_SHOWN = 10


def main() -> int:
    """Run one day; return the exit code."""
    console = Console()
    try:
        options = DemoOptions.from_env(os.environ)
        with _use_stack(console) as (where, secret):
            console.print(
                f"{options.couriers} couriers and {options.customers} customers for "
                f"{options.seconds:g} s; accept {options.accept:.0%}, decline "
                f"{options.decline:.0%}, cancel {options.cancel:.0%}.",
                highlight=False,
            )
            day = Day(options, where, secret, console)
            asyncio.run(day.run())
            return _print_summary(console, day.board, day.ledger)
    except (BadSetting, StackProcessError) as error:
        print(f"demo: {error}", file=sys.stderr)
    except (InvalidHandshake, OSError) as error:
        print(f"demo: Waybill refuses or is gone: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
    return 1


@contextmanager
def _use_stack(console: Console) -> Iterator[tuple[LocalOptions, str]]:
    """Yield the options and secret of the Waybill on PORT, or of one that is started for this."""
    where = LocalOptions.from_env(os.environ)
    if is_serving(where.url):
        console.print(f"Using the Waybill at {where.url}.", highlight=False)
        yield where, find_signing_secret(where, os.environ)
        return
    ttl_s = os.environ.get("DELIVERY_OFFER_TTL_S") or OWN_OFFER_TTL_S
    with StackProcess(DELIVERY_OFFER_TTL_S=ttl_s) as child:
        console.print(
            f"Nothing serves at {where.url}: started a Waybill at {child.options.url}, offers "
            f"lapse after {ttl_s} s, and its data is thrown away at the end.",
            highlight=False,
        )
        yield child.options, child.secret


def _print_summary(console: Console, board: Board, ledger: Ledger) -> int:
    console.print(board.make_table())
    if not ledger.problems:
        console.print("Every order came to an end, and no courier ever had two.", style="green")
        return 0
    for problem in ledger.problems[:_SHOWN]:
        console.print(problem, style="red", markup=False, highlight=False)
    if len(ledger.problems) > _SHOWN:
        console.print(f"… and {len(ledger.problems) - _SHOWN} more problems", style="red")
    return 1


if __name__ == "__main__":
    sys.exit(main())
