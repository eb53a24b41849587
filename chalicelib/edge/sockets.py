"""The three WebSocket handlers: connect, message, disconnect."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from msgspec.structs import replace

from chalicelib.contracts.base import Contract, RequestError, SocketMessage
from chalicelib.domain.messaging.connections import Connection
from chalicelib.domain.orders.requests import Authenticate, ChangeSubscriptions, RefreshToken
from chalicelib.domain.people import ROLE_WORDS, Actor
from chalicelib.edge.app_services import Services
from chalicelib.edge.bearer import read_bearer_token, strip_bearer
from chalicelib.edge.hurry import WaitBudget
from chalicelib.edge.socket_requests import handle_request
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


def handle_connect(waybill: Services, event: Mapping[str, Any]) -> int:
    """Admit a connection, or refuse the handshake: the HTTP status that answers it."""
    try:
        name, actor = _authorize_handshake(waybill, event)
        contract = waybill.contracts[name]
        waits = contract.requires_auth_message
        context = event["requestContext"]
        connection = Connection(
            id=context["connectionId"],
            contract=name,
            connected_at=datetime.fromtimestamp(context["connectedAt"] / 1000, tz=timezone.utc),
            subscriptions=() if contract.subscribes else None,
            **(
                {"handshake_actor": actor if actor.id else None}
                if waits
                else identity_fields(actor)
            ),
        )
        waybill.connections.on_connect(waybill.welcome.with_start_cursors(connection))
    except WaybillError as error:
        return error.http_status
    return 200


def _authorize_handshake(waybill: Services, event: Mapping[str, Any]) -> tuple[str, Actor]:
    """The contract's name and who connects. The role is the token's: a query can't claim one."""
    query = event.get("queryStringParameters") or {}
    headers = {k.lower(): v for k, v in (event.get("headers") or {}).items()}
    name = query.get("contract", "")
    contract = waybill.contracts.get(name)
    if contract is None:
        raise NotFound("There is no such contract.")
    contract.check_handshake(query)
    token = read_bearer_token(headers.get("authorization")) or strip_bearer(query.get("token"))
    if contract.authenticates_by_message and not token:
        return name, Actor("", None)
    actor = waybill.authenticate(token)
    if actor.role not in contract.roles:
        raise Forbidden("This path is for another role.")
    if (
        contract.requires_profile
        and not contract.requires_auth_message
        and not waybill.profiles.has_profile(actor.id)
    ):
        raise Forbidden("There is no profile of this person.")
    return name, actor


def handle_message(waybill: Services, connection_id: str, body: str) -> None:
    """Do what a client asks; say no in the contract's own form. The socket stays open, unless
    the contract has it otherwise."""
    connection = waybill.connections.get_connection(connection_id)
    if connection is None:
        # It ended while this was on its way, or is forgotten here and still open there: a client
        # that nobody answers would not come again by itself.
        waybill.connections.close_socket_eventually(connection_id)
        return
    if connection.is_token_expired(waybill.clock()):
        waybill.connections.close_expired(connection)
        return
    contract = waybill.contracts[connection.contract]
    request, patience, early = SocketMessage(), waybill.make_wait_budget(), False
    try:
        if (
            contract.greeting_comes_first and not connection.greeted
        ):  # this overtook the greeting's wakeup
            waybill.welcome.greet_connection(connection_id)
            connection = waybill.connections.get_connection(connection_id) or connection
        request, wrong = _read_message(waybill, contract, connection, body)
        if isinstance(wrong, Unauthenticated) and not connection.person_id:
            known, early = _await_identity(waybill, connection, patience)
            if known is None:
                return  # it was refused, and ended
            connection = known
            request, wrong = _read_message(waybill, contract, connection, body)
        if contract.rate_limit and request.is_rate_limited and (wrong or request.request):
            connection = waybill.connections.count_request(connection, contract.rate_limit)
        if wrong:
            raise wrong
        frames = _answer_when_on_duty(waybill, contract, connection, request, patience)
    except WaybillError as error:
        _refuse_request(waybill, contract, connection, request, error, early)
    except (Stale, CourierTaken):
        busy = Unavailable("This is changing too fast; try again.")
        _refuse_request(waybill, contract, connection, request, busy)
    else:
        _post_frames(waybill, connection_id, frames)


def _read_message(
    waybill: Services, contract: Contract, connection: Connection, body: str
) -> tuple[SocketMessage, WaybillError | None]:
    """What is asked, and what is wrong with it, if anything."""
    try:
        return contract.read_message(body, connection, waybill.clock()), None
    except RequestError as refused:
        return refused.message, refused.error
    except WaybillError as error:
        return SocketMessage(), error


def _await_identity(
    waybill: Services, connection: Connection, patience: WaitBudget
) -> tuple[Connection | None, bool]:
    """Wait for somebody to say who they are: the message that says it may have been overtaken by
    this one. Returns the connection as it is then, None once it is gone, and whether it is worth
    to wait on."""
    current: Connection | None = connection
    waited = False
    while current and not current.person_id and patience.wait_for_identity(current):
        waited = True
        current = waybill.connections.get_connection(connection.id)
    if current and current.person_id:
        patience.let_answer_pass()
    return current, waited


def _answer_when_on_duty(
    waybill: Services,
    contract: Contract,
    connection: Connection,
    request: SocketMessage,
    patience: WaitBudget,
) -> Sequence[str]:
    """Do what is asked; where that takes a courier on duty, wait for one who is just going: their
    message may have been overtaken by this one."""
    while True:
        try:
            return _answer_request(waybill, contract, connection, request)
        except NotOnline:
            if not patience.wait_for_duty(connection):
                raise


