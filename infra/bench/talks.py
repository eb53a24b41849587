"""Riders and drivers of one ride each, who take turns to write to each other (spec 001).

Nobody may write more than five times a minute, so many pairs are needed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from infra.harness.clients import Frame, StackClient

MOST_PAIRS = 24
_EACH = 5  # spec 001: messages a minute
_SETTLED_WITHIN_S = 30.0
_HERE = {"latitude": 48.2, "longitude": 16.37}  # far from the deliveries that are measured
_WISH = {
    "pickup": _HERE,
    "destination": {"latitude": 48.25, "longitude": 16.37},
    "vehicle_type": "standard",
}


class Talker:
    """One of the two: a client and what it hears."""

    def __init__(self, client: StackClient) -> None:
        self.client = client

    async def arrive(self) -> None:
        """Connect with a profile."""
        status, body = await self.client.put("me", name="Ana Smith", phone="+4930123456")
        assert status == 200, body
        await self.client.connect("rides")
        self._frames: AsyncIterator[Frame] = self.client.receive_frames()

    async def ask(self, event: str, **data: object) -> Frame:
        """Send an event; return the data of its response."""
        await self.client.send(event, **data)
        answer: Frame = await self.hear(f"{event}_response")
        assert answer["status"] == "success", answer
        return answer

    async def hear(self, event: str) -> Frame:
        """Wait for the next frame of an event, past others; return its data."""
        async for frame in self._frames:
            if frame["event"] == event:
                return dict(frame["data"])
        raise ConnectionError("the socket was closed")


class Talk:
    """One message from one side to the other, to be written once."""

    def __init__(self, ride_id: str, speaker: Talker, listener: Talker) -> None:
        self._ride_id = ride_id
        self._speaker = speaker
        self._listener = listener

    async def ask_state(self) -> None:
        """Ask how the ride stands, and have the answer."""
        await self._speaker.ask("get_ride_state", ride_id=self._ride_id)

    async def write_message(self) -> None:
        """Write a message, and wait until the other side has it."""
        await self._speaker.client.send(
            "send_chat_message", ride_id=self._ride_id, message="Where are you?"
        )
        await self._listener.hear("chat_message")

    async def await_answer(self) -> None:
        """Wait for the answer to what was written."""
        heard = self._speaker.hear("send_chat_message_response")
        answer = await asyncio.wait_for(heard, _SETTLED_WITHIN_S)
        assert answer["status"] == "success", answer


class Talks:
    """Pairs with something to write: enough for so many messages, or MOST_PAIRS of them."""

    def __init__(self, person: Callable[[str, str], StackClient]) -> None:
        self._person = person
        self._sides: list[Talker] = []
        self._waiting: deque[Talk] = deque()

    async def bring_together(self, messages: int) -> None:
        """Bring pairs together, each on a ride that is accepted."""
        for n in range(min(MOST_PAIRS, -(-messages // (2 * _EACH)))):
            rider, driver = (
                Talker(self._person(role, f"{role}{n}")) for role in ("customer", "courier")
            )
            self._sides += [rider, driver]
            await asyncio.gather(rider.arrive(), driver.arrive())
            await driver.ask("go_online")
            await driver.ask("update_location", **_HERE)
            ride_id = (await rider.ask("request_ride", **_WISH))["ride_id"]
            await driver.ask("accept_ride", ride_id=ride_id)
            self._waiting += [Talk(ride_id, rider, driver), Talk(ride_id, driver, rider)] * _EACH

    def next_talk(self) -> Talk | None:
        """Take a message that is still to be written; None once all are."""
        return self._waiting.popleft() if self._waiting else None

    async def hang_up(self) -> None:
        """Close everybody's socket."""
        await asyncio.gather(*(side.client.close() for side in self._sides))
