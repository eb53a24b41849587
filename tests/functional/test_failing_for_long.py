"""Failing for an hour is not failing for ever; and nothing that fails renews itself for ever."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.messaging.mailboxes import APPLIED_KEPT_FOR
from chalicelib.domain.messaging.wakeups import (
    GreetingDue,
    OrdersDue,
    RelayDue,
    SearchDue,
    encode_wakeup,
)
from chalicelib.errors import PostFailed
from chalicelib.store.mailboxes import MailboxTable
from tests.builders import NOW
from tests.fakes import Message
from tests.functional.conftest import MakeWorld
from tests.functional.hails import hail
from tests.functional.test_wakeups import batch
from tests.functional.world import Socket, World


def down_for(world: World, seconds: float, *sockets: Socket) -> None:
    """Let posts fail for so long, and these sockets not be closed either."""
    until = world.clock.now + timedelta(seconds=seconds)
    world.gateway.cannot_close |= {socket.id for socket in sockets}

    def post(connection_id: str, frame: str) -> None:
        if world.clock.now < until:
            raise PostFailed("@connections answered 503")

    world.gateway.before_post = post


def heard(socket: Socket) -> list[str]:
    return [frame["data"]["status"] for frame in socket.frames]


def tries(world: World) -> list[int]:
    """How often the relays that wait were sent on."""
    return [m.wakeup.tries for m in world.queue.waiting if isinstance(m.wakeup, RelayDue)]


@pytest.mark.parametrize("minutes", [3, 60, 100])
def test_an_open_socket_hears_after_an_outage_what_happened_in_it(
    world: World, minutes: int
) -> None:
    """In order, by the wakeups alone, soon after it is over: a quarter of an hour at most."""
    cara, dan = world.customer(), world.courier()
    hers, order = world.connect(cara), world.place(cara)["id"]
    world.pass_time(6)
    down_for(world, minutes * 60, hers)
    assert world.step("accept", order, dan).status == 200
    assert world.step("arrived", order, dan).status == 200
    world.pass_time(minutes * 60)
    assert heard(hers) == ["assigned"]
    world.pass_time(15 * 60)
    assert heard(hers) == ["assigned", "accepted", "arrived"]
    assert world.queue.waiting == world.queue.dead == []


def test_what_can_not_be_posted_is_tried_less_and_less_often(world: World) -> None:
    """An hour of it is eleven tries."""
    cara, dan = world.customer(), world.courier()
    hers, order = world.connect(cara), world.place(cara)["id"]
    world.pass_time(6)
    down_for(world, 10**6, hers)
    world.queue.waiting.clear()
    world.step("accept", order, dan)
    world.pass_time(3600)
    (tried,) = tries(world)
    assert 9 <= tried <= 13


def test_what_nobody_would_want_to_hear_any_more_is_not_tried_any_more(world: World) -> None:
    """A day; and no message has failed."""
    cara, dan = world.customer(), world.courier()
    hers, order = world.connect(cara), world.place(cara)["id"]
    world.pass_time(6)
    down_for(world, 10**6, hers)
    world.step("accept", order, dan)
    world.pass_time(25 * 3600)
    assert world.queue.waiting == world.queue.dead == []
    assert len(world.queue.sent) < 400


def test_a_relay_that_always_finds_its_mailbox_held_ends_in_the_dead_letters(
    make_world: MakeWorld,
) -> None:
    """Somebody who holds it and never gets anywhere: an alarm, and not a wakeup for ever."""
    mailboxes = AlwaysHeld()
    world = make_world(mailboxes=mailboxes)
    cara, dan = world.customer(), world.courier()
    order = world.place(cara)["id"]
    world.pass_time(6)
    mailboxes.held = "cara"
    assert world.step("accept", order, dan).status == 200
    world.pass_time(APPLIED_KEPT_FOR.total_seconds())
    assert [type(message.wakeup) for message in world.queue.dead] == [RelayDue]
    assert world.queue.waiting == []


def test_a_greeting_that_always_finds_its_mailbox_held_ends_in_the_dead_letters(
    make_world: MakeWorld,
) -> None:
    mailboxes = AlwaysHeld()
    world = make_world(mailboxes=mailboxes)
    mailboxes.held = "cara"
    world.connect(world.customer())
    world.pass_time(APPLIED_KEPT_FOR.total_seconds())
    assert [type(message.wakeup) for message in world.queue.dead] == [GreetingDue]
    assert world.queue.waiting == []


def test_a_socket_that_can_not_be_greeted_for_twenty_minutes_is_greeted_then(
    world: World,
) -> None:
    dan = world.courier()
    down_for(world, 20 * 60)
    socket = world.connect(dan, "drivers")
    world.pass_time(20 * 60)
    assert socket.frames == []
    world.pass_time(15 * 60)
    assert [frame["type"] for frame in socket.take()] == [
        "connection_established",
        "initial_orders",
    ]
    assert world.queue.dead == []


def test_a_failure_that_nobody_expected_is_not_hidden_by_a_post_that_failed(
    make_world: MakeWorld,
) -> None:
    """One socket fails for now; another recipient's mailbox can't be read at all."""
    mailboxes = Unreadable()
    world = make_world(mailboxes=mailboxes)
    cara, dan = world.customer(), world.courier()
    world.connect(cara)
    world.connect(dan)
    down_for(world, 10**6)
    mailboxes.broken = "dan"
    world.place(cara)
    world.pass_time(APPLIED_KEPT_FOR.total_seconds())
    assert RelayDue in {type(message.wakeup) for message in world.queue.dead}


@pytest.mark.parametrize("body", ["nonsense", "{}", '{"type":"of_tomorrow","id":1}'])
def test_what_can_not_be_understood_ends_in_the_dead_letters(world: World, body: str) -> None:
    """Also what an older or a newer version sent."""
    world.queue.waiting.append(Message(NOW, 1, body))
    world.pass_time(APPLIED_KEPT_FOR.total_seconds())
    assert [message.body for message in world.queue.dead] == [body]
    assert world.queue.waiting == []


def test_a_wakeup_of_a_version_before_is_understood(world: World) -> None:
    """Without a count of tries; and a search's end is a look like any other."""
    old = [
        '{"type":"relay","stream":"order#1","version":1,"awaited_until":null,"to":["a"]}',
        '{"type":"greet","connection_id":"nobody="}',
        '{"type":"search","order_id":1,"due":"2026-01-01T00:00:00Z"}',
    ]
    assert world.invoke("wake", batch(*old)) == {"batchItemFailures": []}


