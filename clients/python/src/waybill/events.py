"""What a connection hears: frames as they came, with what is the same in all contracts."""

from __future__ import annotations

from typing import Any, NamedTuple


class Gap(NamedTuple):
    """What is missing: what came after `from_` and before `oldest` is gone. Read the state anew."""

    from_: str
    oldest: str


class Event(dict[str, Any]):
    """One frame, as it came: a dict, with the names below beside its own."""

    @property
    def type(self) -> str:
        """The event's name, whichever key the contract has it under."""
        return str(self.get("event_type", self.get("event", self.get("type"))))

    @property
    def data(self) -> Any:
        """What is said: of a contract that has no `data`, the frame."""
        return self.get("data", self)

    @property
    def pos(self) -> str | None:
        """Where it stands in the log; only where a position is used, and only of what is kept."""
        found = self.get("pos")
        return found if isinstance(found, str) else None