def _answer_request(
    waybill: Services, contract: Contract, connection: Connection, request: SocketMessage
) -> Sequence[str]:
    ask = request.request
    if isinstance(ask, Authenticate):
        _authenticate(waybill, contract, connection, request, ask)
        return ()
    if isinstance(ask, RefreshToken):
        actor = waybill.authenticate(strip_bearer(ask.token) or None)
        _extend_connection(waybill, contract, connection, request, actor)
        return ()
    if isinstance(ask, ChangeSubscriptions):
        _admit_connection(
            waybill, contract, connection, request, lambda c: _with_subscriptions(c, ask)
        )
        return ()
    result = handle_request(waybill, connection, ask) if ask else None
    return contract.success_frames(request, result, connection)


def _refuse_request(
    waybill: Services,
    contract: Contract,
    connection: Connection,
    request: SocketMessage,
    error: WaybillError,
    early: bool = False,
) -> None:
    """Say no. `early`: the message that says who this is may have been overtaken, and yet come."""
    _post_frames(waybill, connection.id, contract.error_frames(request, error))
    if not contract.closes_after_error(request, connection):
        return
    if early:
        with suppress(Unavailable):  # then its deadline ends it
            waybill.connections.schedule_authentication_deadline(connection.id)
    else:
        with suppress(PostFailed):  # it ends by itself, or is found out by its next message
            waybill.connections.close_connection(connection.id)


def _post_frames(waybill: Services, connection_id: str, frames: Sequence[str]) -> None:
    """Answer a client. One that can't be posted to now asks again: what it asked for is done."""
    try:
        for frame in frames:
            waybill.connections.post_frame(connection_id, frame)
    except PostFailed as failure:
        log.warning("an answer was not posted: %s", failure)


def _authenticate(
    waybill: Services,
    contract: Contract,
    connection: Connection,
    request: SocketMessage,
    ask: Authenticate,
) -> None:
    """Admit whoever says who they are, or was vouched for by the handshake and says no more."""
    vouched, token = connection.handshake_actor, strip_bearer(ask.token)
    actor = vouched if vouched and not token else waybill.authenticate(token or None)
    if actor.role not in contract.roles:
        raise Forbidden("This path is for another role.")
    if ask.person_id not in (None, actor.id):
        raise Unauthenticated("The token is somebody else's.")
    if ask.role_word and ROLE_WORDS.get(ask.role_word.strip().lower()) is not actor.role:
        raise Unauthenticated("The token is for another role.")
    if contract.requires_profile and not waybill.profiles.has_profile(actor.id):
        raise Unauthenticated("There is no profile of this person.")
    if (
        actor.token_ends_at and actor.token_ends_at <= waybill.clock()
    ):  # of one that the handshake vouched for
        raise Unauthenticated("The token has expired.")
    if connection.person_id:
        _extend_connection(waybill, contract, connection, request, actor)
        return
    _admit_connection(waybill, contract, connection, request, lambda c: _with_identity(c, actor))


def _extend_connection(
    waybill: Services,
    contract: Contract,
    connection: Connection,
    request: SocketMessage,
    actor: Actor,
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
        if _admit_connection(
            waybill, contract, connection, request, lambda c: _with_later_end(c, actor)
        ):
            return  # with its answer
    else:
        _extend_ungreeted(waybill, connection, actor)
    _post_frames(waybill, connection.id, contract.success_frames(request, actor, connection))


def _extend_ungreeted(waybill: Services, connection: Connection, actor: Actor) -> None:
    """Note a later end, for the greeting to find."""
    current: Connection | None = connection
    while current and (after := _with_later_end(current, actor)):
        try:
            waybill.connections.extend_token(current, after)
            break
        except Stale:  # it is just being greeted
            current = waybill.connections.get_connection(connection.id)


def _admit_connection(
    waybill: Services,
    contract: Contract,
    connection: Connection,
    request: SocketMessage,
    change: Callable[[Connection], Connection | None],
) -> bool:
    """Make a connection what `change` makes of it and answer it. False, and no answer, where that
    is None: it is that already, or gone."""
    before: Connection | None = connection
    while before and (after := change(before)):
        awake = waybill.connections.with_new_deadline(after)
        try:
            waybill.welcome.admit_connection(
                before, awake, contract.success_frames(request, None, awake)
            )
            return True
        except Stale:  # its first frames have just been noted, or it asked twice
            before = waybill.connections.get_connection(connection.id)
    return False


def _with_later_end(connection: Connection, actor: Actor) -> Connection | None:
    """The connection with a later end; None where the token makes it no longer than it is."""
    longer = replace(connection, token_ends_at=actor.token_ends_at)
    return longer if longer.subscribed_until > connection.subscribed_until else None


def _with_identity(connection: Connection, actor: Actor) -> Connection | None:
    return None if connection.person_id else replace(connection, **identity_fields(actor))


def _with_subscriptions(connection: Connection, ask: ChangeSubscriptions) -> Connection:
    return replace(connection, subscriptions=ask.apply_to(connection.subscriptions or ()))


def identity_fields(actor: Actor) -> dict[str, Any]:
    """What a connection keeps of the one who speaks on it."""
    return {
        "person_id": actor.id,
        "role": actor.role,
        "restaurant_ids": actor.restaurant_ids,
        "token_ends_at": actor.token_ends_at,
    }


def handle_disconnect(waybill: Services, connection_id: str) -> None:
    """Forget a connection that has ended."""
    waybill.connections.on_disconnect(connection_id)
