"""Events reach endpoints: tried until they have arrived, and no endpoint waits for another."""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from chalicelib.domain.events import WEBHOOK_DISABLED
from chalicelib.domain.webhooks.delivery import Answer, DeliveryStatus, SendDue
from chalicelib.domain.webhooks.endpoint import EndpointSecret, EndpointStatus
from chalicelib.domain.webhooks.health import SLOW_AFTER_MS
from chalicelib.services.webhooks.in_flight import HANGS_AFTER_S, MAX_IN_FLIGHT, InFlight
from chalicelib.services.webhooks.sending import MAX_KEPT_ATTEMPTS
from tests.builders import NOW
from tests.unit.webhooks.town import FAILED, HANGS, OK, SWEEP, Killed, Received, Town, enable

PAUSES_S = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
FIFTEEN_MIN_S = 900


def answering(*answers: Answer, then: Answer = OK) -> Town:
    """A town with one endpoint, which gives these answers in turn."""
    left = list(answers)
    town = Town(answer=lambda _: left.pop(0) if left else then)
    town.add_endpoint()
    return town


def pauses_s(town: Town) -> list[float]:
    """The seconds between the posts."""
    times = [one.at for one in town.received]
    return [(after - before).total_seconds() for before, after in pairwise(times)]


# What is sent


def test_an_event_that_arrives_is_one_post_and_one_write() -> None:
    town = answering()
    town.tell()
    town.run()
    assert town.ids() == ["1-1"]
    delivery = town.delivery()
    assert (delivery.status, delivery.next_at) == (DeliveryStatus.DELIVERED, None)
    (attempt,) = delivery.attempts
    assert (attempt.status, attempt.ms, attempt.error) == (200, 20, None)
    assert (town.counts["save_delivery"], town.counts["save_endpoint"]) == (1, 0)


@pytest.mark.parametrize(("looks", "within_s"), [(1, 0.06), (8, 0.5), (25, 10)])
def test_a_message_that_comes_before_the_log_is_written_waits_for_it(
    looks: int, within_s: float
) -> None:
    town = answering()
    town.looks_until_written = looks
    town.tell()
    town.run()
    assert town.ids() == ["1-1"]
    assert town.received[0].at <= NOW + timedelta(seconds=within_s)


def test_a_message_whose_holder_died_ends_as_its_successor_sends_another() -> None:
    town = answering()
    town.tell()
    town.events.clear()
    town.run()
    assert (town.received, town.messages, town.deliveries) == ([], [], {})


def test_two_secrets_sign_and_one_that_has_ended_does_not() -> None:
    town = Town()
    made = ("whsec_AAAA", "whsec_AAAB", "whsec_AAAC")
    ends = (None, NOW + timedelta(hours=1), NOW)
    secrets = tuple(EndpointSecret(value, end) for value, end in zip(made, ends, strict=True))
    town.add_endpoint(secrets=secrets)
    town.tell()
    town.run()
    assert len(town.received[0].headers["webhook-signature"].split()) == 2


@pytest.mark.parametrize("answer", [FAILED, Answer(status=302), Answer(status=199), HANGS])
def test_what_is_no_2xx_is_tried_at_each_time_of_the_schedule_and_then_given_up(
    answer: Answer,
) -> None:
    town = answering(then=answer)
    town.tell()
    town.run()
    assert town.ids() == ["1-1"] * 10
    assert len({one.body for one in town.received}) == 1
    assert len({one.headers["webhook-timestamp"] for one in town.received}) == 10
    for found, wanted in zip(pauses_s(town), PAUSES_S, strict=True):
        late_s = SWEEP.total_seconds() if wanted > FIFTEEN_MIN_S else 1
        extra_s = 45 if answer is HANGS else 0  # it took 15 s, and is spared for 30 s
        assert wanted <= found <= wanted + late_s + extra_s
    assert town.delivery().status is DeliveryStatus.FAILED
    assert len(town.delivery().attempts) == 10
    assert (town.messages, town.reminders) == ([], {})


