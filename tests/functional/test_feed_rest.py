"""Spec 003's REST: events by id and by person, what is critical, and figures that add up."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from chalicelib.contracts.feed.events import EVENT_KINDS, is_feed_event
from chalicelib.domain.messaging.mailboxes import Mailbox
from chalicelib.store.mailboxes import MailboxTable
from tests.functional.conftest import MakeWorld
from tests.functional.feeds import a_feed, a_profile, types_of
from tests.functional.test_feed_delivery import ALL, deliver
from tests.functional.test_feed_tracking import report, under_way
from tests.functional.test_money import SECRET, Killed, pay, webhook
from tests.functional.world import Answer, Someone, World, log_of


def figures(world: World, path: str) -> Any:
    """What an admin is answered."""
    answer = world.get(f"/websocket/{path}", world.admin())
    assert answer.status == 200, answer
    return answer.body


def events_of(world: World, by: Someone, person_id: str, query: str = "") -> Answer:
    """A page of somebody's events."""
    return world.get(f"/websocket/events/user/{person_id}{query}", by)


def test_an_event_is_found_by_its_id_as_it_was_told(world: World) -> None:
    """S3-29."""
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    socket = a_feed(world, cara, *ALL)
    deliver(world, cara, dan)
    for told in socket.take():
        answer = world.get(f"/websocket/events/{told['event_id']}", cara)
        assert answer.status == 200
        found = answer.body["data"]
        assert {**found, **told} == found
        assert set(found) - set(told) == {"_id", "created_at"}
        assert answer.body["status"] == "success"


def test_an_event_is_its_persons_and_the_admins(world: World) -> None:
    """S3-29: owner or admin; unknown ids are a 404."""
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    socket = a_feed(world, cara, *ALL)
    deliver(world, cara, dan)
    path = f"/websocket/events/{socket.take()[0]['event_id']}"
    statuses = [world.get(path, by).status for by in (cara, world.admin(), dan, None)]
    assert statuses == [200, 200, 403, 401]
    for unknown in ("evt_nonsense", "evt_", "x", "evt_OTk5LmNhcmE", "user", "evt_\u00e9"):
        assert world.get(f"/websocket/events/{unknown}", cara).status == 404


def test_events_of_a_person_come_newest_first_and_by_type(world: World) -> None:
    """S3-30."""
    dan, cara = world.courier("dan"), world.customer("cara")
    for _ in range(2):
        deliver(world, cara, dan)
    body = events_of(world, cara, "cara").body
    assert types_of(body["data"]) == [*reversed(ALL)] * 2
    assert (body["status"], body["count"], body["limit"], body["skip"]) == ("success", 6, 50, 0)
    assert "next_cursor" not in body
    created = events_of(world, cara, "cara", "?event_type=order_created").body
    assert types_of(created["data"]) == ["order_created"] * 2
    assert events_of(world, cara, "cara", "?event_type=nonsense").body["data"] == []


def test_pages_follow_each_other_by_skip_and_by_cursor(world: World) -> None:
    """S3-30."""
    dan, cara = world.courier("dan"), world.customer("cara")
    for _ in range(2):
        deliver(world, cara, dan)
    everything = events_of(world, cara, "cara").body["data"]
    skipped = [events_of(world, cara, "cara", f"?limit=4&skip={n}").body["data"] for n in (0, 4, 8)]
    assert [len(page) for page in skipped] == [4, 2, 0]
    assert [event for page in skipped for event in page] == everything
    found, query = [], "?limit=4"
    while query:
        page = events_of(world, cara, "cara", query).body
        found += page["data"]
        query = f"?limit=4&cursor={page['next_cursor']}" if "next_cursor" in page else ""
    assert found == everything


def test_bounds_are_clamped_and_nonsense_is_a_400(world: World) -> None:
    """S3-30, ambiguity q."""
    cara = world.customer("cara")
    assert events_of(world, cara, "cara", "?limit=101").body["limit"] == 100
    for bad in ("limit=-1", "limit=x", "skip=-1", "skip=1.5", "cursor=x", "limit="):
        assert events_of(world, cara, "cara", f"?{bad}").status == 400
    for path in ("critical-events?hours=-1", "critical-events?limit=x"):
        assert world.get(f"/websocket/{path}", world.admin()).status == 400
    assert figures(world, "critical-events?hours=999&limit=999")["time_range_hours"] == 168


def test_somebody_elses_events_are_refused(world: World) -> None:
    """S3-30: a path under `user` is never taken for an event's id."""
    eve = world.customer("eve")
    assert events_of(world, eve, "cara").status == 403
    assert events_of(world, world.admin(), "cara").status == 200
    assert world.get("/websocket/events/user/cara").status == 401


def test_figures_are_for_admins(world: World) -> None:
    """S3-28, S3-31, S3-32."""
    callers = ((world.customer(), 403), (world.courier(), 403), (None, 401))
    for path in ("stats", "analytics/summary", "critical-events"):
        for by, status in callers:
            assert world.get(f"/websocket/{path}", by).status == status, path


