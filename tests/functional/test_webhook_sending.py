"""Webhooks on tables that are real: what a delivery leaves, what the sweep lists, and with what
rights it is done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.webhooks.delivery import (
    Answer,
    Delivery,
    DeliveryStatus,
    SendDue,
    encode_send,
    make_reminder_id,
)
from chalicelib.errors import Stale
from chalicelib.store.deliveries import KEPT_FOR, DeliveryTable
from chalicelib.store.tables import ConnectionRow, DeliveryRow
from tests.builders import NOW
from tests.documents import check_webhook
from tests.fakes import Clock
from tests.faults import answers_lost
from tests.functional.conftest import Engine
from tests.functional.feeds import a_feed, a_profile
from tests.functional.test_policies import Watched, missing
from tests.functional.world import Someone, World


class Outside:
    """The webhook queue, and receivers that answer as they are told."""

    def __init__(self) -> None:
        self.sent: list[tuple[SendDue, timedelta]] = []
        self.posted: list[str] = []
        self.answer = Answer(status=200, text="thanks")

    def send_sends(self, sends: Iterable[tuple[SendDue, timedelta]]) -> None:
        self.sent += sends

    def check_url(self, url: str) -> None:
        """Take every URL."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        check_webhook(body)
        self.posted.append(headers["webhook-id"])
        return self.answer


@pytest.fixture
def outside() -> Outside:
    return Outside()


@pytest.fixture
def watched(dynamo: Engine, outside: Outside) -> Watched:
    return Watched(dynamo, webhook_queue=outside, webhook_client=outside)


def ping(world: World, by: Someone) -> str:
    """Make an endpoint with one event in its log; its id."""
    form = {"url": "https://shop.example/hook", "events": ["*"]}
    made = world.post("/v1/webhooks", form, by)
    assert made.status == 201, made
    pinged = world.post(f"/v1/webhooks/{made.body['id']}/test", None, by)
    assert pinged.status < 300, pinged
    return str(made.body["id"])


def send(world: World, *sends: SendDue) -> Any:
    """Have the function work off these messages."""
    records = [
        {"messageId": str(n), "body": encode_send(one), "attributes": {}}
        for n, one in enumerate(sends)
    ]
    return world.invoke("send_webhooks", {"Records": records})


def test_an_event_is_sent_once_and_what_came_of_it_is_kept_for_a_while(
    watched: Watched, outside: Outside
) -> None:
    id_ = ping(watched, watched.admin())
    assert send(watched, SendDue(id_, 1)) == {"batchItemFailures": []}
    assert send(watched, SendDue(id_, 1)) == {"batchItemFailures": []}
    assert outside.posted == [f"{id_}-1"]
    row = DeliveryRow.get(id_, 1)
    assert row.expires == int((NOW + KEPT_FOR).timestamp())
    found = DeliveryTable(watched.clock).find_delivery(id_, 1)
    assert found is not None
    assert (found.status, found.attempts[0].answer) == (DeliveryStatus.DELIVERED, "thanks")
    assert missing(watched) == {}


def test_a_late_attempt_is_listed_by_the_sweep_and_sent_with_what_functions_may(
    watched: Watched, outside: Outside
) -> None:
    id_ = ping(watched, watched.admin())
    for version in (1, 2):
        DeliveryTable(watched.clock).save_delivery(Delivery(id_, 1, version=version))
    outside.answer = Answer(status=500)
    send(watched, SendDue(id_, 1, attempt=2))
    outside.sent.clear()
    following = SendDue(id_, 1, attempt=3)
    assert ConnectionRow.get(make_reminder_id(following)).doc == encode_send(following)
    watched.sweep()
    assert outside.sent == []
    watched.clock.advance(37 * 60)  # half an hour and a fifth, at most
    with watched.noting("sweep"):
        watched.waybill.sweeper.run_pass()
    watched.pump()
    assert outside.sent == [(following, timedelta(0))]
    watched.clock.advance(60)
    watched.sweep()
    assert len(outside.sent) == 1  # it is forgotten
    outside.answer = Answer(status=200)
    send(watched, following)
    assert outside.posted == [f"{id_}-1"] * 2
    assert missing(watched) == {}


def test_an_endpoint_that_is_gone_is_disabled_and_its_owners_feed_tells(
    watched: Watched, outside: Outside
) -> None:
    ada = a_profile(watched, watched.admin())
    id_ = ping(watched, ada)
    feed = a_feed(watched, ada, "webhook_disabled")
    outside.answer = Answer(status=410)
    send(watched, SendDue(id_, 1))
    told = [frame for frame in feed.take() if frame.get("event_type") == "webhook_disabled"]
    assert [frame["data"]["endpoint_id"] for frame in told] == [id_]
    shown = watched.get(f"/v1/webhooks/{id_}", ada).body
    assert (shown["status"], shown["disabled_reason"]) == ("disabled", "gone")
    watched.pass_time(60)
    assert [frame for frame in feed.take() if "webhook" in str(frame)] == []
    assert watched.post(f"/v1/webhooks/{id_}/resend", {"event_id": f"{id_}-1"}, ada).status == 409
    assert missing(watched) == {}


def test_a_message_that_fails_comes_again_alone(watched: Watched, outside: Outside) -> None:
    id_ = ping(watched, watched.admin())
    records = [
        {"messageId": "bad", "body": '{"type":"nonsense"}'},
        {"messageId": "good", "body": encode_send(SendDue(id_, 1))},
    ]
    assert watched.invoke("send_webhooks", {"Records": records}) == {
        "batchItemFailures": [{"itemIdentifier": "bad"}]
    }
    assert outside.posted == [f"{id_}-1"]


def test_a_delivery_is_written_by_one_and_listed_newest_first(engine: Engine) -> None:
    table = DeliveryTable(Clock())
    assert table.find_delivery("7", 1) is None
    for seq in (1, 2, 11):
        table.save_delivery(Delivery("7", seq, version=1))
    with pytest.raises(Stale):
        table.save_delivery(Delivery("7", 1, version=1))
    with pytest.raises(Stale):
        table.save_delivery(Delivery("7", 1, version=3))
    with pytest.raises(Stale):
        table.save_delivery(Delivery("7", 3, version=2))
    with answers_lost(engine.connection.client, "PutItem"):
        table.save_delivery(Delivery("7", 1, version=2))
    assert [one.seq for one in table.list_deliveries("7", 10)] == [11, 2, 1]
    assert [one.seq for one in table.list_deliveries("7", 1, before=11)] == [2]
    assert table.list_deliveries("8", 10) == []


def test_a_reminder_is_put_and_deleted_as_often_as_one_likes(engine: Engine) -> None:
    table, one = DeliveryTable(Clock()), SendDue("7", 1, attempt=3)
    for _ in range(2):
        table.put_reminder(one, NOW + timedelta(hours=2))
    rows = list(ConnectionRow.scan())
    assert [row.connection_id for row in rows] == ["send#7-1#3"]
    for _ in range(2):
        table.delete_reminders([one])
    assert list(ConnectionRow.scan()) == []
