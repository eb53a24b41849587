"""Listen as applications do, and print what happens: `python listen.py '[OPTIONS, …]'`.

listen.mjs does the same with the other client. Each line begins with the number of its options.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial
from typing import Any

import waybill


def say(number: int, *words: Any) -> None:
    sys.stdout.write(" ".join(map(str, [number, *words])) + "\n")
    sys.stdout.flush()


async def listen(number: int, options: dict[str, Any]) -> None:
    tell, count = partial(say, number), 0

    def next_token() -> str:
        nonlocal count
        count += 1
        return f"{options['token']}.{count}" if options.get("numbered") else str(options["token"])

    connection = waybill.connect(
        options["url"],
        token=next_token,
        contract=options["contract"],
        position=options.get("position"),
        on_position=lambda position: tell("position", position),
        on_gap=lambda gap: tell("gap", gap.from_, gap.oldest),
        **options.get("times", {}),
    )
    async with connection:
        if "wakes_every_s" in options:
            waking = asyncio.create_task(keep_waking(connection, options["wakes_every_s"]))
        if "said" in options:
            await connection.send(options["said"])
        if "creates" in options:
            await create(connection, options["creates"], tell)
        else:
            await hear(connection, options["until"], tell)
    if "wakes_every_s" in options:
        waking.cancel()
    tell("end")


async def hear(connection: waybill.Connection, until: str | int, tell: Any) -> None:
    """Until there is an event of a position, or of a type, or so many that are kept."""
    kept = 0
    async for event in connection:
        tell("event", event.type, event.pos or "-")
        kept += event.pos is not None
        if until in (event.pos, event.type, kept):
            return


async def create(connection: waybill.Connection, paths: list[str], tell: Any) -> None:
    for path in paths:
        try:
            tell("created", (await connection.create(path, {"notes": "für Ana"}))["id"])
        except waybill.WaybillError as error:
            tell("refused", error.status, error.code, error.message)
    tell("read", (await connection.get("/read?a=b%7C&c=ä"))["path"])


async def keep_waking(connection: waybill.Connection, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        connection.wake()


async def main() -> None:
    await asyncio.gather(*(listen(*each) for each in enumerate(json.loads(sys.argv[1]))))


if __name__ == "__main__":
    asyncio.run(main())