def test_a_days_summary_is_what_the_events_table_holds(make_world: MakeWorld) -> None:
    """S3-31: sums equal the total, and the counters equal the log."""
    world = make_world(settings={"payment_webhook_secret": SECRET})
    dan, cara = world.courier("dan"), a_profile(world, world.customer("cara"))
    a_feed(world, cara, *ALL)
    order_id = deliver(world, cara, dan)
    webhook(world, pay(world, cara, order_id).body["id"], status="failed")
    world.pass_time(60)
    logged = [event for id_ in ("cara", "dan") for event in log_of(id_) if is_feed_event(event)]
    body = figures(world, "analytics/summary")
    data = body["data"]
    assert data["by_event_type"] == Counter(EVENT_KINDS[event.type].name for event in logged)
    assert data["by_source"] == Counter(EVENT_KINDS[event.type].source for event in logged)
    assert data["by_level"] == Counter(EVENT_KINDS[event.type].level for event in logged)
    assert (body["status"], data["date"], data["critical_events"]) == ("success", "2031-05-06", 1)
    for part in ("by_event_type", "by_source", "by_level"):
        assert sum(data[part].values()) == data["total_events"] == len(logged) == 7
    assert figures(world, "analytics/summary?date=2031-05-06")["data"] == data
    assert figures(world, "analytics/summary?date=2031-05-05")["data"]["total_events"] == 0


class DyingMailboxTable(MailboxTable):
    """A mailbox whose holder is killed before it writes the head back, once it is told to."""

    dying = False

    def release_lease(self, mailbox: Mailbox, holder: str, done: int, now: datetime) -> bool:
        if self.dying:
            self.dying = False
            raise Killed
        return super().release_lease(mailbox, holder, done, now)


def test_what_a_dead_holder_put_in_is_counted_once(make_world: MakeWorld) -> None:
    """S3-31: the counters still equal the log."""
    mailboxes = DyingMailboxTable()
    world = make_world(mailboxes=mailboxes)
    mailboxes.dying = True
    with pytest.raises(Killed):
        world.place(world.customer("cara"))
    assert figures(world, "analytics/summary")["data"]["total_events"] == 0
    world.pass_time(120)
    assert [event.type for event in log_of("cara") if is_feed_event(event)] == ["order_placed"]
    assert figures(world, "analytics/summary")["data"]["by_event_type"] == {"order_created": 1}


def test_a_date_that_is_none_is_a_400(world: World) -> None:
    """S3-31."""
    for day in ("2031-5-6", "tomorrow", "2031-13-01", "20310506", ""):
        answer = world.get(f"/websocket/analytics/summary?date={day}", world.admin())
        assert answer.status == 400, day


def test_critical_events_of_the_last_hours_newest_first(make_world: MakeWorld) -> None:
    """S3-32: from an index, over midnight and people."""
    world = make_world(settings={"payment_webhook_secret": SECRET})
    failed = []
    for n in range(3):
        customer = world.customer(f"cara-{n}")
        payment = pay(world, customer, world.place(customer)["id"]).body["id"]
        webhook(world, payment, status="failed", error="no")
        failed.append(payment)
        world.pass_time(10 * 3600)
    body = figures(world, "critical-events?hours=21")
    assert [event["data"]["payment_id"] for event in body["data"]] == [failed[2], failed[1]]
    assert (body["status"], body["critical_count"]) == ("success", 2)
    assert {event["event_level"] for event in body["data"]} == {"critical"}
    assert len(figures(world, "critical-events?hours=168&limit=1")["data"]) == 1
    assert figures(world, "critical-events?hours=9")["data"] == []


def test_stats_count_connections_people_subscriptions_and_what_waits(world: World) -> None:
    """S3-28."""
    dan, cara = a_profile(world, world.courier("dan")), a_profile(world, world.customer("cara"))
    first = a_feed(world, cara, *ALL)
    a_feed(world, cara, "order_created")
    a_feed(world, dan)
    world.connect(None, "feed")
    assert figures(world, "stats") == {
        "status": "success",
        "data": {
            "total_connections": 3,
            "total_users": 2,
            "queued_events": 0,
            "active_subscriptions": 4,
            "timestamp": "2031-05-06T07:08:09.000Z",
        },
    }
    deliver(world, cara, dan)
    assert figures(world, "stats")["data"]["queued_events"] == 2  # dan's, who has not subscribed
    first.close()
    data = figures(world, "stats")["data"]
    assert (data["total_connections"], data["active_subscriptions"]) == (2, 1)
    a_feed(world, dan, "earning_recorded", "wallet_updated")
    assert figures(world, "stats")["data"]["queued_events"] == 0


def test_a_position_that_was_told_is_not_in_the_log(world: World) -> None:
    """Ambiguity o: its id leads nowhere."""
    dan, socket, _ = under_way(world)
    report(world, dan, 1500)
    ids = {f["event_type"]: f["event_id"] for f in socket.take() if "event_id" in f}
    path, cara = f"/websocket/events/{ids['location_updated']}", world.customer("cara")
    assert world.get(path, world.admin()).status == 404
    assert world.get(path, cara).status == 404
    assert world.get(f"/websocket/events/{ids['delivery_in_transit']}", cara).status == 200
