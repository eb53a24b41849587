"""All of Waybill in one hand, below the sockets: the Chalice app's own handlers on an engine,
people with tokens, and a clock, a queue and a gateway that do as they are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from chalice.app import Chalice
from chalice.test import Client

from chalicelib import wiring
from chalicelib.domain.events import Event
from chalicelib.domain.orders.model import Order
from chalicelib.domain.people import Actor, Role
from chalicelib.edge.rest.every_path import UNMATCHED_PATHS
from chalicelib.store.mailboxes import MailboxTable
from infra.gateway.application import make_thread_safe
from infra.gateway.invocation import LambdaContext
from infra.local.tokens import mint_token
from tests.aws_events import rest_event
from tests.builders import DEPOT
from tests.conftest import SECRET
from tests.documents import check_answer, check_frame
from tests.fakes import Clock, DistinctIds, Message, RecordingGateway, RecordingQueue
from tests.functional.conftest import Engine

WORLDS: list[World] = []  # those of the running test, whose frames are looked at when it ends
CONTRACT_OF = {Role.CUSTOMER: "customer", Role.COURIER: "courier"}  # spec 000's two paths


@dataclass(frozen=True)
class Someone:
    """A person with a token."""

    id: str
    role: Role
    token: str

    @property
    def actor(self) -> Actor:
        """Who the services see."""
        return Actor(self.id, self.role)


@dataclass(frozen=True)
class Answer:
    """What a REST call came to."""

    status: int
    body: Any
    headers: Mapping[str, str]
    text: str


class Socket:
    """One WebSocket. `status` is what its handshake was answered with."""

    def __init__(self, world: World, id_: str, status: int) -> None:
        self._world = world
        self._taken = 0
        self.id = id_
        self.status = status

    @property
    def texts(self) -> list[str]:
        """Every frame so far, as sent."""
        return self._world.gateway.frames(self.id)

    @property
    def frames(self) -> list[Any]:
        """Every frame so far, decoded where it is JSON."""
        return [_decoded(text) for text in self.texts]

    def take(self) -> list[Any]:
        """The frames since the last take."""
        new = self.frames[self._taken :]
        self._taken += len(new)
        return new

    def say(self, message: Any) -> list[Any]:
        """Send a frame (what is no text is sent as JSON) and take what came."""
        body = message if isinstance(message, str) else json.dumps(message)
        self._world.gateway.touch(self.id)
        self._world.invoke("websocket_message", _socket_event("MESSAGE", self.id, body))
        return self.take()

    def close(self) -> None:
        """End it from the client's side."""
        self._world.gateway.drop(self.id)
        self._world.invoke("websocket_disconnect", _socket_event("DISCONNECT", self.id))

    def lose(self) -> None:
        """End it so that nobody is told."""
        self._world.gateway.drop(self.id)


