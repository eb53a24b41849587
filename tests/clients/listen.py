"""Listen as an application does, and print what happens: `python listen.py OPTIONS`.

listen.mjs does the same with the other client.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import waybill


def say(*words: Any) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def main(options: dict[str, Any]) -> None:
    count, until = 0, options["until"]  # a position, or a type

    def next_token() -> str:
        nonlocal count
        count += 1
        return f"{options['token']}.{count}" if options["numbered"] else str(options["token"])

    connection = waybill.connect(
        options["url"],
        token=next_token,
        contract=options["contract"],
        position=options["position"],
        on_position=lambda position: say("position", position),
        on_gap=lambda gap: say("gap", gap.from_, gap.oldest),
        **options.get("times", {}),
    )
    async with connection:
        if "said" in options:
            await connection.send(options["said"])
        async for event in connection:
            say("event", event.type, event.pos or "-")
            if until in (event.pos, event.type):
                break
    say("end")


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
