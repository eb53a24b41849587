"""Webhook endpoints over REST: whose they are, what is refused, secrets, pings and replays."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.contracts.moments import format_iso
from chalicelib.domain.people import Role
from chalicelib.domain.webhooks.delivery import (
    Answer as Received,
)
from chalicelib.domain.webhooks.delivery import (
    Attempt,
    Delivery,
    DeliveryStatus,
    SendDue,
)
from chalicelib.domain.webhooks.endpoint import MAX_ENDPOINTS, MAX_SECRETS
from chalicelib.edge.webhooks.client import WebhookClient
from chalicelib.store.deliveries import DeliveryTable
from chalicelib.store.tables import WebhookRow
from tests.faults import answers_lost
from tests.functional.conftest import MakeWorld
from tests.functional.endpoints import Sends
from tests.functional.world import Answer, Someone, World

URL = "https://shop.example/hook"
FORM = {"url": URL, "events": ["*"]}
PATH = "/v1/webhooks"


@pytest.fixture
def sends() -> Sends:
    return Sends()


@pytest.fixture
def world(make_world: MakeWorld, sends: Sends) -> World:
    client = WebhookClient(resolve=lambda host: ["93.184.215.14"])
    return make_world(webhook_queue=sends, webhook_client=client)


def merchant(world: World, *restaurants: str, id_: str = "mia") -> Someone:
    """Somebody who runs these restaurants."""
    return world.someone(Role.MERCHANT, id_, restaurant_ids=list(restaurants))


def create(world: World, by: Someone, **fields: Any) -> dict[str, Any]:
    """Create an endpoint."""
    answer = world.post(PATH, {**FORM, **fields}, by)
    assert answer.status == 201, answer
    return dict(answer.body)


def patch(world: World, endpoint: dict[str, Any], by: Someone, **fields: Any) -> Answer:
    """Change an endpoint."""
    return world.call("PATCH", f"{PATH}/{endpoint['id']}", fields, by)


def code(answer: Answer) -> tuple[int, str]:
    """The status, and the error's code."""
    return answer.status, answer.body["error"]


def test_an_endpoint_is_made_shown_changed_and_deleted(world: World) -> None:
    ada = world.admin()
    made = create(world, ada, description=" Till ", events=["order.placed", "*", "order.placed"])
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert made == {
        "id": made["id"],
        "url": URL,
        "events": ["order.placed", "*"],
        "description": "Till",
        "status": "enabled",
        "created_at": format_iso(world.clock.now),
    }
    place = f"{PATH}/{made['id']}"
    assert world.get(place, ada).body == made
    assert world.get(PATH, ada).body == {"webhooks": [made]}

    changed = patch(
        world, made, ada, description=None, url="https://till.example/", merchant_id="m"
    )
    assert changed.status == 200
    assert changed.body == {
        **{name: value for name, value in made.items() if name != "description"},
        "url": "https://till.example/",
        "merchant_id": "m",
    }
    assert world.get(place, ada).body == changed.body

    gone = world.call("DELETE", place, by=ada)
    assert (gone.status, gone.text) == (204, "")
    assert code(world.get(place, ada)) == (404, "not_found")
    assert code(world.call("DELETE", place, by=ada)) == (404, "not_found")
    assert world.get(PATH, ada).body == {"webhooks": []}


def test_an_owner_disables_by_hand_and_enables_again(world: World) -> None:
    ada = world.admin()
    made = create(world, ada)
    off = patch(world, made, ada, status="disabled").body
    assert (off["status"], off["disabled_reason"]) == ("disabled", "by_owner")
    for action, body in (
        ("test", {}),
        ("resend", {"event_id": f"{made['id']}-1"}),
        ("replay", {"since": format_iso(world.clock.now)}),
    ):
        refused = world.post(f"{PATH}/{made['id']}/{action}", body, ada)
        assert code(refused) == (409, "endpoint_disabled"), action
    on = patch(world, made, ada, status="enabled").body
    assert (on["status"], "disabled_reason" in on) == ("enabled", False)


