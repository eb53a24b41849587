"""Spec 001, "Chat Events": messages between a rider and their driver; ratings and payments."""

from __future__ import annotations

from datetime import datetime

import pytest

from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.domain.orders.chat import CHAT_KEPT_FOR, MAX_MESSAGES, ChatMessage
from chalicelib.domain.people import Role
from chalicelib.errors import Stale
from chalicelib.store.chats import ChatTable
from chalicelib.store.mailboxes import MailboxTable
from chalicelib.store.tables import ChatRow
from tests.functional.conftest import MakeWorld
from tests.functional.rides import WISH, a_driver, a_ride, a_rider, enter, request
from tests.functional.world import World


def test_a_message_reaches_everybody_in_the_ride(world: World) -> None:
    """S1-30, S1-34, u: every socket of both people, the sending one included."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    tablet = enter(world, driver.person)
    sent = driver.did("send_chat_message", ride_id=ride_id, message="  I'm here!  ")
    assert sent["message"] == "Message sent"
    told = {
        "id": sent["chat_id"],
        "ride_id": ride_id,
        "sender_id": "dora",
        "sender_type": "DRIVER",
        "message": "I'm here!",
        "timestamp": int(world.clock.now.timestamp()),
    }
    for client in (rider, tablet, driver):
        assert client.heard("chat_message") == [told]


def test_a_conversation_is_kept_in_order_of_time(world: World) -> None:
    """S1-33, S1-42: over the socket and by polling."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    for n, client in enumerate([rider, driver, rider]):
        world.clock.advance(1)
        client.did("send_chat_message", ride_id=ride_id, message=f"message {n}")
    found = rider.did("get_ride_chats", ride_id=ride_id)
    assert found["message"] == "Retrieved 3 chat messages"
    assert [c["message"] for c in found["chats"]] == ["message 0", "message 1", "message 2"]
    assert [c["userType"] for c in found["chats"]] == ["RIDER", "DRIVER", "RIDER"]
    assert [int(c["id"]) for c in found["chats"]] == sorted(int(c["id"]) for c in found["chats"])
    assert set(found["chats"][0]) == {"id", "rideId", "userId", "userType", "message", "timestamp"}
    polled = world.get(f"/v1/rides/{ride_id}/chats", driver.person)
    assert polled.body["chats"] == found["chats"]
    earlier = driver.did("get_ride_chats", ride_id=ride_id, before=found["chats"][2]["id"])
    assert earlier["chats"] == found["chats"][:2]


def test_two_messages_that_draw_one_id_are_two_whatever_they_say(world: World) -> None:
    """The second, written at the same moment by the same hand, draws another."""
    message = a_message("7", 1, world)
    ChatTable(world.engine.connection).insert_message(message)
    with pytest.raises(Stale):
        ChatTable(world.engine.connection).insert_message(message)


class AnotherHolder(MailboxTable):
    """A mailbox whose lease is another's; notes what that is left, and what is written by then."""

    def __init__(self, person_id: str) -> None:
        self.person_id = person_id
        self.was_left: list[tuple[str, list[float]]] = []

    def acquire_lease(
        self,
        person_id: str,
        holder: str,
        now: datetime,
        until: datetime,
        pending_id: str | None = None,
    ) -> Mailbox | None:
        if person_id == self.person_id and not self.was_left:
            return None
        return super().acquire_lease(person_id, holder, now, until, pending_id)

    def enqueue_for_holder(self, person_id: str, pending_id: str, now: datetime) -> bool:
        if person_id == self.person_id and not self.was_left:
            ride_id = int(pending_id.split("#")[1])
            written = [row.message_id for row in ChatRow.query(ride_id, consistent_read=True)]
            self.was_left.append((pending_id, written))
            return True
        return super().enqueue_for_holder(person_id, pending_id, now)


