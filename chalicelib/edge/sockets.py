"""The three WebSocket handlers: connect, message, disconnect."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from msgspec.structs import replace

from chalicelib.contracts.base import Contract, Refused, Request
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.orders.requests import Authenticate, Listen, Refresh
from chalicelib.domain.people import ROLE_WORDS, Actor
from chalicelib.edge.app_services import Waybill
from chalicelib.edge.bearer import bare, bearer
from chalicelib.edge.hurry import Patience
from chalicelib.edge.socket_requests import perform
from chalicelib.errors import (
    CourierTaken,
    Forbidden,
    NotFound,
    NotOnline,
    PostFailed,
    Stale,
    Unauthenticated,
    Unavailable,
    WaybillError,
)

log = logging.getLogger(__name__)


def connect(waybill: Waybill, event: Mapping[str, Any]) -> int:
    """Admit a connection, or refuse the handshake: the HTTP status that answers it."""
    try:
        name, actor = _admitted(waybill, event)
        contract = waybill.contracts[name]
        waits = contract.asks_first
        context = event["requestContext"]
        connection = Connection(
            id=context["connectionId"],
            contract=name,
            connected_at=datetime.fromtimestamp(context["connectedAt"] / 1000, tz=timezone.utc),
            hears=() if contract.selective else None,
            **({"vouched": actor if actor.id else None} if waits else identity(actor)),
        )
        waybill.presence.open(waybill.greeting.begin(connection))
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
    contract.opening(query)
    token = bearer(headers.get("authorization")) or bare(query.get("token"))
    if contract.in_band and not token:
        return name, Actor("", None)
    actor = waybill.authenticate(token)
    if actor.role not in contract.roles:
        raise Forbidden("This path is for another role.")
    if contract.known_only and not contract.asks_first and not waybill.profiles.known(actor.id):
        raise Forbidden("There is no profile of this person.")
    return name, actor


def message(waybill: Waybill, connection_id: str, body: str) -> None:
    """Do what a client asks; say no in the contract's own form. The socket stays open, unless
    the contract has it otherwise."""
    connection = waybill.presence.get(connection_id)
    if connection is None:
        # It ended while this was on its way, or is forgotten here and still open there: a client
        # that nobody answers would not come again by itself.
        waybill.presence.turn_away(connection_id)
        return
    if connection.expired(waybill.clock()):
        waybill.presence.dismiss_expired(connection)
        return
    contract = waybill.contracts[connection.contract]
    request, patience, early = Request(), waybill.patience(), False
    try:
        if contract.speaks_first and not connection.greeted:  # this overtook the greeting's wakeup
            waybill.greeting.greet(connection_id)
            connection = waybill.presence.get(connection_id) or connection
        request, wrong = _read(waybill, contract, connection, body)
        if isinstance(wrong, Unauthenticated) and not connection.person_id:
            known, early = _await_identity(waybill, connection, patience)
            if known is None:
                return  # it was refused, and ended
            connection = known
            request, wrong = _read(waybill, contract, connection, body)
        if contract.pace and request.paced and (wrong or request.ask):
            connection = waybill.presence.pace(connection, contract.pace)
        if wrong:
            raise wrong
        frames = _answer_on_duty(waybill, contract, connection, request, patience)
    except WaybillError as error:
        _refuse(waybill, contract, connection, request, error, early)
    except (Stale, CourierTaken):
        busy = Unavailable("This is changing too fast; try again.")
        _refuse(waybill, contract, connection, request, busy)
    else:
        _post(waybill, connection_id, frames)


def _read(
    waybill: Waybill, contract: Contract, connection: Connection, body: str
) -> tuple[Request, WaybillError | None]:
    """What is asked, and what is wrong with it, if anything."""
    try:
        return contract.read(body, connection, waybill.clock()), None
    except Refused as refused:
        return refused.request, refused.error
    except WaybillError as error:
        return Request(), error


def _await_identity(
    waybill: Waybill, connection: Connection, patience: Patience
) -> tuple[Connection | None, bool]:
    """Wait for somebody to say who they are: the message that says it may have been overtaken by
    this one. Returns the connection as it is then, None once it is gone, and whether it is worth
    to wait on."""
    current: Connection | None = connection
    waited = False
    while current and not current.person_id and patience.wait_for_identity(current):
        waited = True
        current = waybill.presence.get(connection.id)
    if current and current.person_id:
        patience.let_pass()
    return current, waited


def _answer_on_duty(
    waybill: Waybill,
    contract: Contract,
    connection: Connection,
    request: Request,
    patience: Patience,
) -> Sequence[str]:
    """Do what is asked; where that takes a courier on duty, wait for one who is just going: their
    message may have been overtaken by this one."""
    while True:
        try:
            return _answer(waybill, contract, connection, request)
        except NotOnline:
            if not patience.wait_for_duty(connection):
                raise


def _answer(
    waybill: Waybill, contract: Contract, connection: Connection, request: Request
) -> Sequence[str]:
    ask = request.ask
    if isinstance(ask, Authenticate):
        _authenticate(waybill, contract, connection, request, ask)
        return ()
    if isinstance(ask, Refresh):
        actor = waybill.authenticate(bare(ask.token) or None)
        _prolong(waybill, contract, connection, request, actor)
        return ()
    if isinstance(ask, Listen):
        _admit(waybill, contract, connection, request, lambda c: _retuned(c, ask))
        return ()
    result = perform(waybill, connection, ask) if ask else None
    return contract.answer(request, result, connection)


def _refuse(
    waybill: Waybill,
    contract: Contract,
    connection: Connection,
    request: Request,
    error: WaybillError,
    early: bool = False,
) -> None:
    """Say no. `early`: the message that says who this is may have been overtaken, and yet come."""
    _post(waybill, connection.id, contract.refusal(request, error))
    if not contract.ends(request, connection):
        return
    if early:
        with suppress(Unavailable):  # then its deadline ends it
            waybill.presence.end_unauthenticated_soon(connection.id)
    else:
        with suppress(PostFailed):  # it ends by itself, or is found out by its next message
            waybill.presence.end(connection.id)


def _post(waybill: Waybill, connection_id: str, frames: Sequence[str]) -> None:
    """Answer a client. One that can't be posted to now asks again: what it asked for is done."""
    try:
        for frame in frames:
            waybill.presence.post(connection_id, frame)
    except PostFailed as failure:
        log.warning("an answer was not posted: %s", failure)