def test_what_one_may_not_hear_of_is_refused_and_anothers_is_not_there(world: World) -> None:
    mia, ada = merchant(world, "mill", "lane"), world.admin()
    mine = create(world, mia)
    assert create(world, mia, merchant_id="mill")["merchant_id"] == "mill"
    assert code(world.post(PATH, {**FORM, "merchant_id": "inn"}, mia)) == (403, "forbidden")
    assert code(patch(world, mine, mia, merchant_id="inn")) == (403, "forbidden")
    assert code(world.post(PATH, FORM, merchant(world))) == (403, "forbidden")
    registry = world.waybill.webhooks.list_endpoints(mia.actor)
    assert {one.merchant_ids for one in registry} == {("mill", "lane"), ("mill",)}

    for who in (world.customer(), world.courier()):
        assert code(world.post(PATH, FORM, who)) == (403, "forbidden")
        assert code(world.get(PATH, who)) == (403, "forbidden")
    for who in (ada, world.admin("bea"), merchant(world, "mill", id_="moe")):
        for method, tail in (
            *(("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/rotate")),
            ("POST", "/test"),
        ):
            answer = world.call(method, f"{PATH}/{mine['id']}{tail}", {}, who)
            assert code(answer) == (404, "not_found"), (who.id, method, tail)
        assert world.get(PATH, who).body == {"webhooks": []}
    assert code(world.get(PATH)) == (401, "unauthenticated")


def test_who_is_no_admin_any_more_has_no_endpoint_for_everybodys_orders(world: World) -> None:
    everybodys = create(world, world.admin())
    demoted = merchant(world, "mill", id_="ada")
    assert code(world.get(f"{PATH}/{everybodys['id']}", demoted)) == (404, "not_found")
    assert world.get(PATH, demoted).body == {"webhooks": []}


def test_who_has_a_restaurant_no_more_may_only_end_what_hears_of_it(world: World) -> None:
    ada, mia = world.admin(), merchant(world, "mill", "lane")
    of_admin, of_two = create(world, ada, merchant_id="mill"), create(world, mia)
    demoted, left = merchant(world, "inn", id_="ada"), merchant(world, "lane")
    for made, who in ((of_admin, demoted), (of_two, left)):
        place = f"{PATH}/{made['id']}"
        for action, body in (
            ("rotate", {}),
            ("test", {}),
            ("resend", {"event_id": f"{made['id']}-1"}),
            ("replay", {"since": format_iso(world.clock.now)}),
        ):
            assert code(world.post(f"{place}/{action}", body, who)) == (403, "forbidden"), action
        for fields in ({"url": "https://evil.example/"}, {"events": ["*"]}, {"status": "enabled"}):
            assert code(patch(world, made, who, **fields)) == (403, "forbidden"), fields
        assert patch(world, made, who, status="disabled").body["status"] == "disabled"
        assert world.get(place, who).body["url"] == URL
        assert world.get(f"{place}/attempts", who).status == 200
    assert patch(world, of_two, left, merchant_id=None, status="enabled").status == 200
    (narrowed,) = world.waybill.webhooks.list_endpoints(left.actor)
    assert narrowed.merchant_ids == ("lane",)
    assert world.post(f"{PATH}/{of_two['id']}/test", {}, left).status == 202
    assert world.call("DELETE", f"{PATH}/{of_admin['id']}", by=demoted).status == 204


BAD: list[tuple[dict[str, Any], str]] = [
    ({"url": None}, "url"),
    ({"url": 5}, "url"),
    ({"url": ""}, "url"),
    ({"url": "http://shop.example/"}, "url"),
    ({"url": "https://u:p@shop.example/"}, "url"),
    ({"url": "https://shop.example:8443/"}, "url"),
    ({"url": "https://"}, "url"),
    ({"url": "https://shop.example/" + "x" * 3000}, "url"),
    ({"url": "https://shop.example/\u0000"}, "url"),
    ({"url": "https://sh\u00f6p.example/"}, "url"),
    ({"url": "https://[::1"}, "url"),
    ({"url": "ftp://shop.example/"}, "url"),
    ({"events": None}, "events"),
    ({"events": "*"}, "events"),
    ({"events": []}, "events"),
    ({"events": [["*"]]}, "events"),
    ({"events": ["order.eaten"]}, "events"),
    ({"events": ["order.placed"] * 500 + ["x" * 9000]}, "events"),
    ({"description": "x" * 501}, "description"),
    ({"description": {}}, "description"),
    ({"merchant_id": ""}, "merchant_id"),
    ({"merchant_id": 7}, "merchant_id"),
]