def test_a_message_is_left_to_another_holder_only_once_it_is_written(
    make_world: MakeWorld,
) -> None:
    """Else they would look for it too early."""
    holder = AnotherHolder("nobody yet")
    world = make_world(mailboxes=holder)
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    holder.person_id = driver.person.id
    sent = rider.did("send_chat_message", ride_id=ride_id, message="I'm here!")
    id_ = int(sent["chat_id"])
    assert holder.was_left == [(f"chat#{ride_id}#{id_}@1", [id_])]
    world.pass_time(10)
    assert [m["message"] for m in driver.heard("chat_message")] == ["I'm here!"]


class RepeatingIds:
    """Ids in turn; the next is one that was drawn before, once that is asked for."""

    def __init__(self) -> None:
        self.last = 0
        self.repeated = 0

    def __call__(self) -> int:
        again, self.repeated = self.repeated, 0
        if again:
            return again
        self.last += 1
        return self.last


def test_a_message_that_can_not_be_written_is_told_to_nobody(make_world: MakeWorld) -> None:
    """Another has its id: it draws the next, and holds up nobody's mailbox."""
    ids = RepeatingIds()
    world = make_world(ids=ids)
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    first = rider.did("send_chat_message", ride_id=ride_id, message="first")
    ids.repeated = int(first["chat_id"])
    second = rider.did("send_chat_message", ride_id=ride_id, message="second")
    assert int(second["chat_id"]) == int(first["chat_id"]) + 1
    assert [m["message"] for m in driver.heard("chat_message")] == ["first", "second"]
    for client in (rider, driver):
        box = MailboxTable().get_mailbox(client.person.id)
        assert not box.is_leased(world.clock.now)
        assert box.pending == ()


def test_a_message_waits_for_who_is_away(world: World) -> None:
    """S1-34: told once they are back."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    rider.socket.close()
    driver.did("send_chat_message", ride_id=ride_id, message="Where are you?")
    back = enter(world, rider.person)
    assert [m["message"] for m in back.heard("chat_message")] == ["Where are you?"]


def test_five_messages_a_minute_are_enough(world: World) -> None:
    """S1-32: of one person, on all sockets together; the other side has its own five."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    tablet = enter(world, rider.person)
    for n, client in enumerate([rider, tablet, rider, tablet, rider]):
        client.did("send_chat_message", ride_id=ride_id, message=f"{n}")
    refused = tablet.ask("send_chat_message", ride_id=ride_id, message="6")
    assert (refused["code"], refused["detail"]) == ("RATE_LIMITED", "Try again in 60 s.")
    assert len(driver.heard("chat_message")) == 5
    driver.did("send_chat_message", ride_id=ride_id, message="Slow down")
    world.clock.advance(60)
    rider.did("send_chat_message", ride_id=ride_id, message="7")


def test_an_attempt_counts_whether_or_not_it_is_let_through(world: World) -> None:
    """S1-32: whoever guesses at rides is slowed down too."""
    rider, driver, other = a_rider(world), a_driver(world), a_rider(world, "otto")
    ride_id = a_ride(rider, driver)
    codes = [
        other.ask("send_chat_message", ride_id=ride_id, message="Hello?")["code"] for _ in range(6)
    ]
    assert codes == ["NOT_FOUND"] * 6
    own = a_ride(other, a_driver(world, "dina"))
    refused = other.ask("send_chat_message", ride_id=own, message="Hello!")
    assert refused["code"] == "RATE_LIMITED"


def a_message(ride_id: str, n: int, world: World, text: str = "!") -> ChatMessage:
    """The nth of a ride, of the rider."""
    return ChatMessage(n, int(ride_id), "rita", Role.CUSTOMER, text, world.clock.now, nth=n)


