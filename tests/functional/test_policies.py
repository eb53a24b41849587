"""What the handlers ask of DynamoDB and @connections, against what the policies that are deployed
allow them. The queue is granted by name; `make conformance` has every policy enforced.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from chalicelib.domain.people import Role
from infra.template.functions import FUNCTIONS
from infra.template.policies import make_policy
from tests.contracts import CONTRACTS
from tests.functional.conftest import PREFIX, Engine
from tests.functional.world import World

Asked = set[tuple[str, str]]
TRANSACTED = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


class Watched(World):
    """A world that notes which function asks for what."""

    def __init__(self, engine: Engine, **parts: Any) -> None:
        super().__init__(engine, **parts)
        self.asked: dict[str, Asked] = {}

    def invoke(self, function: str, event: Any) -> Any:
        with self.noting(function):
            return super().invoke(function, event)

    @contextmanager
    def noting(self, function: str) -> Iterator[None]:
        """Everything asked for meanwhile is this function's."""
        asked = self.asked.setdefault(function, set())
        events = self.engine.connection.client.meta.events

        def note(model: Any, params: dict[str, Any], **_: Any) -> None:
            asked.update(rights(model.name, json.loads(params["body"])))

        before = self.at_connections()
        events.register("before-call.dynamodb", note)
        try:
            yield
        finally:
            events.unregister("before-call.dynamodb", note)
            after = self.at_connections()
            asked.update((verb, "@connections") for verb in after if after[verb] > before[verb])

    def at_connections(self) -> dict[str, int]:
        """How often each method of the @connections API has been called."""
        gateway = self.gateway
        posts = len(gateway.posted) + len(gateway.refused)
        return {"POST": posts, "GET": len(gateway.looked_at), "DELETE": len(gateway.closed)}


def rights(operation: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The actions that AWS checks for one call, each with its resource."""
    if operation == "TransactWriteItems":
        for item in body["TransactItems"]:
            for kind, of in item.items():
                yield TRANSACTED[kind], of["TableName"]
    elif operation.startswith("Batch"):
        for table in body["RequestItems"]:
            yield operation, table
    else:
        index = f"/index/{body['IndexName']}" if "IndexName" in body else ""
        yield operation, body["TableName"] + index


def granted(function: str) -> Asked:
    """What a function's policy allows: DynamoDB's actions, each with its table or index, and the
    methods of @connections."""
    (found,) = (f for f in FUNCTIONS if f.name == function)
    allowed = {
        (action.partition(":")[2], arn["Fn::Sub"].rpartition(":")[2])
        for statement in make_policy(found)["Statement"]
        for action in statement["Action"]
        for arn in statement["Resource"]
    }
    return {
        (path.split("/")[2], "@connections")
        if action == "ManageConnections"
        else (action, path.removeprefix("table/"))
        for action, path in allowed
    }


def missing(world: Watched) -> dict[str, Asked]:
    """What functions asked for and may not have."""
    named = {
        function: {(action, name.replace(PREFIX, "waybill-${Stage}", 1)) for action, name in asked}
        for function, asked in world.asked.items()
    }
    return {f: asked - granted(f) for f, asked in named.items() if asked - granted(f)}


@pytest.fixture
def watched(dynamo: Engine, world: World) -> Watched:
    return Watched(dynamo)


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("role", list(Role))
def test_sockets_come_and_go_with_what_they_may(
    watched: Watched, contract: str, role: Role
) -> None:
    person = watched.someone(role, "1001")
    socket = watched.connect(person, contract)
    socket.say("nonsense")
    socket.close()
    watched.pass_time(120)
    assert missing(watched) == {}
    if socket.status == 200:
        assert watched.asked["websocket_connect"]
        assert watched.asked["websocket_disconnect"]


def test_a_message_that_overtakes_the_greeting_greets_with_what_it_may(watched: Watched) -> None:
    watched.connect(None, "rides", greet=False).say("nonsense")
    assert ("GET", "@connections") in watched.asked["websocket_message"]
    assert missing(watched) == {}


def test_an_order_is_placed_and_delivered_with_what_functions_may(watched: Watched) -> None:
    dan, cara = watched.courier(), watched.customer()
    watched.connect(dan)
    watched.connect(cara)
    with watched.noting("api_handler"):
        order = watched.place(cara)
        for step in ("accept", "arrived", "picked", "delivered"):
            watched.post(f"/v1/courier/orders/{step}", {"order_id": order["id"]}, dan)
    watched.pass_time(60)
    with watched.noting("sweep"):
        watched.sweep()
    assert {"api_handler", "wake", "sweep", "websocket_connect"} <= watched.asked.keys()
    assert missing(watched) == {}


def test_what_is_not_granted_is_missed(watched: Watched) -> None:
    watched.asked = {"websocket_connect": {("DeleteItem", f"{PREFIX}-orders")}}
    assert missing(watched) == {"websocket_connect": {("DeleteItem", "waybill-${Stage}-orders")}}
