"""What a schema refuses, for each thing that it says: readers of such a request must refuse it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import jsonschema_rs

from infra.documents.openapi import SCHEMAS
from infra.documents.requests import REQUESTS
from infra.documents.shapes import Schema, pick_schemas


def find_bad_values(schema: Schema) -> Iterator[Any]:
    """Values that a schema refuses, one for each thing that it says."""
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types:
        yield next(one for one in ([True], {"a": 1}, 5) if not fits(schema, one))
    if "maxLength" in schema:
        yield "1" * (schema["maxLength"] + 1)
    if schema.get("minLength"):
        yield ""
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "enum" in schema or "const" in schema:
        yield "no such word"
    if "pattern" in schema and not fits(schema, "~"):
        yield "~"
    if "maxItems" in schema:
        yield [schema.get("items", {}).get("const", "x")] * (schema["maxItems"] + 1)
    if schema.get("minItems"):
        yield []
    if "maxProperties" in schema:
        yield {str(n): "x" for n in range(schema["maxProperties"] + 1)}
    if schema.get("additionalProperties") is False:
        yield {"no such name": 1}


def fits(schema: Schema, value: Any) -> bool:
    """Whether a value is valid."""
    return _compile(json.dumps(schema)).is_valid(value)


@lru_cache(maxsize=2000)
def _compile(text: str) -> jsonschema_rs.Draft202012Validator:
    schema = json.loads(text)
    schemas = pick_schemas(SCHEMAS, schema)
    return jsonschema_rs.Draft202012Validator({**schema, "components": {"schemas": schemas}})


def find_refused(schema: Schema, body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what is wrong, body) for all that a schema says of an object's fields."""
    for name in schema.get("required", ()):
        yield f"{name} is absent", {key: one for key, one in body.items() if key != name}
    for name, inner in schema["properties"].items():
        inner = REQUESTS[inner["$ref"].rpartition("/")[2]] if "$ref" in inner else inner
        for bad in find_bad_values(inner):
            yield f"{name} is {str(bad)[:40]!r}", {**body, name: bad}
        if isinstance(body.get(name), dict) and "properties" in inner:
            for what, nested in find_refused(inner, body[name]):
                yield f"{name}: {what}", {**body, name: nested}
    for name, others in schema.get("dependentRequired", {}).items():
        left = {key: one for key, one in body.items() if key not in others}
        yield f"{name} is alone", left
