"""Keys of what is no order: payments, payouts, ratings, announcements; and keys over sockets."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.store.tables import ChatRow, KeyRow, OrderRow, PaymentRow, PayoutRow, RatingRow
from tests.faults import failing
from tests.functional.conftest import MakeWorld
from tests.functional.rides import WISH, Client, a_driver, a_ride, a_rider
from tests.functional.world import Answer, Someone, World

KEY = {"Idempotency-Key": "0d1c7a1e-5a55-44a0-8a5e-2f1b4f8f7a10"}
LONG = "a-key-of-sixteen"
STEPS = ("accept", "arrived", "picked", "delivered")


def send(world: World, path: str, body: dict[str, Any], by: Someone) -> Answer:
    """POST with the key."""
    return world.call("POST", path, body, by, KEY)


def a_payment(world: World) -> tuple[str, dict[str, Any], Someone]:
    """A customer who may pay for an order."""
    cara = world.customer()
    order = world.place(cara)
    return "/v1/payments", {"order_id": order["id"], "method": "upi", "upi_id": "cara@bank"}, cara


def a_payout(world: World) -> tuple[str, dict[str, Any], Someone]:
    """A courier with money in their wallet."""
    dan, cara = world.courier(), world.customer()
    order = world.place(cara)
    for verb in STEPS:
        world.step(verb, order["id"], dan)
    return "/v1/payouts", {"amount": 10, "bank_account": "DE89 3704"}, dan


def a_rating(world: World) -> tuple[str, dict[str, Any], Someone]:
    """A rider whose ride is over."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, "completed")
    return "/v1/riders/rate/driver", {"ride_id": ride_id, "rating": 5}, rider.person


def a_fare(world: World) -> tuple[str, dict[str, Any], Someone]:
    """A rider who may pay for a ride that is over."""
    _, body, person = a_rating(world)
    return "/v1/riders/payment", {"ride_id": body["ride_id"], "method": "cash"}, person


def an_announcement(world: World) -> tuple[str, dict[str, Any], Someone]:
    """An admin with something to say."""
    return "/v1/admin/announcements", {"msg": "Storm ahead"}, world.admin()


def a_wish(world: World) -> tuple[str, dict[str, Any], Someone]:
    """A rider who wants a ride."""
    return "/v1/riders/rides", dict(WISH), a_rider(world).person


def a_hail(world: World) -> tuple[str, dict[str, Any], Someone]:
    """A customer who wants a driver."""
    return "/v1/driver-orders", {"address_from": "A", "address_to": "B"}, world.customer()


CREATIONS = [a_payment, a_payout, a_rating, a_fare, an_announcement, a_wish, a_hail]
Creation = Callable[[World], tuple[str, dict[str, Any], Someone]]


def count_rows() -> list[int]:
    """Count what was created."""
    models = (OrderRow, PaymentRow, PayoutRow, RatingRow, KeyRow)
    return [len(list(model.scan())) for model in models]


@pytest.mark.parametrize("create", CREATIONS)
def test_what_is_sent_again_is_made_once(world: World, create: Creation) -> None:
    path, body, who = create(world)
    first = send(world, path, body, who)
    assert first.status == 201, first
    made = count_rows()
    again = send(world, path, body, who)
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert count_rows() == made


@pytest.mark.parametrize("create", CREATIONS)
def test_another_request_by_the_key_is_a_422(world: World, create: Creation) -> None:
    path, body, who = create(world)
    send(world, path, body, who)
    made = count_rows()
    refused = send(world, path, {**body, "more": 1}, who)
    assert (refused.status, refused.body["error"]) == (422, "idempotency_key_reused")
    assert count_rows() == made


@pytest.mark.parametrize("create", CREATIONS)
def test_many_at_once_make_one(make_engine_world: MakeWorld, create: Creation) -> None:
    world = make_engine_world()
    path, body, who = create(world)
    before = count_rows()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(world, path, body, who), range(16)))
    assert {answer.status for answer in answers} == {201}
    firsts = [answer for answer in answers if "idempotent-replayed" not in answer.headers]
    assert len(firsts) == 1
    assert sum(count_rows()) - sum(before) == (1 if create is an_announcement else 2)


def test_an_announcement_is_posted_once(world: World) -> None:
    rider = a_rider(world)
    path, body, ada = an_announcement(world)
    for _ in range(3):
        send(world, path, body, ada)
    assert rider.heard("server_message").count({"msg": "Storm ahead"}) == 1


def test_an_announcement_that_somebody_died_of_is_posted_by_who_asks_again(world: World) -> None:
    rider = a_rider(world)
    path, body, ada = an_announcement(world)
    send(world, path, body, ada)
    (row,) = KeyRow.scan()
    posting = f"announcing@{world.clock.now.timestamp()}"
    row.update(actions=[KeyRow.target.set(posting)])
    assert "idempotent-replayed" in send(world, path, body, ada).headers
    world.clock.advance(31)
    assert "idempotent-replayed" not in send(world, path, body, ada).headers
    assert rider.heard("server_message").count({"msg": "Storm ahead"}) == 2
    assert "idempotent-replayed" in send(world, path, body, ada).headers


