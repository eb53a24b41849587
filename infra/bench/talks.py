"""Riders and drivers of one ride each, who take turns to write to each other (spec 001).

Nobody may write more than five times a minute, so that it takes many of them.
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


class Side:
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
        """Send an event; the data of its response."""
        await self.client.send(event, **data)
        answer: Frame = await self.hear(f"{event}_response")
        assert answer["status"] == "success", answer
        return answer

    async def hear(self, event: str) -> Frame:
        """The data of the next frame of that event; others are passed over."""
        async for frame in self._frames:
            if frame["event"] == event:
                return dict(frame["data"])
        raise ConnectionError("the socket was closed")


class Talk:
    """What one says to the other: once."""

    def __init__(self, ride_id: str, speaker: Side, listener: Side) -> None:
        self._ride_id = ride_id
        self._speaker = speaker
        self._listener = listener

    async def look(self) -> None:
        """Ask how the ride stands, and have the answer."""
        await self._speaker.ask("get_ride_state", ride_id=self._ride_id)

    async def say(self) -> None:
        """Write, and have it arrive at the other side."""
        await self._speaker.client.send(
            "send_chat_message", ride_id=self._ride_id, message="Where are you?"
        )
        await self._listener.hear("chat_message")

    async def settle(self) -> None:
        """Wait for the answer to what was written."""
        heard = self._speaker.hear("send_chat_message_response")
        answer = await asyncio.wait_for(heard, _SETTLED_WITHIN_S)
        assert answer["status"] == "success", answer


class Talks:
    """Enough pairs for so many messages, or as many as there may be."""

    def __init__(self, person: Callable[[str, str], StackClient]) -> None:
        self._person = person
        self._sides: list[Side] = []
        self._waiting: deque[Talk] = deque()

    async def begin(self, messages: int) -> None:
        """Bring pairs together, each on a ride that is accepted."""
        for n in range(min(MOST_PAIRS, -(-messages // (2 * _EACH)))):
            rider, driver = (
                Side(self._person(role, f"{role}{n}")) for role in ("customer", "courier")
            )
            self._sides += [rider, driver]
            await asyncio.gather(rider.arrive(), driver.arrive())
            await driver.ask("go_online")
            await driver.ask("update_location", **_HERE)
            ride_id = (await rider.ask("request_ride", **_WISH))["ride_id"]
            await driver.ask("accept_ride", ride_id=ride_id)
            self._waiting += [Talk(ride_id, rider, driver), Talk(ride_id, driver, rider)] * _EACH

    def next(self) -> Talk | None:
        """Somebody with something to say; None once all have said what they may."""
        return self._waiting.popleft() if self._waiting else None

    async def end(self) -> None:
        """Hang up."""
        await asyncio.gather(*(side.client.close() for side in self._sides))
