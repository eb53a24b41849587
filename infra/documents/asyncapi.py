"""AsyncAPI 3.0 of the sockets, and of the webhooks that are sent.

Operations are Waybill's own: it receives what clients send, and sends what they are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.contracts.base import Contract
from chalicelib.contracts.registry import build_contracts
from chalicelib.settings import Settings
from infra.documents.frames import SAID
from infra.documents.frames.food import SOCKETIO_CONNECT, SOCKETIO_PACKETS
from infra.documents.frames.said import FROM, Said, check_tables
from infra.documents.openapi import JSON, SCHEMAS
from infra.documents.samples import find_sample
from infra.documents.shapes import STRING, Schema, output_object, pick_schemas, with_words
from infra.documents.webhook_events import HEADERS, WEBHOOKS

INTRODUCTION = """\
Waybill's sockets, a channel for each contract, and the webhooks that it sends. `openapi.json`,
beside this document, has REST.

- **A token** comes in the handshake's `Authorization: Bearer …`, or as `token` in its query, or,
  where the contract has a message for it, in that. A bad one is refused by 401 or 403 before the
  socket opens.
- **Frames may get more fields**, and there may be more frames: pass over what you do not know.
- **Nothing is missed** by who connects with a position, `from`: `resumed` or `gap` answers it, and
  each frame that is kept has its own, `pos`.
- **A frame may come more than once**: what was told, and was not known to have arrived, is told
  again.
- Frames are text; one has at most 64 KB where a client sends it, and 128 KB where it is sent one.
"""
# What each contract is, and of which paths AsyncAPI has one.
_TITLES: Mapping[str, str] = {
    "courier": "Couriers: offers, and their positions (spec 000).",
    "customer": "Customers: how their deliveries stand (spec 000).",
    "rides": "Riders and drivers (spec 001).",
    "food": "Food orders, as plain JSON (spec 002).",
    "socketio": "Food orders, for Socket.IO clients: namespace /orders, Engine.IO 4 (spec 002).",
    "feed": "The event feed (spec 003).",
    "drivers": "Drivers' orders (spec 004).",
    "track": "One order, for whoever has its tracking link.",
    "ops": "The dispatcher's board: orders and couriers as they are, and figures.",
}
_PREFIX = {"socketio": "42/orders,"}


def make_asyncapi() -> dict[str, Any]:
    """Make the document. Raises ValueError where frames and the contracts' tables differ."""
    contracts = build_contracts(Settings(jwt_secret="-" * 32))
    if contracts.keys() != SAID.keys():
        raise ValueError(f"contracts and frames differ: {sorted(contracts.keys() ^ SAID.keys())}")
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for name, contract in contracts.items():
        said = SAID[name]
        check_tables(contract, said)
        channels[name] = _describe_channel(name, contract, said)
        operations |= _list_operations(name, contract, said)
        messages |= _list_messages(name, contract, said)
    channels["webhooks"] = _describe_webhooks()
    operations["webhooks.send"] = _refer_all("webhooks", WEBHOOKS)
    messages |= {f"webhooks.{type_}": _describe_webhook(type_) for type_ in WEBHOOKS}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Waybill", "version": "1", "description": INTRODUCTION},
        "defaultContentType": JSON,
        "servers": _SERVERS,
        "channels": channels,
        "operations": operations,
        "components": {
            "schemas": pick_schemas(SCHEMAS, messages),
            "messages": messages,
            "securitySchemes": _SECURITY_SCHEMES,
        },
    }


_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    "token": {
        "type": "httpApiKey",
        "in": "query",
        "name": "token",
        "description": "The same token, for browsers, which can't set a header.",
    },
}
_SERVERS = {
    "sockets": {
        "host": "{host}",
        "protocol": "wss",
        "description": "A stage. On a machine of your own: ws, 127.0.0.1:8000.",
        "variables": {"host": {"default": "waybill.example"}},
        "security": [
            {"$ref": "#/components/securitySchemes/bearer"},
            {"$ref": "#/components/securitySchemes/token"},
        ],
    },
    "endpoints": {
        "host": "{endpoint}",
        "protocol": "https",
        "description": "A webhook endpoint of yours.",
        "variables": {"endpoint": {"default": "shop.example"}},
    },
}


