"""What a contract says: the form of it, and the envelopes that contracts share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from chalicelib.contracts.base import MAX_TOKEN, Contract
from chalicelib.contracts.renderer import GAP, RESUMED
from infra.documents.shapes import (
    STRING,
    Schema,
    asked,
    described,
    only,
    text,
    told,
)

NOTHING = asked({})
EMPTY = told({})
TOKEN = text(MAX_TOKEN)
REFRESH_TOKEN = asked({"token": TOKEN})
ERROR = told({"message": STRING})
POSITION = described(STRING, "A position, for `from`; only for those who have sent one.")
FROM = described(STRING, "A position, or `now`: what comes after it is told, with positions.")
# What comes after a position, or is missing of it.
RESUMPTION: Mapping[str, Schema] = {
    RESUMED: told({"from": STRING, "to": STRING}),
    GAP: told({"from": STRING, "oldest": STRING}),
}


def add_position(frame: Schema) -> Schema:
    """Describe an event's frame with its position beside the keys of the envelope."""
    return {**frame, "properties": {**frame["properties"], "pos": POSITION}}


class Said(msgspec.Struct, frozen=True):
    """What one contract says. `messages` are what clients send, `answers` the frame that answers
    each, where one does; `pushed` what events become; `own` whatever else we send. Each is the data
    of its frame, which `wrap` puts into the contract's envelope. `add_position` describes a frame
    of an event that is kept; None where none is."""

    messages: Mapping[str, Schema]
    answers: Mapping[str, str]
    pushed: Mapping[str, Schema]
    own: Mapping[str, Schema]
    wrap: Callable[[str, Schema], Schema]
    wrap_asked: Callable[[str, Schema], Schema]
    add_position: Callable[[Schema], Schema] | None = add_position

    def list_frames(self) -> dict[str, Schema]:
        """List the whole frames that we send, by their names."""
        add = self.add_position
        own = {**self.own, **(RESUMPTION if add else {})}
        pushed = {name: self.wrap(name, data) for name, data in self.pushed.items()}
        if add:
            pushed = {name: add(frame) for name, frame in pushed.items()}
        return {**pushed, **{name: self.wrap(name, data) for name, data in own.items()}}

    def list_messages(self) -> dict[str, Schema]:
        """List the whole frames that clients send, by their names."""
        return {name: self.wrap_asked(name, data) for name, data in self.messages.items()}


def check_tables(contract: Contract, said: Said) -> None:
    """Compare the names with the contract's own tables. Raises ValueError where they differ."""
    written = {writer.name for writers in contract.writers.values() for writer in writers}
    for what, code, named in (
        ("messages", set(contract.messages), set(said.messages)),
        ("frames", written, set(said.pushed)),
    ):
        if code != named:
            raise ValueError(f"{what} of {contract.paths}: {sorted(code ^ named)} differ")


def wrap_event(name: str, data: Schema) -> Schema:
    """Describe {event, data}."""
    return told({"event": only(name), "data": data})


def wrap_asked_event(name: str, data: Schema) -> Schema:
    """Describe {event, data?} as clients send it."""
    return {**asked({"event": only(name)}, {"data": data}), **require_data(data)}


def wrap_type(name: str, data: Schema) -> Schema:
    """Describe {type, …}."""
    fields = {"type": only(name), **data.get("properties", {})}
    return {**data, "properties": fields, "required": ["type", *data.get("required", ())]}


def require_data(data: Schema) -> Schema:
    return {"required": ["event", "data"]} if data.get("required") else {}
