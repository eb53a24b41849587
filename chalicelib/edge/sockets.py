"""The three WebSocket handlers: connect, message, disconnect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from msgspec.structs import replace

from chalicelib.contracts.base import Contract, Refused, Request
from chalicelib.domain.asks import Authenticate
from chalicelib.domain.connections import Connection
from chalicelib.domain.people import Actor
from chalicelib.edge.bearer import bearer
from chalicelib.edge.desk import perform
from chalicelib.edge.waybill import Waybill
from chalicelib.errors import Forbidden, NotFound, Stale, WaybillError


def connect(waybill: Waybill, event: Mapping[str, Any]) -> int:
    """Admit a connection, or refuse the handshake: the HTTP status that answers it."""
    try:
        name, actor = _admitted(waybill, event)
        waits = waybill.contracts[name].asks_first
        context = event["requestContext"]
        waybill.presence.open(
            Connection(
                id=context["connectionId"],
                contract=name,
                connected_at=datetime.fromtimestamp(context["connectedAt"] / 1000, tz=timezone.utc),
                **({"vouched": actor if actor.id else None} if waits else identity(actor)),
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
    token = bearer(headers.get("authorization")) or query.get("token")
    if contract.in_band and not token:
        return name, Actor("", None)
    actor = waybill.authenticate(token)
    if actor.role not in contract.roles:
        raise Forbidden("This path is for another role.")
    return name, actor


def message(waybill: Waybill, connection_id: str, body: str) -> None:
    """Do what a client asks; say no in the contract's own form. The socket stays open"""
    connection = waybill.presence.get(connection_id)
    if connection is None:
        return  # it ended while this was on its way
    for text in _answer(waybill, waybill.contracts[connection.contract], connection, body):
        waybill.presence.post(connection_id, text)


def _answer(
    waybill: Waybill, contract: Contract, connection: Connection, body: str
) -> Sequence[str]:
    request = Request()
    try:
        request = contract.read(body, connection, waybill.clock())
        if isinstance(request.ask, Authenticate):
            _authenticate(waybill, contract, connection, request, request.ask.token)
            return ()
        result = perform(waybill, connection, request.ask) if request.ask else None
    except Refused as refused:
        return contract.refusal(refused.request, refused.error)
    except WaybillError as error:
        return contract.refusal(request, error)
    return contract.answer(request, result, connection)


def _authenticate(
    waybill: Waybill, contract: Contract, connection: Connection, request: Request, token: str
) -> None:
    """Admit whoever says who they are, or was vouched for by the handshake and says no more."""
    vouched = connection.vouched
    actor = vouched if vouched and not token else waybill.authenticate(token or None)
    if actor.role not in contract.roles:
        raise Forbidden("This path is for another role.")
    before: Connection | None = connection
    while before and not before.person_id:
        after = replace(before, **identity(actor))
        try:
            waybill.greeting.admit(before, after, contract.answer(request, actor, after))
            return
        except Stale:  # its first frames have just been noted, or it asked twice
            before = waybill.presence.get(connection.id)


def identity(actor: Actor) -> dict[str, Any]:
    """What a connection keeps of the one who speaks on it."""
    return {"person_id": actor.id, "role": actor.role, "restaurant_ids": actor.restaurant_ids}


def disconnect(waybill: Waybill, connection_id: str) -> None:
    """Forget a connection that has ended."""
    waybill.presence.close(connection_id)