def test_a_conversation_is_bounded(world: World) -> None:
    """S1-33: for both sides, and for good."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    ChatTable(world.engine.connection).insert_message(a_message(ride_id, MAX_MESSAGES - 1, world))
    rider.did("send_chat_message", ride_id=ride_id, message="the last one")
    world.clock.advance(60)
    for client in (rider, driver):
        answer = client.ask("send_chat_message", ride_id=ride_id, message="one more")
        assert answer == {
            "status": "error",
            "message": f"{MAX_MESSAGES} messages are enough for one ride.",
            "code": "RATE_LIMITED",
        }


def test_messages_do_not_stay_for_ever(world: World) -> None:
    """S1-33, P-07: what has expired is not shown, deleted or not."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    rider.did("send_chat_message", ride_id=ride_id, message="old")
    (row,) = ChatRow.query(int(ride_id))
    assert row.expires == int((world.clock.now + CHAT_KEPT_FOR).timestamp())
    world.clock.advance(CHAT_KEPT_FOR.total_seconds() + 1)
    new = a_message(ride_id, int(row.message_id) + 1, world, "new")
    ChatTable(world.engine.connection).insert_message(new)
    polled = world.get(f"/v1/rides/{ride_id}/chats", rider.person)
    assert [c["message"] for c in polled.body["chats"]] == ["new"]


@pytest.mark.parametrize("end", ["completed", "canceled"])
def test_what_was_written_is_read_after_the_ride_and_no_more_is_written(
    world: World, end: str
) -> None:
    """Ambiguity o: by both sides."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, "started")
    rider.did("send_chat_message", ride_id=ride_id, message="Thank you")
    if end == "completed":
        driver.did("complete_ride", ride_id=ride_id)
    else:
        rider.did("cancel_ride", ride_id=ride_id)
    for client in (rider, driver):
        late = client.ask("send_chat_message", ride_id=ride_id, message="Wait!")
        assert late["code"] == "INVALID_TRANSITION"
        (found,) = client.did("get_ride_chats", ride_id=ride_id)["chats"]
        assert found["message"] == "Thank you"


def test_status_updates_have_no_limit(world: World) -> None:
    """S1-44."""
    rider, driver = a_rider(world), a_driver(world)
    for _ in range(2):
        a_ride(rider, driver, "completed")
    assert len(rider.statuses()) == 6


def test_a_page_fits_into_a_frame(world: World) -> None:
    """AWS quota: 128 KB a message."""
    rider = a_rider(world)
    ride_id = request(rider)
    for n in range(30):
        text = f"{n:03d}" + "\N{TAXI}" * 997
        ChatTable(world.engine.connection).insert_message(a_message(ride_id, n + 1, world, text))
    page = rider.did("get_ride_chats", ride_id=ride_id)["chats"]
    assert [c["message"][:3] for c in page] == [f"{n:03d}" for n in range(30 - len(page), 30)]
    assert 20 < len(page) < 30
    assert len(rider.socket.texts[-1].encode()) < 128 * 1024


def test_a_message_before_there_is_a_driver_is_kept(world: World) -> None:
    """S1-31: the rider is a participant from the start."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = request(rider)
    rider.did("send_chat_message", ride_id=ride_id, message="Gate 2, please")
    assert driver.heard("chat_message") == []
    assert driver.ask("get_ride_chats", ride_id=ride_id)["code"] == "NOT_FOUND"
    driver.did("accept_ride", ride_id=ride_id)
    assert driver.did("get_ride_chats", ride_id=ride_id)["chats"][0]["message"] == "Gate 2, please"


# REST


def test_a_ride_is_requested_by_rest(world: World) -> None:
    """S1-39: the same service as over the socket; t: answered with how the ride stands."""
    rider, driver = a_rider(world), a_driver(world)
    answer = world.post("/v1/riders/rides", WISH, rider.person)
    assert answer.status == 201
    assert driver.heard("new_ride_request")[0]["ride_id"] == answer.body["ride_id"]
    known = {"ride_id", "estimated_fare", "estimated_duration", "status", "state"}
    assert set(answer.body) == known
    assert answer.body["estimated_fare"] > 0
    assert answer.body["status"] == "findingDriver"
    assert world.post("/v1/riders/rides", {}, rider.person).status == 400
    assert world.post("/v1/riders/rides", WISH, driver.person).status == 403
    assert world.post("/v1/riders/rides", WISH).status == 401