def test_bad_fields_are_refused_by_name_and_nothing_is_made(world: World) -> None:
    ada = world.admin()
    made = create(world, ada)
    for fields, name in BAD:
        refused = world.post(PATH, {**FORM, **fields}, ada)
        assert code(refused) == (400, "invalid_input"), fields
        assert refused.body["details"]["field"] == name
        if fields != {"merchant_id": ""} and list(fields.values()) != [None]:
            assert patch(world, made, ada, **fields).status == 400, fields
    for fields in (
        {"status": "off"},
        {"status": None},
        {"status": []},
        {"id": "1"},
        {"secret": "s"},
    ):
        assert code(patch(world, made, ada, **fields)) == (400, "invalid_input"), fields
    assert world.get(PATH, ada).body["webhooks"] == [world.get(f"{PATH}/{made['id']}", ada).body]
    for id_ in ("registry", "0", "-1", "x" * 3000, "%00", "1" * 16, "%F0%9F%9A%B2"):
        assert code(world.get(f"{PATH}/{id_}", ada)) == (404, "not_found"), id_


def test_an_owner_has_at_most_twenty_also_of_those_made_at_once(world: World) -> None:
    ada = world.admin()
    for _ in range(MAX_ENDPOINTS - 2):
        create(world, ada)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: world.post(PATH, FORM, ada), range(4)))
    assert sorted(one.status for one in answers) == [201, 201, 409, 409]
    refused = next(one for one in answers if one.status == 409)
    assert refused.body["error"] == "too_many_endpoints"
    endpoints = world.get(PATH, ada).body["webhooks"]
    assert len(endpoints) == MAX_ENDPOINTS
    create(world, world.admin("bea"))
    world.call("DELETE", f"{PATH}/{endpoints[0]['id']}", by=ada)
    create(world, ada)


def test_the_same_request_by_the_same_key_makes_one_and_shows_its_secret(world: World) -> None:
    ada, headers = world.admin(), {"Idempotency-Key": "7f6c2a86-5d0e"}
    first, again = (world.call("POST", PATH, FORM, ada, headers) for _ in range(2))
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (
        False,
        "true",
    )
    other = world.call("POST", PATH, {**FORM, "events": ["order.placed"]}, ada, headers)
    assert code(other) == (422, "idempotency_key_reused")
    world.post(f"{PATH}/{first.body['id']}/rotate", by=ada)
    assert "secret" not in world.call("POST", PATH, FORM, ada, headers).body
    world.call("DELETE", f"{PATH}/{first.body['id']}", by=ada)
    assert code(world.call("POST", PATH, FORM, ada, headers)) == (404, "not_found")


@pytest.mark.parametrize("key", [None, "7f6c2a86-5d0e"])
def test_a_lost_answer_makes_no_second_endpoint(world: World, key: str | None) -> None:
    ada, client = world.admin(), world.engine.connection.client
    headers = {"Idempotency-Key": key} if key else None
    with answers_lost(client, "TransactWriteItems") as lost:
        made = world.call("POST", PATH, FORM, ada, headers)
    assert (made.status, len(lost)) == (201, 1)
    with answers_lost(client, "PutItem") as lost:
        secret = world.post(f"{PATH}/{made.body['id']}/rotate", by=ada).body["secret"]
    assert len(lost) == 1
    (stored,) = world.waybill.webhooks.list_endpoints(ada.actor)
    assert [one.value for one in stored.secrets] == [secret, made.body["secret"]]
    with answers_lost(client, "TransactWriteItems") as lost:
        assert world.call("DELETE", f"{PATH}/{made.body['id']}", by=ada).status == 204
    assert len(lost) == 1


def test_a_secret_that_was_replaced_is_valid_for_a_day_and_none_is_dropped(world: World) -> None:
    ada = world.admin()
    made = create(world, ada)
    rotate = f"{PATH}/{made['id']}/rotate"
    valid = [made["secret"]]
    for _ in range(MAX_SECRETS - 1):
        world.clock.advance(3600)
        rotated = world.post(rotate, by=ada)
        assert rotated.status == 200
        valid.insert(0, rotated.body["secret"])
    (stored,) = world.waybill.webhooks.list_endpoints(ada.actor)
    assert stored.list_signing_secrets(world.clock.now) == tuple(valid)
    assert code(world.post(rotate, by=ada)) == (409, "conflict")
    world.clock.advance(21 * 3600)  # a day after the first one was replaced
    assert stored.list_signing_secrets(world.clock.now) == tuple(valid[:-1])
    assert world.post(rotate, by=ada).status == 200
    assert len(set(valid)) == MAX_SECRETS