def test_pauses_are_drawn_so_that_not_all_come_at_once() -> None:
    town = answering(FAILED, FAILED)
    dice = iter([0.0, 1.0])
    town.dice = lambda: next(dice)
    town.tell()
    town.run()
    assert pauses_s(town) == [4, 360]


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_that_asks_for_a_pause_has_it(status: int) -> None:
    town = answering(
        Answer(status=status, retry_after="600"),
        Answer(status=status, retry_after="1"),
        Answer(status=status, retry_after="999999"),
        Answer(status=500, retry_after="99999"),
    )
    town.tell()
    town.run()
    first, second, third, fourth = pauses_s(town)
    assert (first, second) == (600, 300)
    assert 86_400 <= third <= 86_415
    assert 7200 <= fourth <= 7215  # a 500 has no say in it


def test_one_that_is_gone_is_disabled_and_its_owner_told_once() -> None:
    town = answering(then=Answer(status=410))
    town.tell(n=3)
    town.run()
    endpoint = town.endpoints["1"]
    assert (endpoint.status, endpoint.disabled_reason) == (EndpointStatus.DISABLED, "gone")
    assert town.ids() == ["1-1"]
    (told,) = town.told
    assert (told.type, told.to, told.stream) == (WEBHOOK_DISABLED, "ada", "webhook#1")
    assert told.data == {"endpoint_id": "1", "reason": "gone"}
    assert town.delivery().status is DeliveryStatus.FAILED


def test_five_days_of_failure_disable_and_one_good_answer_begins_them_anew() -> None:
    town = answering(FAILED, OK, then=FAILED)
    town.tell()
    town.run()
    assert town.endpoints["1"].failing_since is None
    began = town.clock.now
    for _ in range(6):
        assert town.endpoints["1"].status is EndpointStatus.ENABLED
        town.tell()
        town.run(timedelta(days=1))
    endpoint = town.endpoints["1"]
    assert (endpoint.status, endpoint.disabled_reason) == (EndpointStatus.DISABLED, "failing")
    assert endpoint.failing_since == began
    assert [event.type for event in town.told] == [WEBHOOK_DISABLED]
    posts = len(town.received)
    town.run(timedelta(days=5))
    assert len(town.received) == posts
    assert {one.status for one in town.deliveries.values()} == {
        DeliveryStatus.DELIVERED,
        DeliveryStatus.FAILED,
    }
    assert max(town.failing_s) >= 5 * 86_400 - 86_400


def test_what_happened_while_it_was_disabled_comes_by_replay_only() -> None:
    town = answering(FAILED, Answer(status=410))
    town.tell(n=2)
    town.run(timedelta(hours=1))
    enable(town)
    town.run(timedelta(days=1))
    assert len(town.received) == 2
    town.send_sends([(SendDue("1", seq, resent=True), timedelta(0)) for seq in (1, 2)])
    town.run()
    assert town.ids()[2:] == ["1-1", "1-2"]
    assert {one.status for one in town.deliveries.values()} == {DeliveryStatus.DELIVERED}


def test_a_resend_sends_what_has_arrived_and_begins_the_schedule_anew() -> None:
    town = answering(OK, FAILED, FAILED)
    town.tell()
    town.run()
    town.send_sends([(SendDue("1", 1, resent=True), timedelta(0))])
    town.run()
    assert town.ids() == ["1-1"] * 4
    assert pauses_s(town)[1:] == [5, 300]
    assert len({one.body for one in town.received}) == 1
    assert town.delivery().status is DeliveryStatus.DELIVERED
    for _ in range(MAX_KEPT_ATTEMPTS):
        town.send_sends([(SendDue("1", 1, resent=True), timedelta(0))])
    town.run()
    assert len(town.delivery().attempts) == MAX_KEPT_ATTEMPTS


def test_a_resend_of_one_that_waits_takes_the_place_of_its_next_attempt() -> None:
    town = answering(FAILED, FAILED, OK)
    town.tell()
    town.run(timedelta(seconds=20))
    town.send_sends([(SendDue("1", 1, resent=True), timedelta(0))])
    town.run()
    assert len(town.received) == 3
    assert town.delivery().status is DeliveryStatus.DELIVERED