def _authenticate(
    waybill: Waybill,
    contract: Contract,
    connection: Connection,
    request: Request,
    ask: Authenticate,
) -> None:
    """Admit whoever says who they are, or was vouched for by the handshake and says no more."""
    vouched, token = connection.vouched, bare(ask.token)
    actor = vouched if vouched and not token else waybill.authenticate(token or None)
    if actor.role not in contract.roles:
        raise Forbidden("This path is for another role.")
    if ask.person_id not in (None, actor.id):
        raise Unauthenticated("The token is somebody else's.")
    if ask.role_word and ROLE_WORDS.get(ask.role_word.strip().lower()) is not actor.role:
        raise Unauthenticated("The token is for another role.")
    if contract.known_only and not waybill.profiles.known(actor.id):
        raise Unauthenticated("There is no profile of this person.")
    if actor.until and actor.until <= waybill.clock():  # of one that the handshake vouched for
        raise Unauthenticated("The token has expired.")
    if connection.person_id:
        _prolong(waybill, contract, connection, request, actor)
        return
    _admit(waybill, contract, connection, request, lambda c: _identified(c, actor))


def _prolong(
    waybill: Waybill, contract: Contract, connection: Connection, request: Request, actor: Actor
) -> None:
    """Let a connection go on until a newer token of the same person ends. Whatever else the token
    says must be as before: a connection is not handed over, nor moved between rooms."""
    if connection.person_id != actor.id:
        raise Unauthenticated("This connection is somebody else's.")
    if connection.role is not actor.role:
        raise Unauthenticated("The token is for another role.")
    if set(connection.restaurant_ids) != set(actor.restaurant_ids):
        raise Unauthenticated("The token is for other restaurants: connect again.")
    if connection.greeted:
        if _admit(waybill, contract, connection, request, lambda c: _prolonged(c, actor)):
            return  # with its answer
    else:
        _prolong_ungreeted(waybill, connection, actor)
    _post(waybill, connection.id, contract.answer(request, actor, connection))


def _prolong_ungreeted(waybill: Waybill, connection: Connection, actor: Actor) -> None:
    """Note a later end, for the greeting to find."""
    current: Connection | None = connection
    while current and (after := _prolonged(current, actor)):
        try:
            waybill.presence.prolong(current, after)
            break
        except Stale:  # it is just being greeted
            current = waybill.presence.get(connection.id)


def _admit(
    waybill: Waybill,
    contract: Contract,
    connection: Connection,
    request: Request,
    change: Callable[[Connection], Connection | None],
) -> bool:
    """Make a connection what `change` makes of it and answer it. False, and no answer, where that
    is None: it is that already, or gone."""
    before: Connection | None = connection
    while before and (after := change(before)):
        awake = waybill.presence.awake(after)
        try:
            waybill.greeting.admit(before, awake, contract.answer(request, None, awake))
            return True
        except Stale:  # its first frames have just been noted, or it asked twice
            before = waybill.presence.get(connection.id)
    return False


def _prolonged(connection: Connection, actor: Actor) -> Connection | None:
    """The connection with a later end; None where the token makes it no longer than it is."""
    longer = replace(connection, until=actor.until)
    return longer if longer.heard_until > connection.heard_until else None


def _identified(connection: Connection, actor: Actor) -> Connection | None:
    return None if connection.person_id else replace(connection, **identity(actor))


def _retuned(connection: Connection, ask: Listen) -> Connection:
    return replace(connection, hears=ask.after(connection.hears or ()))


def identity(actor: Actor) -> dict[str, Any]:
    """What a connection keeps of the one who speaks on it."""
    return {
        "person_id": actor.id,
        "role": actor.role,
        "restaurant_ids": actor.restaurant_ids,
        "until": actor.until,
    }


def disconnect(waybill: Waybill, connection_id: str) -> None:
    """Forget a connection that has ended."""
    waybill.presence.close(connection_id)
