"""Dispatchers' consoles: what somebody knows of the board, by the frames that they were sent."""

from __future__ import annotations

import json
from typing import Any

from tests.functional.world import Socket, Someone, World


class Console:
    """A socket that watches, and the rows that it knows."""

    def __init__(self, world: World, person: Someone, **query: str) -> None:
        self.world = world
        self.socket: Socket = world.connect(person, "ops", query=query)
        self.orders: dict[str, dict[str, Any]] = {}
        self.couriers: dict[str, dict[str, Any]] = {}
        self.pos = ""

    def take(self) -> list[dict[str, Any]]:
        """The frames that came since; the rows are as they say."""
        frames = self.socket.take()
        for frame in frames:
            self._apply(frame)
        return frames

    def wait(self, seconds: float = 2) -> list[dict[str, Any]]:
        """Let time pass, and take what came."""
        self.world.pass_time(seconds)
        return self.take()

    def _apply(self, frame: dict[str, Any]) -> None:
        if frame["type"] not in ("snapshot", "delta"):
            return
        if frame.get("part") == 1:
            self.orders.clear()
        if frame.get("part") == 1 or "couriers" in frame.get("reset", ()):
            self.couriers.clear()
        for name, rows in (("orders", self.orders), ("couriers", self.couriers)):
            rows.update({row["id"]: row for row in frame[name]})
        for id_ in frame.get("removed", ()):
            self.orders.pop(id_, None)
        for id_ in frame.get("removed_couriers", ()):
            self.couriers.pop(id_, None)
        self.pos = frame["pos"]

    @property
    def states(self) -> dict[str, str]:
        """Each order's state."""
        return {id_: row["state"] for id_, row in self.orders.items()}

    @property
    def said(self) -> str:
        """All that it was ever sent."""
        return json.dumps(self.socket.frames)