@pytest.mark.parametrize("gone", ["endpoint", "event"])
def test_what_is_there_no_more_is_not_sent(gone: str) -> None:
    town = answering(FAILED)
    town.tell()
    town.run(timedelta(seconds=1))
    if gone == "endpoint":
        del town.endpoints["1"]
    else:
        town.events.clear()
    town.run()
    assert (len(town.received), town.messages) == (1, [])


def test_an_event_that_ends_before_its_attempts_do_has_failed() -> None:
    """Nine pauses of a day, as a receiver may ask for, are longer than a log."""
    town = answering(FAILED)
    town.tell()
    town.run(timedelta(seconds=1))
    assert town.delivery().status is DeliveryStatus.WAITING
    town.events.clear()
    town.next_seq = 2
    town.run()
    delivery = town.delivery()
    assert (delivery.status, delivery.next_at) == (DeliveryStatus.FAILED, None)
    assert len(delivery.attempts) == len(town.received) == 1


def test_a_message_that_comes_early_waits_and_one_that_is_old_does_nothing() -> None:
    town = answering(FAILED)
    town.tell()
    town.run(timedelta(seconds=1))
    town.send_sends([(SendDue("1", 1, attempt=1), timedelta(0))])  # another clock is fast
    town.send_sends([(SendDue("1", 1, attempt=0), timedelta(0))])  # SQS shows it twice
    town.run()
    assert pauses_s(town) == [5]
    town.send_sends([(SendDue("1", 1, attempt=n), timedelta(0)) for n in range(4)])
    town.run()
    assert len(town.received) == 2


# Who dies


@pytest.mark.parametrize(
    "where",
    [
        "before_post",
        "after_post",
        "after_queue",
        "after_reminder",
        "before_note",
        "after_note",
        "before_delete",
    ],
)
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_sender_that_dies_anywhere_loses_nothing_and_sends_the_same_again(
    where: str, n: int
) -> None:
    left = [n]

    def kill(at: str) -> None:
        left[0] -= at == where
        if at == where and left[0] == 0:
            raise Killed

    town = Town(answer=lambda _: FAILED if len(town.received) < 6 else OK, kill=kill)
    town.add_endpoint()
    town.tell(n=2)
    town.run()
    assert {one.status for one in town.deliveries.values()} == {DeliveryStatus.DELIVERED}
    assert len({(one.id, one.body) for one in town.received}) == 2
    assert len(town.received) <= 9  # a death repeats one post, and delays no more than that
    assert (town.messages, town.reminders) == ([], {})


def test_ten_thousand_events_to_a_failing_endpoint_while_senders_are_killed() -> None:
    draw = random.Random(18)
    answers = [OK] * 13 + [FAILED, Answer(status=302), Answer(error="not_reachable"), FAILED]
    answers += [Answer(status=429, retry_after="30"), Answer(status=503)]

    def kill(where: str) -> None:
        if draw.random() < 0.01:
            raise Killed

    town = Town(answer=lambda _: draw.choice(answers), kill=kill, dice=draw.random)
    town.add_endpoint()
    town.tell(n=10_000)
    town.run()
    assert town.counts["killed"] > 500
    assert len(town.deliveries) == 10_000
    assert {one.status for one in town.deliveries.values()} == {DeliveryStatus.DELIVERED}
    bodies = {(one.id, one.body) for one in town.received}
    assert len(bodies) == len(dict(bodies)) == 10_000
    assert max(Counter(town.ids()).values()) <= 12  # the schedule's, and two more for deaths
    assert (town.messages, town.reminders) == ([], {})


# Who is slow


def test_a_receiver_that_hangs_is_tried_alone_and_delays_no_other() -> None:
    town = Town(answer=lambda one: HANGS if "slow" in one.url else OK)
    town.add_endpoint("slow")
    town.add_endpoint("quick")
    town.tell("slow", n=40)
    town.run(timedelta(seconds=60))
    posts = len(town.received)
    assert posts <= 3  # one hung, the others are put off, and one was tried again
    town.tell("quick")
    began = town.clock.now
    town.run(timedelta(seconds=1))
    (arrived,) = (one for one in town.received if one.id == "quick-1")
    assert arrived.at - began <= timedelta(seconds=1)
    first = [town.deliveries.get(("slow", seq)) for seq in range(1, 41)]
    assert sum(len(one.attempts) for one in first if one) == len(town.received) - 1


