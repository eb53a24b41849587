"""Admits connections, prolongs them and changes what they hear.

These requests change who hears what. Their answers are therefore posted by the greeting service,
before the connection joins its rooms: a client must not hear an event before it hears "success".
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from chalicelib.domain.messaging.connections import Connection, Resumption
from chalicelib.domain.orders.requests import Authenticate, ChangeSubscriptions, RefreshToken
from chalicelib.domain.people import ROLE_WORDS, Actor
from chalicelib.edge.bearer import strip_bearer
from chalicelib.edge.socket_call import SocketCall, post_frames
from chalicelib.errors import Forbidden, Stale, Unauthenticated

Change = Callable[[Connection], Connection | None]
"""What a connection becomes; None where there is nothing to change."""


def authenticate_connection(call: SocketCall, request: Authenticate) -> None:
    """Admit a connection as the actor of its token, and answer it.

    A request without a token is for the actor whom the handshake's token named. One on a connection
    that is admitted already prolongs it. Raises Forbidden, Unauthenticated, Unavailable.
    """
    actor = _verify_actor(call, request)
    if call.connection.person_id:
        _prolong_connection(call, actor)
        return

    # Two such requests at once admit only once: the loser of the write finds a person there.
    def admit(connection: Connection) -> Connection | None:
        if connection.person_id:
            return None
        if request.position:
            connection = replace(connection, resumption=Resumption(request.position))
        return with_identity(connection, actor)

    _change_and_answer(call, admit)


def refresh_token(call: SocketCall, request: RefreshToken) -> None:
    """Prolong a connection by a newer token, and answer it. Raises Unauthenticated, Unavailable."""
    _prolong_connection(call, call.services.authenticate(strip_bearer(request.token) or None))


def change_subscriptions(call: SocketCall, request: ChangeSubscriptions) -> None:
    """Change which types of event a connection hears from now on, and answer it."""

    def subscribe(connection: Connection) -> Connection:
        subscriptions = request.apply_to(connection.subscriptions or ())
        return replace(connection, subscriptions=subscriptions)

    _change_and_answer(call, subscribe)


def with_identity(connection: Connection, actor: Actor) -> Connection:
    """Return a connection on which an actor speaks, for as long as the actor's token is good."""
    return replace(
        connection,
        person_id=actor.id,
        role=actor.role,
        restaurant_ids=actor.restaurant_ids,
        token_ends_at=actor.token_ends_at,
    )


def _verify_actor(call: SocketCall, request: Authenticate) -> Actor:
    """Return the actor of an Authenticate request.

    Raises Unauthenticated where the token is not good, or is not for what the request says beside
    it; Forbidden where the contract is not for the token's role; Unavailable.
    """
    services, contract = call.services, call.contract
    from_handshake, token = call.connection.handshake_actor, strip_bearer(request.token)
    actor = from_handshake if from_handshake and not token else services.authenticate(token or None)
    if actor.role not in contract.roles:
        raise Forbidden("This path is for another role.")
    if request.person_id not in (None, actor.id):
        raise Unauthenticated("The token is somebody else's.")
    if request.role_word and ROLE_WORDS.get(request.role_word.strip().lower()) is not actor.role:
        raise Unauthenticated("The token is for another role.")
    if contract.requires_profile and not services.profiles.has_profile(actor.id):
        raise Unauthenticated("There is no profile of this person.")
    # The handshake's token was good at $connect, and may have ended before this message came.
    if actor.token_ends_at and actor.token_ends_at <= services.clock():
        raise Unauthenticated("The token has expired.")
    return actor


def _prolong_connection(call: SocketCall, actor: Actor) -> None:
    """Let a connection go on until a newer token of the same person ends, and answer it.

    All else that the token says must be as before: a connection is not handed over to another
    person, nor moved between rooms. Raises Unauthenticated.
    """
    connection = call.connection
    if connection.person_id != actor.id:
        raise Unauthenticated("This connection is somebody else's.")
    if connection.role is not actor.role:
        raise Unauthenticated("The token is for another role.")
    if set(connection.restaurant_ids) != set(actor.restaurant_ids):
        raise Unauthenticated("The token is for other restaurants: connect again.")
    if not connection.greeted:
        _prolong_ungreeted(call, actor)
    elif _change_and_answer(call, lambda current: _with_later_end(current, actor)):
        return
    # A token that ends no later changes nothing, and is a success all the same.
    post_frames(call, call.contract.render_answer(call.message, actor, connection))


def _prolong_ungreeted(call: SocketCall, actor: Actor) -> None:
    """Write a later end to the row of a connection that is in no room yet.

    The greeting reads the row when it admits the connection. Where the greeting is faster than this
    write, the write is Stale, and is tried again on the row as it is then.
    """
    connections = call.services.connections
    current: Connection | None = call.connection
    while current and (longer := _with_later_end(current, actor)):
        try:
            connections.extend_token(current, longer)
            break
        except Stale:
            current = connections.get_connection(call.connection.id)


def _change_and_answer(call: SocketCall, change: Change) -> bool:
    """Write a changed connection, answer it and let it join its rooms.

    Return False, without an answer, where there is nothing to change or the connection is gone. A
    Stale write (the first frames were noted just now, or the client asked twice) has posted
    nothing: the change is made again from the row as it is then.
    """
    connections = call.services.connections
    before: Connection | None = call.connection
    while before and (changed := change(before)):
        after = connections.with_new_deadline(changed)
        frames = call.contract.render_answer(call.message, None, after)
        frames = call.services.renderer.add_watch_position(after, frames)
        try:
            call.services.welcome.admit_connection(before, after, frames)
            return True
        except Stale:
            before = connections.get_connection(call.connection.id)
    return False


def _with_later_end(connection: Connection, actor: Actor) -> Connection | None:
    """Return a connection that ends with an actor's token; None where that is not later."""
    longer = replace(connection, token_ends_at=actor.token_ends_at)
    return longer if longer.subscribed_until > connection.subscribed_until else None
