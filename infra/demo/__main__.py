"""`python -m infra.demo`: a small city on Waybill, watched, and checked at the end.

Its people act on the Waybill at URL, else on the one that serves on PORT, where others may be at
work too; else on one that it starts. Who may sign their tokens is said as for `make smoke`.
COURIERS, CUSTOMERS, SECONDS, the probabilities ACCEPT, DECLINE and CANCEL, and SPEED may be set.
Exit code 0: every order of the city's came to an end, and no courier ever had two.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from rich.console import Console
from websockets.exceptions import InvalidHandshake

from chalicelib.settings import BadSetting
from infra.demo.board import LedgerBoard
from infra.demo.day import DemoDay
from infra.demo.ledger import Ledger
from infra.demo.options import DemoOptions
from infra.demo.stack import use_stack
from infra.harness.stack_process import StackProcessError

_SHOWN = 10


def main(arguments: list[str] | None = None) -> int:
    """Run one day; return the exit code."""
    console = Console()
    try:
        options = DemoOptions.from_env(os.environ)
        with use_stack(_parse_arguments(arguments), console) as stack:
            console.print(
                f"{options.couriers} couriers and {options.customers} customers for "
                f"{options.seconds:g} s; accept {options.accept:.0%}, decline "
                f"{options.decline:.0%}, cancel {options.cancel:.0%}.",
                highlight=False,
            )
            day = DemoDay(options, stack, console)
            asyncio.run(day.run())
            return _print_summary(console, day.board, day.ledger)
    except (BadSetting, StackProcessError) as error:
        print(f"demo: {error}", file=sys.stderr)
    except (InvalidHandshake, OSError) as error:
        print(f"demo: Waybill refuses or is gone: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
    return 1


def _parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.demo", description=__doc__)
    parser.add_argument("--url", default="", help="a host name (https) or a URL")
    parser.add_argument("--stage", default="", help="the stage whose secret signs the tokens")
    parser.add_argument("--tokens", default="", metavar="COMMAND", help="what prints a token")
    return parser.parse_args(arguments)


def _print_summary(console: Console, board: LedgerBoard, ledger: Ledger) -> int:
    console.print(board.make_table())
    for note in ledger.notes[:_SHOWN]:
        console.print(note, style="yellow", markup=False, highlight=False)
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