# Channels


def _describe_channel(name: str, contract: Contract, said: Said) -> dict[str, Any]:
    return {
        "address": contract.paths[0],
        "title": name,
        "description": " ".join((_TITLES[name], *_describe_habits(contract))),
        "servers": [{"$ref": "#/servers/sockets"}],
        "messages": {
            _name_message(one, direction): {
                "$ref": f"#/components/messages/{name}.{_name_message(one, direction)}"
            }
            for one, direction in _list_directions(name, said)
        },
        "bindings": {"ws": {"method": "GET", "query": _describe_query(name, contract)}},
    }


def _describe_habits(contract: Contract) -> Iterable[str]:
    roles = " and ".join(sorted(role.value for role in contract.roles))
    yield f"For {roles}."
    if contract.opens_by_link:
        yield "The link's own token opens it, in the query."
    if contract.requires_auth_message:
        yield "The first message brings the token, whatever the handshake had."
    elif contract.authenticates_by_message:
        yield "It may open without a token; then the first message brings it."
    if contract.requires_profile:
        yield "Only for people with a profile (PUT /api/v1/me)."
    if len(contract.paths) > 1:
        yield f"Also at {', '.join(contract.paths[1:])}."
    if contract.rate_limit:
        limit = contract.rate_limit
        yield f"At most {limit.max_requests} messages in {limit.window.total_seconds():g} s."


def _describe_query(name: str, contract: Contract) -> Schema:
    if contract.opens_by_link:
        return output_object({"token": with_words(STRING, "What the link ends in.")})
    fields = {"token": with_words(STRING, "A token, where no header can be set."), "from": FROM}
    if name == "ops":
        zone = with_words(STRING, "An H3 cell of OPS_ZONE_RESOLUTION; empty or missing: all.")
        return output_object({}, {**fields, "zone": zone})
    if name == "socketio":
        return {
            **output_object({"EIO": {"type": "string", "const": "4"}}, fields),
            "description": "As Socket.IO clients send it; transport=websocket.",
        }
    return output_object({}, fields)


# Messages: a client's and ours may have one name (`heartbeat`, `refresh`), and are two.

IN, OUT = "in", "out"


def _name_message(name: str, direction: str) -> str:
    return f"{name}.{direction}"


def _list_directions(contract: str, said: Said) -> Iterable[tuple[str, str]]:
    yield from ((name, IN) for name in said.messages)
    yield from ((name, OUT) for name in said.list_frames())
    yield from _list_packets(contract)


def _list_packets(contract: str) -> list[tuple[str, str]]:
    """List the messages of Socket.IO that are no events."""
    if contract != "socketio":
        return []
    return [("connect", IN), *((name, OUT) for name in _PACKETS)]


_PACKETS: Mapping[str, tuple[str, str]] = {
    "open": ("0", "The first frame: 0 and this."),
    "connected": ("40", "The answer to CONNECT: 40/orders, and this."),
    "connect_error": ("44", "CONNECT is refused: 44/orders, and this."),
    "ack": ("43", "The answer to an event with an ack id N: 43/orders,N and this."),
}


def _list_messages(name: str, contract: Contract, said: Said) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for sent, schema in said.list_messages().items():
        roles = sorted(role.value for role in contract.messages[sent].roles)
        words = f"A client sends `{sent}`: {' or '.join(roles)}."
        found[f"{name}.{_name_message(sent, IN)}"] = _describe_message(name, sent, schema, words)
    for shown, schema in said.list_frames().items():
        words = _list_causes(contract, said, shown)
        found[f"{name}.{_name_message(shown, OUT)}"] = _describe_message(name, shown, schema, words)
    if name == "socketio":
        found |= _list_packet_messages()
    return found


