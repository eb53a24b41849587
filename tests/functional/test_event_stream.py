"""One's own log over HTTP: read from an offset, waited for at its end, as a Durable Stream."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from chalicelib.domain.events import LOGGED_FOR
from chalicelib.store.tables import MailboxRow
from tests.functional.feeds import a_profile, an_auth
from tests.functional.world import Answer, Someone, World

PATH = "/v1/me/events"
OFFSET, UP_TO_DATE, CURSOR = "stream-next-offset", "stream-up-to-date", "stream-cursor"


def read(world: World, by: Someone, **query: Any) -> Answer:
    """Read the log of somebody."""
    asked = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in query.items())
    return world.get(f"{PATH}?{asked}" if asked else PATH, by)


def types_of(answer: Answer) -> list[str]:
    return [message["event_type"] for message in answer.body]


def test_a_log_is_read_on_from_each_offset_that_it_gave(world: World) -> None:
    cara = a_profile(world, world.customer())
    empty = read(world, cara)
    assert (empty.status, empty.body, empty.headers[UP_TO_DATE]) == (200, [], "true")
    world.place(cara)
    first = read(world, cara, offset=empty.headers[OFFSET])
    assert types_of(first) == ["order_created"]
    assert first.headers[OFFSET] > empty.headers[OFFSET]  # they sort
    assert first.headers["content-type"] == "application/json"
    assert first.headers["cache-control"] == "no-store"
    assert first.headers["x-content-type-options"] == "nosniff"
    assert read(world, cara, offset=first.headers[OFFSET]).body == []
    world.place(cara)
    assert types_of(read(world, cara, offset=first.headers[OFFSET])) == ["order_created"]
    for beginning in ({}, {"offset": -1}):
        assert types_of(read(world, cara, **beginning)) == ["order_created"] * 2
    now = read(world, cara, offset="now")
    assert (now.body, now.headers[UP_TO_DATE]) == ([], "true")
    head = world.call("HEAD", PATH, by=cara)
    assert (head.status, head.text) == (200, "")
    assert head.headers[OFFSET] == now.headers[OFFSET]


def test_offsets_are_positions_and_messages_what_the_feed_tells(world: World) -> None:
    cara = a_profile(world, world.customer())
    feed = world.connect(None, "feed")
    feed.say(an_auth(cara, **{"from": "now"}))
    feed.say({"type": "subscribe", "events": ["order_created"]})
    world.place(cara)
    world.place(cara)
    told = [frame for frame in feed.frames if "pos" in frame]
    without = [{name: v for name, v in frame.items() if name != "pos"} for frame in told]
    assert read(world, cara).body == without
    assert read(world, cara, offset=told[0]["pos"]).body == without[1:]
    offset = read(world, cara, offset=told[0]["pos"]).headers[OFFSET]
    again = world.connect(None, "feed")
    again.say(an_auth(cara, **{"from": offset}))
    again.say({"type": "subscribe", "events": ["order_created"]})
    assert [f["type"] for f in again.frames if "type" in f][-1] == "resumed"


def test_whoever_waits_is_told_as_soon_as_there_is_something(world: World) -> None:
    cara = a_profile(world, world.customer())
    end = read(world, cara).headers[OFFSET]
    for offset in (end, "now"):
        world.meanwhile[:] = [lambda: None, lambda: world.place(cara)]
        began = world.clock.now
        answer = read(world, cara, offset=offset, live="long-poll")
        assert types_of(answer) == ["order_created"]
        assert answer.headers[CURSOR].isdigit()
        assert world.clock.now - began < timedelta(seconds=2)
    at_once = read(world, cara, offset=-1, live="long-poll")
    assert types_of(at_once) == ["order_created"] * 2
    assert at_once.headers[UP_TO_DATE] == "true"


def test_whoever_waits_in_vain_is_told_so_before_the_gateway_gives_up(world: World) -> None:
    cara = a_profile(world, world.customer())
    began = world.clock.now
    answer = read(world, cara, offset="now", live="long-poll", cursor=10**9)
    assert (answer.status, answer.text) == (204, "")
    assert timedelta(seconds=25) <= world.clock.now - began < timedelta(seconds=26)
    assert answer.headers[UP_TO_DATE] == "true"
    assert answer.headers[OFFSET] == read(world, cara, offset="now").headers[OFFSET]
    assert int(answer.headers[CURSOR]) > 10**9  # never back


def test_what_is_kept_no_more_is_gone(world: World) -> None:
    cara = a_profile(world, world.customer())
    before = read(world, cara).headers[OFFSET]
    world.place(cara)
    last = read(world, cara).headers[OFFSET]
    epoch, _, seq = last.partition(".")
    gone = [f"0{epoch}.{seq}", f"{epoch}.{int(seq) + 1}"]
    world.clock.advance(LOGGED_FOR.total_seconds() + 60)
    for offset in (before, *gone):
        answer = read(world, cara, offset=offset)
        assert (answer.status, answer.body["error"]) == (410, "gone")
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert read(world, cara, offset=last).body == []
    assert read(world, cara, offset=-1).headers[OFFSET] == last
    MailboxRow("cara").delete()
    assert read(world, cara, offset=last).status == 410


@pytest.mark.parametrize(
    "query",
    [
        "offset=",
        "offset=1",
        "offset=a,1",
        "offset=a%201.1",
        "offset=a.1&offset=a.2",
        "offset=a%00.1",
        "offset=a.b",
        "live=long-poll",
        "offset=-1&live=sse",
        "offset=-1&live=",
    ],
)
def test_what_is_no_offset_is_refused(world: World, query: str) -> None:
    answer = world.get(f"{PATH}?{query}", world.customer())
    assert (answer.status, answer.body["error"]) == (400, "invalid_input")


def test_it_is_only_ones_own(world: World) -> None:
    cara = a_profile(world, world.customer())
    world.place(cara)
    assert world.get(PATH).status == 401
    last = read(world, cara).headers[OFFSET]
    assert read(world, world.customer("eve")).body == []
    assert read(world, world.customer("eve"), offset=last).status == 410
