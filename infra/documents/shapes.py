"""JSON Schema (2020-12) in few words: what the documents' bodies are made of.

Requests are open: a reader passes over what it does not know. An optional field may be null, which
is as if it were absent. What we send has no nulls unless it says so, and nothing beside what is
listed; it is open in the documents, as there will be more, and closed where tests look at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from chalicelib.contracts.base import MAX_TEXT
from chalicelib.contracts.moments import RFC3339

Schema = dict[str, Any]
Fields = Mapping[str, Schema]

_SCHEMAS = "#/components/schemas/"

STRING: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
URI: Schema = {"type": "string", "format": "uri"}


def text(most: int = MAX_TEXT, **more: Any) -> Schema:
    """Describe a text that must say something, of at most so many characters once it is trimmed."""
    return {"type": "string", "minLength": 1, "maxLength": most, "pattern": r"\S", **more}


def free_text(most: int = MAX_TEXT, **more: Any) -> Schema:
    """Describe a text that may be empty, which is as if it were absent."""
    return {"type": "string", "maxLength": most, **more}


def number(low: float, high: float, **more: Any) -> Schema:
    """Describe a number within bounds."""
    return {"type": "number", "minimum": low, "maximum": high, **more}


def input_time(**more: Any) -> Schema:
    """Describe a time that a client gives: it must say its offset."""
    return {"type": "string", "format": "date-time", "pattern": f"^(?:{RFC3339})$", **more}


def choice(values: Iterable[str | Enum]) -> Schema:
    """Describe one word of several."""
    words = [str(one.value) if isinstance(one, Enum) else one for one in values]
    return {"type": "string", "enum": list(dict.fromkeys(words))}


def only(word: str) -> Schema:
    """Describe a text that is always this."""
    return {"type": "string", "const": word}


def array_of(items: Schema, **more: Any) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": items, **more}


def map_of(values: Schema, **more: Any) -> Schema:
    """Describe an object whose names are anybody's."""
    return {"type": "object", "additionalProperties": values, **more}


def one_of(*schemas: Schema, **more: Any) -> Schema:
    """Describe a value that is exactly one of several."""
    return {"oneOf": list(schemas), **more}


def any_of(*schemas: Schema, **more: Any) -> Schema:
    """Describe a value that is one of several at least."""
    return {"anyOf": list(schemas), **more}


def nullable(schema: Schema) -> Schema:
    """Let a value be null as well."""
    if "enum" in schema:
        return {**schema, "type": [schema["type"], "null"], "enum": [*schema["enum"], None]}
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def ref(name: str) -> Schema:
    """Refer to a schema of the document's components."""
    return {"$ref": _SCHEMAS + name}


def input_object(required: Fields, optional: Fields | None = None, **more: Any) -> Schema:
    """Describe an object that a client sends."""
    fields = {**required, **{name: nullable(one) for name, one in (optional or {}).items()}}
    names = {"required": list(required)} if required else {}
    return {"type": "object", "properties": fields, **names, **more}


def output_object(always: Fields, sometimes: Fields | None = None, **more: Any) -> Schema:
    """Describe an object that we send."""
    fields = {**always, **(sometimes or {})}
    names = {"required": list(always)} if always else {}
    return {"type": "object", "properties": fields, **names, **more}


def with_words(schema: Schema, words: str) -> Schema:
    """Say something of a schema."""
    return {**schema, "description": words}


def close(schema: Any) -> Any:
    """Return a schema by which an object may have nothing but what is listed of it: for tests, as
    what we send has nothing else."""
    if isinstance(schema, list):
        return [close(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: close(one) for name, one in schema.items()}
    if closed.get("type") == "object" and isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def pick_schemas(schemas: Mapping[str, Schema], *users: Any) -> dict[str, Schema]:
    """Pick the schemas that something refers to, and those that they refer to, by name."""
    picked: dict[str, Schema] = {}
    waiting = list(users)
    while waiting:
        for name in _list_references(waiting.pop()):
            if name not in picked:
                picked[name] = schemas[name]
                waiting.append(schemas[name])
    return dict(sorted(picked.items()))


def _list_references(value: Any) -> Iterable[str]:
    if isinstance(value, list):
        for one in value:
            yield from _list_references(one)
    if isinstance(value, dict):
        target = value.get("$ref")
        if isinstance(target, str) and target.startswith(_SCHEMAS):
            yield target.removeprefix(_SCHEMAS)
        for one in value.values():
            yield from _list_references(one)
