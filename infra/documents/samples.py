"""Examples: the messages and frames below tests/samples, by contract and name.

Only those that are whole are shown: the specs show a part of some. Spec 003's events lack what
every event has in its envelope, which is added.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from chalicelib.contracts.feed.events import EVENT_KINDS
from infra.documents.openapi import SAMPLES, SCHEMAS
from infra.documents.shapes import Schema, pick_schemas

_MAX_EXAMPLES = 2
_FOLDERS = {"customer": "courier", "socketio": "food"}
_ENVELOPE = {"event_id": "evt_MTcuY3VzdF8xMjM", "timestamp": "2026-01-27T14:50:00.000Z"}
_SOURCES = {kind.name: kind.source for kind in EVENT_KINDS.values()}


def find_sample(contract: str, name: str, schema: Schema) -> list[Any]:
    """Find examples of a message or frame: those that are valid by its schema."""
    schemas = pick_schemas(SCHEMAS, schema)
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": {"schemas": schemas}})
    known = _read_folder(_FOLDERS.get(contract, contract)).get(name, [])
    framed = [[one["event"], one["data"]] if contract == "socketio" else one for one in known]
    return [one for one in framed if validator.is_valid(one)][:_MAX_EXAMPLES]


@lru_cache
def _read_folder(contract: str) -> dict[str, list[Any]]:
    """Read a contract's samples as whole frames, by the names in them."""
    found: dict[str, list[Any]] = defaultdict(list)
    for path in sorted((SAMPLES / contract).rglob("*.json")):
        for frame in _read_frames(contract, path):
            name = frame.get("event") or frame.get("event_type") or frame.get("type")
            found[str(name)].append(frame)
    return found


def _read_frames(contract: str, path: Path) -> Iterator[dict[str, Any]]:
    """Read a file: a frame, or the data of one, which is named by the file then."""
    sample = json.loads(path.read_text())
    name = path.stem.partition(".")[0]
    if contract == "food":
        yield {"event": name, "data": sample}
    elif contract == "rides":
        is_answer = path.parent.name == "responses"
        yield {"event": f"{name}_response" if is_answer else name, "data": sample}
    elif "event_type" in sample:
        yield {**_ENVELOPE, "source": _SOURCES[sample["event_type"]], **sample}
    else:
        yield sample
