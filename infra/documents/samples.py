"""Examples: the messages and frames below tests/samples, by contract and name.

Only those that are whole: some show a part of a frame, as the specs do.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema_rs

from infra.documents.openapi import SAMPLES, SCHEMAS
from infra.documents.shapes import Schema

_MAX_EXAMPLES = 2
_FOLDERS = {"customer": "courier"}


def find_sample(contract: str, name: str, schema: Schema) -> list[Any]:
    """Find examples of a message or frame: those that are valid by its schema."""
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": {"schemas": SCHEMAS}})
    known = _read_folder(_FOLDERS.get(contract, contract)).get(name, [])
    return [one for one in known if validator.is_valid(one)][:_MAX_EXAMPLES]


@lru_cache
def _read_folder(contract: str) -> dict[str, list[Any]]:
    """Read a contract's samples by the name that each says itself."""
    found: dict[str, list[Any]] = defaultdict(list)
    folder: Path = SAMPLES / contract
    for path in sorted(folder.rglob("*.json")):
        sample = json.loads(path.read_text())
        if isinstance(sample, dict):
            name = sample.get("event") or sample.get("event_type") or sample.get("type")
            if isinstance(name, str):
                found[name].append(sample)
    return found