def test_a_ride_is_polled_by_those_in_it(world: World) -> None:
    """S1-42."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, "completed")
    for client in (rider, driver):
        body = world.get(f"/v1/rides/{ride_id}", client.person).body
        assert (body["id"], body["status"]) == (ride_id, "completed")
        assert body["driver_info"]["vehicle"] == "Toyota Camry"
        assert body["fare"] > 0


@pytest.mark.parametrize("by_rest", [True, False])
def test_a_ride_is_a_standard_one_unless_said_otherwise(world: World, by_rest: bool) -> None:
    """S1-28, t."""
    rider, driver = a_rider(world), a_driver(world)
    wish = {name: WISH[name] for name in ("pickup", "destination")}
    if by_rest:
        assert world.post("/v1/riders/rides", wish, rider.person).status == 201
    else:
        rider.did("request_ride", **wish)
    assert [c["vehicle_type"] for c in driver.heard("new_ride_request")] == ["standard"]


@pytest.mark.parametrize("by_rest", [True, False])
def test_a_driver_is_rated_once(world: World, by_rest: bool) -> None:
    """S1-29, S1-40."""
    rider, driver = a_rider(world), a_driver(world)

    def rate(ride_id: str, stars: int) -> str:
        said = {"ride_id": ride_id, "rating": stars, "comment": "Fine"}
        if not by_rest:
            return str(rider.ask("rate_driver", **said).get("code", ""))
        answer = world.post("/v1/riders/rate/driver", said, rider.person)
        return "" if answer.status == 201 else str(answer.body["error"]).upper()

    first = a_ride(rider, driver)
    assert rate(first, 5) == "INVALID_TRANSITION"
    driver.did("start_ride", ride_id=first)
    driver.did("complete_ride", ride_id=first)
    assert rate(first, 4) == ""
    assert rate(first, 1) == "ALREADY_RATED"
    assert rate(a_ride(rider, driver, "completed"), 5) == ""
    assert world.get("/v1/me", driver.person).body["rating"] == 4.5


def test_a_rating_survives_a_new_profile(world: World) -> None:
    """S1-40: the average is not the driver's to write."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver, "completed")
    rider.did("rate_driver", ride_id=ride_id, rating=2)
    body = {"name": "Dora", "phone": "+1", "rating": 5, "rating_sum": 5}
    assert world.call("PUT", "/v1/me", body, driver.person).body["rating"] == 2.0


def test_a_ride_is_paid_once_and_with_its_fare(world: World) -> None:
    """S1-41, t: too early is a conflict, a wrong amount wrong input."""
    rider, driver = a_rider(world), a_driver(world)
    ride_id = a_ride(rider, driver)
    body = {"ride_id": ride_id, "method": "cash"}
    assert world.post("/v1/riders/payment", body, rider.person).status == 409  # not yet done
    driver.did("start_ride", ride_id=ride_id)
    fare = driver.did("complete_ride", ride_id=ride_id)["ride_data"]["fare"]
    wrong = world.post("/v1/riders/payment", {**body, "amount": fare + 1}, rider.person)
    assert (wrong.status, wrong.body["error"]) == (400, "invalid_input")
    paid = world.post("/v1/riders/payment", {**body, "amount": fare}, rider.person)
    assert paid.status == 201
    assert (paid.body["ride_id"], paid.body["amount"]) == (ride_id, fare)
    again = world.post("/v1/riders/payment", body, rider.person)
    assert (again.status, again.body) == (200, paid.body)
    other = a_rider(world, "other")
    assert world.post("/v1/riders/payment", body, other.person).status == 404
    assert world.post("/v1/riders/payment", body, driver.person).status == 403
    assert world.post("/v1/riders/payment", {"ride_id": ride_id}, rider.person).status == 400