def test_a_secret_is_in_no_other_answer_and_in_no_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="chalicelib")
    ada = world.admin()
    made = create(world, ada)
    answers = [
        world.get(PATH, ada),
        world.get(f"{PATH}/{made['id']}", ada),
        patch(world, made, ada, description="till"),
        patch(world, made, ada, url="http://" + made["secret"]),
        world.post(f"{PATH}/{made['id']}/test", by=ada),
    ]
    (stored,) = world.waybill.webhooks.list_endpoints(ada.actor)
    for text in (*(one.text for one in answers), repr(stored), caplog.text):
        assert made["secret"] not in text
        assert "whsec" not in text


def test_a_ping_is_an_event_of_the_log_and_may_be_sent_again(world: World, sends: Sends) -> None:
    ada = world.admin()
    made = create(world, ada)
    place = f"{PATH}/{made['id']}"
    pings = [world.post(f"{place}/test", by=ada) for _ in range(5)]
    assert [one.status for one in pings] == [202] * 5
    assert [one.body for one in pings] == [
        {"type": "webhook.ping", "event_id": f"{made['id']}-{n}"} for n in range(1, 6)
    ]
    sends.sent.clear()
    again = world.post(f"{place}/resend", {"event_id": f"{made['id']}-2"}, ada)
    assert (again.status, again.body) == (202, {"event_id": f"{made['id']}-2"})
    assert sends.sent == [SendDue(made["id"], 2, resent=True)]
    for event_id in (
        f"{made['id']}-6",
        f"{made['id']}-0",
        f"{made['id']}-01",
        "5-1",
        "x",
        "-",
        f"{made['id']}--1",
    ):
        refused = world.post(f"{place}/resend", {"event_id": event_id}, ada)
        assert code(refused) == (404, "not_found"), event_id
    for bad in (None, 5, "", "x" * 5000):
        refused = world.post(f"{place}/resend", {"event_id": bad}, ada)
        assert code(refused) == (400, "invalid_input"), bad
    sends.is_down = True
    down = world.post(f"{place}/resend", {"event_id": f"{made['id']}-2"}, ada)
    assert code(down) == (503, "unavailable")


class Receiver:
    """Whoever receives: verifies nothing, and keeps what came."""

    def __init__(self) -> None:
        self.status = 500
        self.received: list[tuple[str, str]] = []

    def check_url(self, url: str) -> None:
        pass

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Received:
        self.received.append((headers["webhook-id"], body.decode()))
        return Received(self.status, "well", ms=7)


def test_a_ping_shows_among_the_attempts_and_a_resend_carries_the_same(
    make_world: MakeWorld, sends: Sends
) -> None:
    receiver = Receiver()
    world = make_world(webhook_queue=sends, webhook_client=receiver)
    ada = world.admin()
    made = create(world, ada, events=["order.placed"])
    place = f"{PATH}/{made['id']}"

    def work_off() -> None:
        for send in [sends.sent.pop(0) for _ in sends.sent[:]]:
            world.waybill.webhook_sender.send_event(send)

    event_id = world.post(f"{place}/test", by=ada).body["event_id"]
    work_off()
    (failed,) = world.get(f"{place}/attempts", ada).body["attempts"]
    assert (failed["event_id"], failed["status"], failed["answer"]) == (event_id, 500, "well")
    assert failed["event_status"] == "waiting"
    assert world.get(place, ada).body["failing_since"]
    receiver.status = 204
    sends.sent.clear()  # its second attempt
    world.clock.advance(60)
    assert world.post(f"{place}/resend", {"event_id": event_id}, ada).status == 202
    work_off()
    arrived, _ = world.get(f"{place}/attempts", ada).body["attempts"]
    assert (arrived["status"], arrived["event_status"]) == (204, "delivered")
    assert "failing_since" not in world.get(place, ada).body
    first, second = receiver.received
    assert first == second
    assert first[0] == event_id
    assert first[1].startswith('{"type":"webhook.ping","timestamp":"')