def _list_packet_messages() -> dict[str, Any]:
    connect = "A client asks for the namespace: 40/orders, and this, or nothing."
    found = {
        f"socketio.{_name_message(name, OUT)}": {
            "name": name,
            "summary": words,
            "payload": SOCKETIO_PACKETS[digits],
        }
        for name, (digits, words) in _PACKETS.items()
    }
    asked = {"name": "connect", "summary": connect, "payload": SOCKETIO_CONNECT}
    return {**found, f"socketio.{_name_message('connect', IN)}": asked}


def _describe_message(contract: str, name: str, schema: Schema, words: str) -> dict[str, Any]:
    message: dict[str, Any] = {"name": name, "summary": words, "payload": schema}
    if prefix := _PREFIX.get(contract):
        message["description"] = f"The frame is {prefix} and the payload as JSON."
    if samples := find_sample(contract, name, schema):
        message["examples"] = [{"payload": one} for one in samples]
    return message


def _list_causes(contract: Contract, said: Said, name: str) -> str:
    """Say when a frame is sent: by which events of the core, or as an answer to what."""
    types = sorted(
        {
            (f"{type_} (to the {role.value})" if (role := writer.audience) else type_)
            for type_, writers in contract.writers.items()
            for writer in writers
            if writer.name == name
        }
    )
    if types:
        return f"Sent on {', '.join(types)}."
    answered = [message for message, answer in said.answers.items() if answer == name]
    if answered:
        return f"Answers {', '.join(answered)}."
    return _OWN_WORDS.get(name, "Sent by itself.")


_OWN_WORDS = {
    "error": "What was sent can't be done; the socket stays open unless nobody has authenticated.",
    "heartbeat": "A sign of life, where HEARTBEAT_S asks for some; pass over it.",
    "connection_established": "The first frame.",
    "resumed": "Answers a position: all that came after `from` is told now.",
    "gap": "Answers a position: something is lost, read the state anew; what is kept is told now.",
    "connected": "The first frame: read the order again.",
    "initial_orders": "The second frame: what is offered now.",
}


# Operations


def _list_operations(name: str, contract: Contract, said: Said) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for sent in (*said.messages, *(["connect"] if name == "socketio" else [])):
        operation = _refer_operation("receive", name, [_name_message(sent, IN)])
        if answer := said.answers.get(sent):
            operation["reply"] = {
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [_refer(name, _name_message(answer, OUT))],
            }
        found[f"{name}.{sent}"] = operation
    told_names = [one for one, direction in _list_directions(name, said) if direction == OUT]
    pushed = [_name_message(one, OUT) for one in told_names]
    found[f"{name}.told"] = _refer_operation("send", name, pushed)
    return found


def _refer_operation(action: str, channel: str, messages: Iterable[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [_refer(channel, one) for one in messages],
    }


def _refer(channel: str, message: str) -> dict[str, str]:
    # A JSON pointer in a URI.
    return {"$ref": f"#/channels/{channel}/messages/{message}"}


# Webhooks


def _describe_webhooks() -> dict[str, Any]:
    return {
        "address": None,
        "title": "webhooks",
        "description": "What an endpoint is sent, a POST each (Standard Webhooks).",
        "servers": [{"$ref": "#/servers/endpoints"}],
        "messages": {
            type_: {"$ref": f"#/components/messages/webhooks.{type_}"} for type_ in WEBHOOKS
        },
    }


def _refer_all(channel: str, names: Iterable[str]) -> dict[str, Any]:
    return {
        **_refer_operation("send", channel, names),
        "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
    }


def _describe_webhook(type_: str) -> dict[str, Any]:
    headers = {name: with_words(STRING, words) for name, words in HEADERS.items()}
    return {"name": type_, "headers": output_object(headers), "payload": WEBHOOKS[type_]}
