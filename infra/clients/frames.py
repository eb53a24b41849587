"""The frames of each contract as types of TypeScript and Python, made of docs/api/asyncapi.json."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[2]
DOCUMENT = HOME / "docs" / "api" / "asyncapi.json"
TYPESCRIPT = HOME / "clients" / "typescript" / "src" / "frames.ts"
PYTHON = HOME / "clients" / "python" / "src" / "waybill" / "frames.py"
CONTRACTS = ("feed", "courier", "customer", "rides", "food", "drivers", "ops")
# What keeps a connection going or says where it begins is the clients' own business.
HIDDEN = {
    *("authenticated", "subscription_updated", "heartbeat", "heartbeat_ack", "pong"),
    *("resumed", "gap", "ping_response"),
}

Schema = Mapping[str, Any]
MOST_VALUES = (
    20  # of an enumeration that is spelled out: codes of errors are more, and will be more
)
TS_WORDS = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean"}
PY_WORDS = {"integer": "int", "number": "float", "string": "str", "boolean": "bool"}


def make_files() -> dict[Path, str]:
    """Make the text of each file."""
    document = json.loads(DOCUMENT.read_text())
    return {TYPESCRIPT: write_typescript(document), PYTHON: write_python(document)}


def list_frames(document: Schema, contract: str) -> Iterator[tuple[str, Schema]]:
    """List what a contract's server says: the type, and the schema of its data."""
    for name in document["channels"][contract]["messages"]:
        if not name.endswith(".out"):
            continue
        message = document["components"]["messages"][f"{contract}.{name}"]
        payload = message["payload"]
        if message["name"] not in HIDDEN:
            yield message["name"], payload.get("properties", {}).get("data", payload)


def list_feed_events(document: Schema) -> list[str]:
    """List the feed's types of event."""
    messages = document["components"]["messages"]
    return [
        messages[f"feed.{name}"]["name"]
        for name in document["channels"]["feed"]["messages"]
        if "event_type" in messages[f"feed.{name}"]["payload"].get("properties", {})
    ]


def list_shared(document: Schema) -> dict[str, Schema]:
    """List the schemas with names of their own that the frames refer to."""
    found: dict[str, Schema] = {}
    due = [schema for contract in CONTRACTS for _, schema in list_frames(document, contract)]
    while due:
        for name in _list_references(due.pop()):
            if name not in found:
                found[name] = document["components"]["schemas"][name]
                due.append(found[name])
    return dict(sorted(found.items()))


def _list_references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for part in schema:
            yield from _list_references(part)
    elif isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield _get_name(schema)
        for part in schema.values():
            yield from _list_references(part)


