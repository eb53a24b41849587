"""The three WebSocket handlers: connect, message, disconnect."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from chalicelib.domain.asks import Ask
from chalicelib.domain.connections import Connection
from chalicelib.domain.people import Actor
from chalicelib.edge.auth import bearer
from chalicelib.edge.waybill import Waybill
from chalicelib.errors import Forbidden, NotFound, WaybillError


def connect(waybill: Waybill, event: Mapping[str, Any]) -> int:
    """Admit a connection, or refuse the handshake: the HTTP status that answers it."""
    try:
        contract, actor = _admitted(waybill, event)
        context = event["requestContext"]
        waybill.presence.open(
            Connection(
                id=context["connectionId"],
                contract=contract,
                connected_at=datetime.fromtimestamp(context["connectedAt"] / 1000, tz=timezone.utc),
                person_id=actor.id,
                role=actor.role,
            )
        )
    except WaybillError as error:
        return error.http_status
    return 200


def _admitted(waybill: Waybill, event: Mapping[str, Any]) -> tuple[str, Actor]:
    """The contract's name and who connects. The role is the token's: a query can't claim one."""
    query = event.get("queryStringParameters") or {}
    headers = {k.lower(): v for k, v in (event.get("headers") or {}).items()}
    name = query.get("contract", "")
    contract = waybill.contracts.get(name)
    if contract is None:
        raise NotFound("There is no such contract.")
    actor = waybill.authenticate(bearer(headers.get("authorization")) or query.get("token"))
    if actor.role is not contract.role:
        raise Forbidden("This path is for another role.")
    return name, actor


def message(waybill: Waybill, connection_id: str, body: str) -> None:
    """Do what a client asks; say no in the contract's own form. The socket stays open."""
    connection = waybill.presence.get(connection_id)
    if connection is None:
        return  # it ended while this was on its way
    contract = waybill.contracts[connection.contract]
    try:
        perform(waybill, connection, contract.read(body, waybill.clock()))
    except WaybillError as error:
        for text in contract.refusal(error):
            waybill.presence.post(connection_id, text)


def disconnect(waybill: Waybill, connection_id: str) -> None:
    """Forget a connection that has ended."""
    waybill.presence.close(connection_id)


def perform(waybill: Waybill, connection: Connection, ask: Ask) -> None:
    """Do one thing asked over a socket. Raises WaybillError."""
    actor = Actor(connection.person_id, connection.role)
    waybill.fleet.record_fix(actor, ask.fix)
