"""What a contract says: the form of it, and the envelopes that contracts share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from chalicelib import errors
from chalicelib.contracts.base import MAX_TOKEN, Contract
from chalicelib.contracts.renderer import GAP, RESUMED
from chalicelib.domain.messaging.positions import MAX_POSITION
from chalicelib.errors import WaybillError
from infra.documents.shapes import (
    STRING,
    Schema,
    input_object,
    only,
    output_object,
    text,
    with_words,
)

NOTHING = input_object({})
EMPTY = output_object({})
TOKEN = text(MAX_TOKEN)
REFRESH_TOKEN = input_object({"token": TOKEN})
ERROR = output_object({"message": STRING})


class Said(msgspec.Struct, frozen=True):
    """What one contract says. `messages` are what clients send, `answers` the frame that answers
    each, where one does; `pushed` what events become; `own` whatever else we send. Each is the data
    of its frame, which `wrap` puts into the contract's envelope. Where it `resumes`, a client may
    connect with a position, and each frame of an event that is kept has its own then."""

    messages: Mapping[str, Schema]
    answers: Mapping[str, str]
    pushed: Mapping[str, Schema]
    own: Mapping[str, Schema]
    wrap: Callable[[str, Schema], Schema]
    wrap_asked: Callable[[str, Schema], Schema]
    resumes: bool = True

    def list_frames(self) -> dict[str, Schema]:
        """List the whole frames that we send, by their names."""
        own = {**self.own, **(RESUMPTIONS if self.resumes else {})}
        pushed = {name: self.wrap(name, data) for name, data in self.pushed.items()}
        return {
            **{name: add_pos(one) if self.resumes else one for name, one in pushed.items()},
            **{name: self.wrap(name, data) for name, data in own.items()},
        }

    def list_messages(self) -> dict[str, Schema]:
        """List the whole frames that clients send, by their names."""
        return {name: self.wrap_asked(name, data) for name, data in self.messages.items()}


_POS = with_words(STRING, "For who connected with a position: where they are with this frame.")
# The answer to a position.
RESUMPTIONS: Mapping[str, Schema] = {
    RESUMED: output_object({"from": STRING, "to": STRING}),
    GAP: output_object({"from": STRING, "oldest": STRING}),
}
FROM = text(MAX_POSITION, description="A position, or now: what came after it is told.")


def add_pos(frame: Schema) -> Schema:
    """Add `pos` to a frame of an event: beside its envelope's keys, or in one more argument."""
    if frame["type"] == "array":
        arguments = [*frame["prefixItems"], output_object({"pos": _POS})]
        return {**frame, "prefixItems": arguments, "maxItems": len(arguments)}
    return {**frame, "properties": {**frame["properties"], "pos": _POS}}


def list_codes() -> list[str]:
    """List the codes of all errors that the application raises on purpose."""
    kinds = [one for one in vars(errors).values() if isinstance(one, type)]
    return sorted(
        {one.code for one in kinds if issubclass(one, WaybillError) and one is not WaybillError}
    )


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
    return output_object({"event": only(name), "data": data})


def wrap_asked_event(name: str, data: Schema) -> Schema:
    """Describe {event, data?} as clients send it."""
    return {**input_object({"event": only(name)}, {"data": data}), **require_data(data)}


def wrap_type(name: str, data: Schema) -> Schema:
    """Describe {type, …}."""
    fields = {"type": only(name), **data.get("properties", {})}
    return {**data, "properties": fields, "required": ["type", *data.get("required", ())]}


def require_data(data: Schema) -> Schema:
    return {"required": ["event", "data"]} if data.get("required") else {}