class World:
    """See the module. `parts` replace parts of wiring.build()."""

    def __init__(
        self, engine: Engine, settings: Mapping[str, Any] | None = None, **parts: Any
    ) -> None:
        self.engine = engine
        self.clock = parts.pop("clock", None) or Clock()
        self.gateway = parts.pop("gateway", None) or RecordingGateway()
        self.queue = parts.pop("queue", None) or RecordingQueue(self.clock)
        self.meanwhile: list[Callable[[], object]] = []  # the next, whenever a message waits
        self.settings = engine.settings(**(settings or {}))
        self.waybill = wiring.build(
            self.settings,
            clock=self.clock,
            gateway=self.gateway,
            queue=self.queue,
            database=engine.connection,
            **{
                "pause": lambda seconds: None,
                "sleep": self._sleep,
                "ids": DistinctIds(self.clock),
                **parts,
            },
        )
        wiring.use(self.waybill)
        self._client = _client()
        self._sockets = 0
        self.is_sound = True  # false while a test breaks what no document foresees
        self._contracts: dict[str, str] = {}  # of the sockets
        self._checked = 0  # of the frames
        WORLDS.append(self)

    def _sleep(self, seconds: float) -> None:
        """Let a message that came too early wait; `meanwhile` is what happens then."""
        self.clock.advance(seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()

    # People

    def someone(self, role: Role, id_: str, **claims: Any) -> Someone:
        """Somebody with a token of that role."""
        return Someone(id_, role, mint_token(SECRET, role.value, id_, **claims))

    def customer(self, id_: str = "cara", **claims: Any) -> Someone:
        """A customer."""
        return self.someone(Role.CUSTOMER, id_, **claims)

    def admin(self, id_: str = "ada") -> Someone:
        """An admin."""
        return self.someone(Role.ADMIN, id_)

    def courier(
        self,
        id_: str = "dan",
        at: tuple[float, float] | None = DEPOT,
        available: bool = True,
        **claims: Any,
    ) -> Someone:
        """A courier on duty, at a place."""
        courier = self.someone(Role.COURIER, id_, **claims)
        place = {"lat": at[0], "lng": at[1]} if at else {}
        answer = self.post("/v1/courier/availability", {"available": available, **place}, courier)
        assert answer.status == 200, answer
        return courier

    # REST

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        by: Someone | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One REST call, as the event that API Gateway makes of it; `body` bytes go as they are,
        else as JSON."""
        sent = {"content-type": "application/json"} if body is not None else {}
        if by:
            sent["authorization"] = f"Bearer {by.token}"
        raw = body if isinstance(body, bytes) else b"" if body is None else _json(body)
        return self.hand(rest_event(_app().routes, method, path, {**sent, **(headers or {})}, raw))

    def hand(self, event: Mapping[str, Any]) -> Answer:
        """What the app answers to the event of a REST request."""
        answer = _app()(dict(event), LambdaContext("api_handler"))
        body = answer["body"]
        shown = Answer(
            answer["statusCode"],
            _decoded(body) if body else None,
            {name.lower(): str(value) for name, value in answer["headers"].items()},
            body,
        )
        if self.is_sound:
            method, path = event["httpMethod"], event["resource"]
            check_answer(method, path, shown.status, shown.headers, shown.body, event["body"])
        return shown

    def check_frames(self) -> None:
        """Hold the frames that were posted since the last check against AsyncAPI."""
        new, self._checked = self.gateway.posted[self._checked :], len(self.gateway.posted)
        for connection_id, frame in dict.fromkeys(new):
            if contract := self._contracts.get(connection_id):
                check_frame(contract, frame)

    def post(self, path: str, body: Any = None, by: Someone | None = None) -> Answer:
        """POST."""
        return self.call("POST", path, {} if body is None else body, by)

    def get(self, path: str, by: Someone | None = None) -> Answer:
        """GET."""
        return self.call("GET", path, by=by)

    def place(self, by: Someone, **changes: Any) -> dict[str, Any]:
        """Place an order at the depot (a change to None leaves a field out); the Order."""
        body = {
            "pickup_address": "1 Depot Road",
            "pickup_lat": DEPOT[0],
            "pickup_lng": DEPOT[1],
            "dropoff_address": "2 Door Street",
            "receiver_phone": "+911234567890",
            **changes,
        }
        answer = self.post("/v1/orders", {k: v for k, v in body.items() if v is not None}, by)
        assert answer.status == 201, answer
        return dict(answer.body)

    def step(self, verb: str, order_id: str, by: Someone) -> Answer:
        """accept, decline, arrived, picked, reached or delivered, by a courier."""
        return self.post(f"/v1/courier/orders/{verb}", {"order_id": order_id}, by)

    def order(self, order_id: str | int) -> Order:
        """The order as it is stored."""
        return self.waybill.customer_orders.get_order(Actor("ada", Role.ADMIN), int(order_id))

    # Sockets

    def connect(
        self,
        person: Someone | None,
        contract: str = "",
        *,
        greet: bool = True,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Socket:
        """Open a socket (spec 000's of the person's role unless said) and pump its greeting."""
        if not contract and person:
            contract = CONTRACT_OF[person.role]
        self._sockets += 1
        id_ = f"socket-{self._sockets}="
        sent = {"authorization": f"Bearer {person.token}"} if person else {}
        event = _connect_event(
            id_,
            self.clock.now,
            {"contract": contract, **(query or {})},
            {**sent, **(headers or {})},
        )
        status = int(self.invoke("websocket_connect", event)["statusCode"])
        socket = Socket(self, id_, status)
        if status < 300:
            self.gateway.connect(id_)
            self._contracts[id_] = str(event["queryStringParameters"]["contract"])
            if greet:
                self.pump()
        return socket

    # Time

    def pump(self) -> None:
        """Deliver every wakeup that is due, also those sent meanwhile."""
        while message := self.queue.take():
            self._deliver(message)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, delivering each wakeup when it is due."""
        until = self.clock.now + timedelta(seconds=seconds)
        self.pump()
        while (due := self.queue.next_due()) is not None and due <= until:
            self.clock.now = max(self.clock.now, due)
            self.pump()
        self.clock.now = until

    def sweep(self) -> None:
        """One pass of the sweep, and what it hands on."""
        self.waybill.sweeper.run_pass()
        self.pump()

    def invoke(self, function: str, event: Any) -> Any:
        """Invoke one of the app's Lambda functions."""
        return self._client.lambda_.invoke(function, event).payload

    def _deliver(self, message: Message) -> None:
        event = self._client.events.generate_sqs_event([message.body])
        if self.invoke("wake", event)["batchItemFailures"]:
            self.queue.again(message)


def routes() -> list[tuple[str, str]]:
    """Every (method, path) that the app serves, but for what every path has (HEAD, OPTIONS)."""
    return sorted(
        (method, path)
        for path, methods in _app().routes.items()
        for method in methods
        if path not in UNMATCHED_PATHS and method not in ("HEAD", "OPTIONS")
    )


def _app() -> Chalice:
    from app import app  # when it is first needed: the environment must be safe by then

    make_thread_safe(app)  # a test's threads stand for processes, each with a request of its own
    return app


@lru_cache(maxsize=1)
def _client() -> Client:
    return Client(_app())


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def log_of(person_id: str) -> list[Event]:
    """All that somebody's log holds, in order."""
    mailboxes = MailboxTable()
    return mailboxes.list_events_from(mailboxes.get_mailbox(person_id), 1, 1000)


def _connect_event(
    id_: str, now: datetime, query: Mapping[str, str], headers: Mapping[str, str]
) -> dict[str, Any]:
    event = _socket_event("CONNECT", id_)
    event["requestContext"]["connectedAt"] = int(now.timestamp() * 1000)
    return {
        **event,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": dict(query),
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()},
    }


def _socket_event(kind: str, id_: str, body: str | None = None) -> dict[str, Any]:
    route = {"CONNECT": "$connect", "MESSAGE": "$default", "DISCONNECT": "$disconnect"}[kind]
    context = {
        "routeKey": route,
        "eventType": kind,
        "connectionId": id_,
        "domainName": "127.0.0.1",
        "stage": "api",
        "apiId": "local",
    }
    event: dict[str, Any] = {"requestContext": context, "isBase64Encoded": False}
    return {**event, "body": body} if body is not None else event