def test_a_receiver_that_recovers_gets_all_that_was_put_off_without_an_attempt_counted() -> None:
    hung_until = NOW + timedelta(minutes=3)
    town = Town(answer=lambda _: HANGS if town.clock.now < hung_until else OK)
    town.add_endpoint()
    town.tell(n=50)
    town.run(timedelta(minutes=20))
    assert {one.status for one in town.deliveries.values()} == {DeliveryStatus.DELIVERED}
    assert len(town.deliveries) == 50
    assert sum(len(one.attempts) == 1 for one in town.deliveries.values()) >= 40
    assert town.endpoints["1"].slow_until is None
    assert max(one.at for one in town.received) < hung_until + timedelta(minutes=6)


def test_what_waits_for_a_receiver_that_is_down_keeps_no_sender_busy() -> None:
    """Looked at once in a while, however many events wait: others are on the same queue."""
    draw = random.Random(5)
    town = Town(answer=lambda _: HANGS, dice=draw.random)
    town.add_endpoint()
    town.tell(n=500)
    town.run(timedelta(hours=1))
    handled = town.counts["get_endpoint"]
    town.run(timedelta(hours=1))
    looks = town.counts["get_endpoint"] - handled
    assert looks <= 500 * 60 / 4  # once in four minutes, on an average


def test_a_slow_receiver_that_takes_all_is_sent_one_at_a_time() -> None:
    slow = Answer(status=200, ms=SLOW_AFTER_MS)
    town = answering(then=slow)
    town.tell(n=5)
    town.run(timedelta(minutes=5))
    assert {one.status for one in town.deliveries.values()} == {DeliveryStatus.DELIVERED}
    assert town.endpoints["1"].slow_until is not None
    assert town.endpoints["1"].failing_since is None


def test_a_process_has_a_few_attempts_of_one_endpoint_at_once_and_room_for_others() -> None:
    in_flight = InFlight(wait_s=0.01)
    entered = [in_flight.enter("slow") for _ in range(MAX_IN_FLIGHT)]
    assert all(one.__enter__() for one in entered)
    with in_flight.enter("slow") as is_entered, in_flight.enter("quick") as other:
        assert (is_entered, other) == (False, True)
    entered[0].__exit__(None, None, None)
    with in_flight.enter("slow") as is_entered:
        assert is_entered


def test_who_finds_a_receiver_hanging_does_not_wait_and_has_it_spared() -> None:
    now = [100.0]
    in_flight = InFlight(wait_s=60, clock=lambda: now[0])
    entered = [in_flight.enter("1") for _ in range(MAX_IN_FLIGHT)]
    assert all(one.__enter__() for one in entered)
    now[0] += HANGS_AFTER_S
    with in_flight.enter("1") as is_entered:
        assert not is_entered  # and no minute has passed
    assert in_flight.is_hanging("1")
    town = answering()
    town.sender._in_flight = in_flight
    town.tell()
    town.run(timedelta(seconds=1))
    assert town.received == []
    assert town.endpoints["1"].slow_until is not None
    for one in entered:
        one.__exit__(None, None, None)
    assert not in_flight.is_hanging("1")
    town.run()
    assert town.ids() == ["1-1"]
    assert town.get_endpoint("1").slow_until is None


def test_failing_for_long_is_said_and_failing_once_is_not() -> None:
    town = answering(FAILED)
    town.tell()
    town.run()
    assert town.failing_s == []
    town = answering(then=FAILED)
    town.tell()
    town.run(timedelta(hours=3))
    assert town.failing_s[-1] > 3600


def test_a_signed_time_is_that_of_the_attempt() -> None:
    town = answering(FAILED)
    town.tell()
    town.run()
    for one in town.received:
        at = datetime.fromtimestamp(int(one.headers["webhook-timestamp"]), NOW.tzinfo)
        assert timedelta(0) <= one.at - at < timedelta(seconds=1)
    assert isinstance(town.received[0], Received)
