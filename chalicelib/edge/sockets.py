"""The three WebSocket handlers: connect, message, disconnect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from msgspec.structs import replace

from chalicelib.contracts.base import Contract, RequestError, SocketMessage
from chalicelib.domain.messaging.connections import Connection, Resumption
from chalicelib.domain.messaging.positions import read_position
from chalicelib.domain.orders.requests import (
    Authenticate,
    ChangeSubscriptions,
    RefreshToken,
    SetAvailability,
)
from chalicelib.domain.people import Actor, Courier
from chalicelib.edge.app_services import Services
from chalicelib.edge.bearer import read_bearer_token, strip_bearer
from chalicelib.edge.socket_admission import (
    authenticate_connection,
    change_subscriptions,
    refresh_token,
    with_identity,
)
from chalicelib.edge.socket_call import SocketCall, post_frames
from chalicelib.edge.socket_requests import handle_request
from chalicelib.edge.wait_budget import WaitBudget
from chalicelib.errors import (
    CourierTaken,
    Forbidden,
    NotFound,
    NotOnline,
    Stale,
    Unauthenticated,
    Unavailable,
    WaybillError,
)

# Connect


def handle_connect(services: Services, event: Mapping[str, Any]) -> int:
    """Admit a connection, or refuse its handshake. Return the HTTP status that answers it."""
    try:
        connection = _read_handshake(services, event)
        # Cursors are taken before the client can know that it is connected: it must hear of
        # whatever happens from then on.
        services.connections.on_connect(services.welcome.with_start_cursors(connection))
    except WaybillError as error:
        return error.http_status
    return 200


def _read_handshake(services: Services, event: Mapping[str, Any]) -> Connection:
    """Make a connection of a $connect event.

    Raises NotFound for an unknown contract, InvalidInput for a wrong query, and all that
    `_authorize_handshake` raises.
    """
    query = event.get("queryStringParameters") or {}
    name = query.get("contract", "")
    contract = services.contracts.get(name)
    if contract is None:
        raise NotFound("There is no such contract.")
    contract.check_handshake(query)
    # Of what a link's bearers hear nothing is kept.
    position = None if contract.opens_by_link else read_position(query.get("from"))
    watch = contract.read_watch(query, position)
    actor = _authorize_handshake(services, contract, _read_handshake_token(event))
    context = event["requestContext"]
    connection = Connection(
        id=context["connectionId"],
        contract=name,
        connected_at=datetime.fromtimestamp(context["connectedAt"] / 1000, tz=timezone.utc),
        subscriptions=() if contract.subscribes else None,
        resumption=Resumption(position) if position and watch is None else None,
        watch=watch,
    )
    if actor is None:
        return connection
    if contract.requires_auth_message:
        return replace(connection, handshake_actor=actor)
    return with_identity(connection, actor)


def _read_handshake_token(event: Mapping[str, Any]) -> str:
    """Read the token of a handshake; "" where it has none. Browsers can't set headers of a
    WebSocket: they send theirs in the query."""
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    query = event.get("queryStringParameters") or {}
    return read_bearer_token(headers.get("authorization")) or strip_bearer(query.get("token"))


def _authorize_handshake(services: Services, contract: Contract, token: str) -> Actor | None:
    """Return the actor of a handshake's token; None where a message will say who this is.

    The role is the token's: a query can't claim one. Raises Unauthenticated, Unavailable, NotFound
    for a link's token that is none, and Forbidden where the contract is not for the role, or takes
    a profile that there is not.
    """
    if contract.authenticates_by_message and not token:
        return None
    if contract.opens_by_link:
        return services.tracking_links.open_socket(token)
    actor = services.authenticate(token)
    if actor.role not in contract.roles:
        raise Forbidden("This path is for another role.")
    # With an authentication message to come, the profile is looked for then.
    needs_profile = contract.requires_profile and not contract.requires_auth_message
    if needs_profile and not services.profiles.has_profile(actor.id):
        raise Forbidden("There is no profile of this person.")
    return actor


# Message


def handle_message(services: Services, connection_id: str, body: str) -> None:
    """Do what a message asks for, and answer in the contract's own form.

    Refusals are answers too: the socket stays open, unless its contract closes it.
    """
    connection = services.connections.get_connection(connection_id)
    if connection is None:
        # The connection ended while its message was on the way, or its row is lost and its socket
        # still open. A client that nobody answers would not connect again by itself.
        services.connections.close_socket_eventually(connection_id)
    elif connection.is_token_expired(services.clock()):
        # The wakeup that closes it may be late. Nothing is done for a token that has ended.
        services.connections.close_expired(connection)
    else:
        contract = services.contracts[connection.contract]
        _answer_message(SocketCall(services, contract, connection), body)


def _answer_message(call: SocketCall, body: str) -> None:
    """Read, perform and answer one message of a live connection."""
    budget = call.services.make_wait_budget()
    try:
        call = _greet_if_due(call)
        call = _read_message(call, body)
        if isinstance(call.fault, Unauthenticated) and not call.connection.person_id:
            waited = _wait_for_identity(call, budget)
            if waited is None:
                return  # it has ended meanwhile, as by a bad token: nobody is there to answer
            call = _read_message(waited, body)
        call = _count_if_limited(call)
        if call.fault:
            raise call.fault
        frames = _perform_when_on_duty(call, budget)
    except WaybillError as error:
        _refuse_call(call, error)
    except (Stale, CourierTaken):
        # Other Lambdas won every try of a conditional write. It is not the client's fault, and the
        # same request may succeed in a moment.
        _refuse_call(call, Unavailable("This is changing too fast; try again."))
    else:
        post_frames(call, frames)


def _greet_if_due(call: SocketCall) -> SocketCall:
    """Greet a connection whose first message has overtaken the wakeup that greets it.

    Only for contracts that let no answer come before the first frames. The wakeup finds the
    connection greeted and does nothing.
    """
    connection = call.connection
    if not call.contract.greeting_comes_first or connection.greeted:
        return call
    call.services.welcome.greet_connection(connection.id)
    greeted = call.services.connections.get_connection(connection.id)
    return replace(call, connection=greeted or connection)


def _read_message(call: SocketCall, body: str) -> SocketCall:
    """Read a frame by the contract of its connection, into the call's message and fault.

    A fault is kept and not raised: the message may only have come too early, and what is wrong
    counts against the rate limit as well.
    """
    try:
        message = call.contract.read_message(body, call.connection, call.services.clock())
    except RequestError as refused:
        return replace(call, message=refused.message, fault=refused.error)
    except WaybillError as error:
        return replace(call, message=SocketMessage(), fault=error)
    return replace(call, message=message, fault=None)


def _wait_for_identity(call: SocketCall, budget: WaitBudget) -> SocketCall | None:
    """Wait for a connection to be authenticated: this message may have overtaken the one that does.

    Return the call with the connection as it is then; None once the connection is gone.
    """
    current: Connection | None = call.connection
    waited = False
    while current and not current.person_id and budget.wait_for_identity(current):
        waited = True
        current = call.services.connections.get_connection(call.connection.id)
    if current is None:
        return None
    if current.person_id:
        # The row is written before the authentication is answered: that answer should come first.
        budget.let_answer_pass()
    return replace(call, connection=current, waited_for_identity=waited)


def _count_if_limited(call: SocketCall) -> SocketCall:
    """Count a message where the contract limits how many may come. Raises RateLimited."""
    limit, message = call.contract.rate_limit, call.message
    # What asks for nothing, as a pong, is the protocol's and not counted.
    if not limit or not message.is_rate_limited or not (call.fault or message.request):
        return call
    return replace(call, connection=call.services.connections.count_request(call.connection, limit))


def _perform_when_on_duty(call: SocketCall, budget: WaitBudget) -> Sequence[str]:
    """Perform a request; return the frames that answer it.

    A request that takes a courier on duty may have overtaken the message by which this courier goes
    on duty: it waits for that one, and raises NotOnline only when its budget is spent.
    """
    while True:
        try:
            return _perform_request(call, budget)
        except NotOnline:
            if not budget.wait_for_duty(call.connection):
                raise


def _perform_request(call: SocketCall, budget: WaitBudget) -> Sequence[str]:
    """Perform a request; return the frames that answer it, none where it is answered already."""
    request = call.message.request
    match request:
        case Authenticate():
            authenticate_connection(call, request)
        case RefreshToken():
            refresh_token(call, request)
        case ChangeSubscriptions():
            change_subscriptions(call, request)
        case SetAvailability(available=True):
            courier = _go_on_duty(call, request, budget)
            return call.contract.render_answer(call.message, courier, call.connection)
        case _:
            result = handle_request(call.services, call.connection, request) if request else None
            return call.contract.render_answer(call.message, result, call.connection)
    return ()


def _go_on_duty(call: SocketCall, request: SetAvailability, budget: WaitBudget) -> Courier:
    """Put a courier on duty, and wait a moment for their connection to join its rooms.

    A connection is told that it is admitted before it joins them, so its client may be quicker.
    What is broadcast until then would pass by a courier who was told that they are on duty.
    """
    courier: Courier = handle_request(call.services, call.connection, request)
    while not courier.connected and budget.wait_for_joining(call.connection):
        courier = handle_request(call.services, call.connection, request)
    return courier


def _refuse_call(call: SocketCall, error: WaybillError) -> None:
    """Post why a request is refused, and close the connection where its contract has it so."""
    post_frames(call, call.contract.render_error(call.message, error))
    if not call.contract.closes_after_error(call.message, call.connection):
        return
    # Where closing fails now, the connection is closed by the deadline that $connect has set for
    # its authentication.
    with suppress(Unavailable):
        if call.waited_for_identity:
            # The message that authenticates may still come: a client that did everything right
            # must not lose its connection because two messages changed places.
            call.services.connections.schedule_authentication_deadline(call.connection.id)
        else:
            call.services.connections.close_connection(call.connection.id)


# Disconnect


def handle_disconnect(services: Services, connection_id: str) -> None:
    """Forget a connection that has ended. Harmless twice."""
    services.connections.on_disconnect(connection_id)