# A batch


class TimeLeft:
    """A Lambda context whose time runs down as it is told to."""

    def __init__(self, *left_ms: int) -> None:
        self._left = list(left_ms)

    def get_remaining_time_in_millis(self) -> int:
        return self._left.pop(0) if len(self._left) > 1 else self._left[0]


def test_when_time_runs_out_the_rest_of_a_batch_comes_again_undone(world: World) -> None:
    from app import wake

    dan = world.courier()
    sockets = [world.connect(dan, greet=False) for _ in range(3)]
    event = batch(*(encode_wakeup(GreetingDue(socket.id)) for socket in sockets))
    answer = wake(event, TimeLeft(28_000, 4_000))
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == ["m1", "m2"]
    assert [world.waybill.connections.get_connection(socket.id).greeted for socket in sockets] == [  # type: ignore[union-attr]
        True,
        False,
        False,
    ]


def test_of_what_the_sweep_lists_nothing_is_begun_without_time(world: World) -> None:
    """It is no failure: what is due is listed again."""
    from app import wake

    order = hail(world)["id"]
    world.clock.advance(15)
    before = world.waybill.customer_orders._orders.get_order(order).version
    assert wake(batch(encode_wakeup(OrdersDue((order,)))), TimeLeft(28_000, 4_000)) == {
        "batchItemFailures": []
    }
    assert world.waybill.customer_orders._orders.get_order(order).version == before


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Any:
    def metrics() -> list[dict[str, Any]]:
        lines = capsys.readouterr().out.splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in found if "Queue" in line]

    return metrics


def arriving(world: World, after_s: float, delay_s: int | None, body: str) -> dict[str, Any]:
    """A batch of one that was sent so long ago, with a delay."""
    event = batch(body)
    sent = int((world.clock.now - timedelta(seconds=after_s)).timestamp() * 1000)
    attribute = {"stringValue": str(delay_s), "dataType": "Number"}
    event["Records"][0] |= {
        "attributes": {"SentTimestamp": str(sent)},
        "messageAttributes": {} if delay_s is None else {"delay": attribute},
    }
    return event


def test_a_late_wakeup_says_how_late_it_is(world: World, said: Any) -> None:
    """In CloudWatch's embedded metric format, for the alarm; its delay does not count."""
    body = encode_wakeup(SearchDue(1, NOW))
    world.invoke("wake", arriving(world, 905, 900, body))
    world.invoke("wake", arriving(world, 3600, None, body))  # an older version's
    assert said() == []
    world.invoke("wake", arriving(world, 1100, 900, body))
    (line,) = said()
    assert line["WakeupLateness"] == 200
    assert line["Queue"] == "waybill-wakeups"
    meta = line["_aws"]
    assert meta["Timestamp"] == int(world.clock.now.timestamp() * 1000)
    (directive,) = meta["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Queue"]]
    assert directive["Metrics"] == [{"Name": "WakeupLateness", "Unit": "Seconds"}]


class AlwaysHeld(MailboxTable):
    """One mailbox is always another's."""

    held = ""

    def acquire_lease(self, person_id: str, *rest: Any, **more: Any) -> Any:
        return None if person_id == self.held else super().acquire_lease(person_id, *rest, **more)

    def enqueue_for_holder(self, person_id: str, *rest: Any) -> bool:
        return person_id == self.held or super().enqueue_for_holder(person_id, *rest)


class Unreadable(MailboxTable):
    """One mailbox can't be had."""

    broken = ""

    def acquire_lease(self, person_id: str, *rest: Any, **more: Any) -> Any:
        if person_id == self.broken:
            raise RuntimeError("throttled")
        return super().acquire_lease(person_id, *rest, **more)