def _get_name(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _list_choices(schema: Schema) -> list[Schema]:
    """List what a schema may be: the parts of a union, or itself."""
    for word in ("oneOf", "anyOf"):
        if word in schema:
            return [choice for part in schema[word] for choice in _list_choices(part)]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": type_} for type_ in schema["type"]]
    return [schema]


def _list_values(schema: Schema) -> list[Any]:
    """List the values that a schema allows, where these are few."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return list(values) if len(values) <= MOST_VALUES else []


# TypeScript


def write_typescript(document: Schema) -> str:
    """Write frames.ts."""
    lines = [
        "// What each contract's server says: the type of a frame, and its data. Made of",
        "// docs/api/asyncapi.json by `python -m infra.clients`.",
        "",
        "/** The feed's types of event. */",
        "export const FEED_EVENTS: string[] = [",
        *(f'  "{name}",' for name in list_feed_events(document)),
        "];",
    ]
    for name, schema in list_shared(document).items():
        lines += ["", f"export type {name} = {_spell(schema, '')};"]
    lines += ["", "export interface Frames {"]
    for contract in CONTRACTS:
        lines.append(f"  {contract}: {{")
        for name, schema in list_frames(document, contract):
            lines.append(f'    "{name}": {_spell(schema, "    ")};')
        lines.append("  };")
    return "\n".join([*lines, "}", ""])


def _spell(schema: Schema, indent: str) -> str:
    parts = dict.fromkeys(_spell_one(choice, indent) for choice in _list_choices(schema))
    return " | ".join(parts)


def _spell_one(schema: Schema, indent: str) -> str:
    if "$ref" in schema:
        return _get_name(schema)
    if values := _list_values(schema):
        return " | ".join(json.dumps(value) for value in values)
    if schema.get("type") == "array":
        return f"Array<{_spell(schema.get('items', {}), indent)}>"
    if schema.get("type") == "object" and schema.get("properties"):
        required = schema.get("required", ())
        inner = indent + "  "
        fields = [
            f"{inner}{_spell_key(key)}{'' if key in required else '?'}: {_spell(part, inner)};"
            for key, part in schema["properties"].items()
        ]
        return "\n".join(["{", *fields, indent + "}"])
    if schema.get("type") == "object":
        return "Record<string, unknown>"
    if schema.get("type") == "null":
        return "null"
    return TS_WORDS.get(str(schema.get("type")), "unknown")


def _spell_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII) else json.dumps(key)


# Python


class _PythonWriter:
    """Writes a TypedDict for each object, an inner one before the one that has it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, name: str, schema: Schema, words: str = "") -> None:
        """Write a name for a schema."""
        if schema.get("type") == "object" and schema.get("properties"):
            self._write_class(name, schema, words)
        else:
            self.lines += ["", f"{name} = {self._spell(schema, name)}"]

    def _write_class(self, name: str, schema: Schema, words: str = "") -> None:
        required = schema.get("required", ())
        fields = []
        for key, part in schema["properties"].items():
            if not key.isidentifier() or keyword.iskeyword(key):
                continue
            spelled = self._spell(part, name + _make_name(key))
            fields.append(f"    {key}: {spelled if key in required else f'NotRequired[{spelled}]'}")
        said = [f'    """{words}"""', ""] if words else []
        self.lines += ["", "", f"class {name}(TypedDict):", *said, *(fields or ["    pass"])]

    def _spell(self, schema: Schema, name: str) -> str:
        choices = _list_choices(schema)
        names = [f"{name}{number}" if number else name for number in range(len(choices))]
        parts = dict.fromkeys(map(self._spell_one, choices, names))
        return " | ".join(sorted(parts, key=lambda part: part == "None"))

    def _spell_one(self, schema: Schema, name: str) -> str:
        if "$ref" in schema:
            return _get_name(schema)
        if values := _list_values(schema):
            return f"Literal[{', '.join(map(_spell_literal, values))}]"
        if schema.get("type") == "array":
            return f"list[{self._spell(schema.get('items', {}), name)}]"
        if schema.get("type") == "object" and schema.get("properties"):
            self._write_class(name, schema)
            return name
        if schema.get("type") == "object":
            return "dict[str, Any]"
        if schema.get("type") == "null":
            return "None"
        return PY_WORDS.get(str(schema.get("type")), "Any")


def write_python(document: Schema) -> str:
    """Write frames.py."""
    writer = _PythonWriter()
    for name, schema in list_shared(document).items():
        writer.write(name, schema)
    for contract in CONTRACTS:
        for type_, schema in list_frames(document, contract):
            _write_frame(writer, contract, type_, schema)
    return "\n".join([*_head(list_feed_events(document)), *writer.lines, ""])


def _write_frame(writer: _PythonWriter, contract: str, type_: str, schema: Schema) -> None:
    name = _make_name(contract) + _make_name(type_)
    words = f"The data of `{type_}`, contract `{contract}`."
    choices = _list_choices(schema)
    if len(choices) == 1:
        writer.write(name, choices[0], words)
        return
    writer.write(name, choices[0], words)
    for number, choice in enumerate(choices[1:], 1):
        writer.write(f"{name}{number}", choice, words)


def _head(events: Iterable[str]) -> list[str]:
    return [
        '"""What each contract\'s server says, as types of its data.',
        "",
        "Made of docs/api/asyncapi.json by `python -m infra.clients`.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from typing import TYPE_CHECKING, Any, Literal, TypedDict",
        "",
        "if TYPE_CHECKING:",
        "    from typing_extensions import NotRequired",
        "",
        "FEED_EVENTS: tuple[str, ...] = (",
        *(f'    "{name}",' for name in events),
        ")",
    ]


def _spell_literal(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _make_name(words: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", words))