def test_an_announcement_that_could_not_be_posted_is_posted_by_who_asks_again(
    world: World,
) -> None:
    rider = a_rider(world)
    path, body, ada = an_announcement(world)
    with failing(world.engine.connection.client, "Query", 500, "InternalServerError"):
        assert send(world, path, body, ada).status == 503
    again = send(world, path, body, ada)
    assert (again.status, "idempotent-replayed" in again.headers) == (201, False)
    assert rider.heard("server_message").count({"msg": "Storm ahead"}) == 1
    assert "idempotent-replayed" in send(world, path, body, ada).headers


def test_of_many_who_find_an_announcement_abandoned_one_posts_it(make_world: MakeWorld) -> None:
    world = make_world()
    rider = a_rider(world)
    path, body, ada = an_announcement(world)
    send(world, path, body, ada)
    (row,) = KeyRow.scan()
    row.update(actions=[KeyRow.target.set(f"announcing@{world.clock.now.timestamp() - 31}")])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(world, path, body, ada), range(8)))
    assert {answer.status for answer in answers} == {201}
    assert rider.heard("server_message").count({"msg": "Storm ahead"}) == 2


def test_a_ride_that_is_requested_again_on_its_socket_is_one(world: World) -> None:
    rider = a_rider(world)
    first = rider.ask("request_ride", 1, **WISH)
    again = rider.ask("request_ride", 1, **WISH)
    assert again == first
    other = rider.ask("request_ride", 2, **WISH)
    assert other["ride_id"] != first["ride_id"]


def test_a_short_event_id_means_nothing_on_another_socket(world: World) -> None:
    rider = a_rider(world)
    first = rider.ask("request_ride", 1, **WISH)
    other = a_rider(world).ask("request_ride", 1, **WISH)
    assert other["ride_id"] != first["ride_id"]


def test_a_long_event_id_is_known_on_every_socket_for_a_day(world: World) -> None:
    first = a_rider(world).ask("request_ride", LONG, **WISH)
    assert a_rider(world).ask("request_ride", LONG, **WISH)["ride_id"] == first["ride_id"]
    others = a_rider(world, "rosa").ask("request_ride", LONG, **WISH)
    assert others["ride_id"] != first["ride_id"]
    world.clock.advance(timedelta(hours=24).total_seconds() + 1)
    later = a_rider(world).ask("request_ride", LONG, **WISH)
    assert later["ride_id"] != first["ride_id"]


@pytest.mark.parametrize("event_id", [7, LONG])
def test_another_request_by_the_event_id_is_refused_in_the_contracts_form(
    world: World, event_id: Any
) -> None:
    rider = a_rider(world)
    rider.ask("request_ride", event_id, **WISH)
    refused = rider.ask("request_ride", event_id, **{**WISH, "notes": "Ring"})
    assert (refused["status"], refused["code"]) == ("error", "IDEMPOTENCY_KEY_REUSED")
    assert len(list(OrderRow.scan())) == 1


def test_without_an_event_id_every_request_is_a_new_one(world: World) -> None:
    rider = a_rider(world)
    assert (
        rider.did("request_ride", **WISH)["ride_id"] != rider.did("request_ride", **WISH)["ride_id"]
    )
    assert not list(KeyRow.scan())


def test_an_empty_event_id_is_no_key(world: World) -> None:
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    for text in ("Here", "Here", "Gone"):
        assert talk(rider, ride_id, "", text)["status"] == "success"
    assert len(driver.heard("chat_message")) == 3
    assert not list(KeyRow.scan())


def test_a_ride_has_an_external_id_over_the_socket_too(world: World) -> None:
    rider = a_rider(world)
    wish = {**WISH, "external_id": "trip-7", "metadata": {"cost_center": "12"}}
    ride_id = rider.did("request_ride", **wish)["ride_id"]
    assert rider.did("request_ride", **wish)["ride_id"] == ride_id
    shown = world.get(f"/v1/rides/{ride_id}", rider.person).body
    assert (shown["external_id"], shown["metadata"]) == ("trip-7", {"cost_center": "12"})
    refused = rider.ask("request_ride", **{**wish, "notes": "Ring"})
    assert (refused["status"], refused["code"]) == ("error", "EXTERNAL_ID_TAKEN")


def talk(rider: Client, ride_id: str, event_id: Any, text: str = "Here") -> dict[str, Any]:
    """Write to the driver."""
    return rider.ask("send_chat_message", event_id, ride_id=ride_id, message=text)


@pytest.mark.parametrize("event_id", [3, "3", LONG])
def test_a_message_that_is_sent_again_is_one(world: World, event_id: Any) -> None:
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    first = talk(rider, ride_id, event_id)
    assert talk(rider, ride_id, event_id) == first
    assert len(driver.heard("chat_message")) == 1
    assert len(list(ChatRow.scan())) == 1
    assert talk(rider, ride_id, event_id, "Gone")["code"] == "IDEMPOTENCY_KEY_REUSED"


def test_a_message_is_answered_again_when_no_more_may_be_sent(world: World) -> None:
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    sent = [talk(rider, ride_id, n) for n in range(5)]
    assert talk(rider, ride_id, 9)["code"] == "RATE_LIMITED"
    assert talk(rider, ride_id, 4) == sent[4]
    rider.did("cancel_ride", ride_id=ride_id)
    assert talk(rider, ride_id, 0) == sent[0]