def test_attempts_are_listed_by_pages_for_their_owner(world: World) -> None:
    ada, now = world.admin(), world.clock.now
    made, deliveries = create(world, ada), DeliveryTable(world.clock)
    place = f"{PATH}/{made['id']}/attempts"
    assert world.get(place, ada).body == {"attempts": []}
    failed = Attempt(now, 15000, error="timed_out")
    arrived = Attempt(now + timedelta(seconds=5), 12, 200, "thanks")
    both = (failed, arrived)
    deliveries.save_delivery(Delivery(made["id"], 1, DeliveryStatus.DELIVERED, both, version=1))
    later = now + timedelta(minutes=5)
    waiting = Delivery(made["id"], 2, attempts=(failed,), next_at=later, version=1)
    deliveries.save_delivery(waiting)
    first = world.get(f"{place}?limit=2", ada).body
    rest = world.get(f"{place}?limit=2&cursor={first.pop('next_cursor')}", ada).body
    shown_failed = {"at": format_iso(now), "ms": 15000, "answer": "", "error": "timed_out"}
    assert first["attempts"] == [
        {
            "event_id": f"{made['id']}-2",
            "event_status": "waiting",
            "next_attempt_at": format_iso(later),
            **shown_failed,
        },
        {
            "event_id": f"{made['id']}-1",
            "event_status": "delivered",
            "at": format_iso(arrived.at),
            "ms": 12,
            "status": 200,
            "answer": "thanks",
        },
    ]
    delivered = {"event_id": f"{made['id']}-1", "event_status": "delivered"}
    assert rest == {"attempts": [{**delivered, **shown_failed}]}
    bea = world.admin("bea")
    assert code(world.get(place, bea)) == (404, "not_found")
    for query in ("limit=0", "limit=x", "cursor=x", "cursor=", "limit="):
        assert code(world.get(f"{place}?{query}", ada)) == (400, "invalid_input"), query


def test_a_replay_sends_what_there_is_since_a_time(world: World, sends: Sends) -> None:
    ada = world.admin()
    made = create(world, ada)
    place = f"{PATH}/{made['id']}"
    assert world.post(f"{place}/replay", {"since": format_iso(world.clock.now)}, ada).status == 202
    world.pump()
    assert sends.sent == []
    for _ in range(4):
        world.clock.advance(60)
        world.post(f"{place}/test", by=ada)
    world.pump()
    sends.sent.clear()
    since = format_iso(world.clock.now - timedelta(seconds=60))
    replayed = world.post(f"{place}/replay", {"since": since}, ada)
    assert (replayed.status, replayed.body) == (202, {"since": since})
    world.pump()
    assert sends.sent == [SendDue(made["id"], n, resent=True) for n in (3, 4)]

    for bad in (None, 5, "", "yesterday", "2026-01-27T10:30:00", "2026-13-01T00:00:00Z"):
        refused = world.post(f"{place}/replay", {"since": bad}, ada)
        assert code(refused) == (400, "invalid_input"), bad
    eight_days = world.clock.now - timedelta(days=8)
    oldest = world.post(f"{place}/replay", {"since": format_iso(eight_days)}, ada)
    assert oldest.status == 202
    older = format_iso(eight_days - timedelta(minutes=6))
    assert code(world.post(f"{place}/replay", {"since": older}, ada)) == (400, "invalid_input")


def test_a_replay_ends_with_its_endpoint(world: World, sends: Sends) -> None:
    ada = world.admin()
    made, gone = create(world, ada), create(world, ada)
    for one in (made, gone):
        world.post(f"{PATH}/{one['id']}/test", by=ada)
        world.post(f"{PATH}/{one['id']}/replay", {"since": format_iso(world.clock.now)}, ada)
    patch(world, made, ada, status="disabled")
    world.call("DELETE", f"{PATH}/{gone['id']}", by=ada)
    sends.sent.clear()
    world.pump()
    assert [one for one in sends.sent if one.resent] == []


def test_secrets_are_kept_in_one_table_only(world: World) -> None:
    """Rows of endpoints have them; the registry, which every function reads, has none."""
    ada = world.admin()
    create(world, ada)
    rows = {str(row.endpoint_id): row for row in WebhookRow.scan()}
    assert set(rows) == {"registry", world.get(PATH, ada).body["webhooks"][0]["id"]}
    assert b"whsec" not in repr(world.waybill.webhooks.list_endpoints(ada.actor)).encode()
