"""Where a connection begins in a mailbox: at one place, whoever admits it, and however often."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from msgspec.structs import replace

from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.messaging.cursors import LAG_KEPT_FOR, SubscriberLag
from chalicelib.domain.messaging.mailboxes import Mailbox, MailboxSubscriber

AT = datetime(2031, 5, 6, 7, tzinfo=timezone.utc)
AN_HOUR = timedelta(hours=1)


def a_connection(
    name: str, *types: str, contract: str = "customer", starts: dict[str, int] | None = None
) -> Connection:
    noted = {"cara": starts} if starts else {}
    return Connection(name, contract, AT, "cara", subscriptions=types or None, start_cursors=noted)


def subscribed(connection: Connection) -> Subscriber:
    return Subscriber(connection.id, "cara", connection.contract, connection.subscriptions)


def a_mailbox(*connections: Connection) -> Mailbox:
    """Its log ends at 10; one was delivered all of it, whichever types it hears."""
    return Mailbox(
        "cara",
        next_seq=11,
        delivered_to=10,
        cursor_by_type={"made": 10, "ended": 8},
        subscribers=tuple(MailboxSubscriber(subscribed(one), AT + AN_HOUR) for one in connections),
    )


def left_at(box: Mailbox, connection: Connection, cursors: dict[str, int]) -> Mailbox:
    """The mailbox when a connection has fallen behind."""
    lag = SubscriberLag(connection.contract, "cara", cursors, int(AT.timestamp()))
    return replace(box, lags={**box.lags, connection.id: lag})


OLD, NEW = a_connection("old"), a_connection("new")


def test_a_successor_admits_at_the_same_place_though_another_left_meanwhile() -> None:
    """A holder admitted the newcomer at the end, posted, and died; then the old one left."""
    start = left_at(a_mailbox(OLD), OLD, {"*": 4}).get_start_cursors(NEW, AT)
    assert start == {"*": 10}
    for there in ((OLD, NEW), (NEW,)):
        box = left_at(a_mailbox(*there), OLD, {"*": 4})
        admitted = box.admit_subscriber(subscribed(NEW), start, AT)
        assert admitted.get_lowest_cursor(subscribed(NEW)) == 10
    assert "old" in admitted.lags  # it is still there for the client that it was kept for


def test_who_comes_back_begins_where_their_last_connection_was_left_behind() -> None:
    start = left_at(a_mailbox(), OLD, {"*": 4}).get_start_cursors(NEW, AT)
    assert start == {"*": 4}
    box = left_at(a_mailbox(NEW), OLD, {"*": 4})
    admitted = box.admit_subscriber(subscribed(NEW), start, AT)
    assert admitted.get_lowest_cursor(subscribed(NEW)) == 4
    assert admitted.lags.keys() == {"new"}
    assert admitted.lags["new"].stuck_connections == 1


def test_nobody_begins_where_another_client_or_one_of_long_ago_was() -> None:
    box = left_at(a_mailbox(), OLD, {"*": 4})
    assert box.get_start_cursors(a_connection("other", contract="rides"), AT) == {"*": 10}
    assert box.get_start_cursors(NEW, AT + LAG_KEPT_FOR) == {"*": 10}
    still_there = left_at(a_mailbox(OLD), OLD, {"*": 4})
    assert still_there.get_start_cursors(NEW, AT) == {"*": 10}


def test_types_that_are_heard_already_have_no_other_start() -> None:
    """An earlier connection was left behind with both; this one has heard all of `made`."""
    heard, more = a_connection("new", "made"), a_connection("new", "made", "ended")
    old = a_connection("old", "made", "ended")
    box = left_at(a_mailbox(heard), old, {"made": 2, "ended": 3})
    start = box.get_start_cursors(more, AT)
    assert start == {"ended": 3}
    admitted = left_at(a_mailbox(more), old, {"made": 2, "ended": 3}).admit_subscriber(
        subscribed(more), start, AT
    )
    assert admitted.get_cursor(subscribed(more), "made") == 10
    assert admitted.get_cursor(subscribed(more), "ended") == 3


def test_types_that_were_asked_for_and_not_joined_for_keep_their_start() -> None:
    """Whoever answered that it hears them died before it had joined."""
    more = a_connection("new", "made", "ended", starts={"made": 6})
    assert a_mailbox().get_start_cursors(more, AT) == {"made": 6, "ended": 8}
    joined = a_mailbox(a_connection("new", "made"))
    assert joined.get_start_cursors(more, AT) == {"ended": 8}
