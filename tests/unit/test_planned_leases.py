"""Whose mailbox's lease is planned for a commit: of who is idle, with somebody to post to."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor, Future
from datetime import timedelta
from typing import Any, cast

import pytest
from msgspec.structs import replace

from chalicelib.domain.events import ORDER_OFFERED, Entry, Outbox, draft_event
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.mailboxes import Mailbox, MailboxSubscriber
from chalicelib.domain.people import Role
from chalicelib.services.messaging.leases import LEASE_TIME
from chalicelib.services.messaging.planned_leases import LeasePlanner
from chalicelib.services.ports import MailboxStore
from tests.builders import NOW
from tests.fakes import Clock

SOCKET = MailboxSubscriber(Subscriber("c1", "dan", "courier", None), NOW + timedelta(hours=1))
IDLE = Mailbox("dan", epoch="6929a1f03c9e", last_holder="one before", subscribers=(SOCKET,))


class Heads:
    """Mailboxes, and an executor that does at once what it is given."""

    def __init__(self, *heads: Mailbox | Exception) -> None:
        self._heads = heads

    def list_eventually(self, person_ids: Sequence[str]) -> list[Mailbox]:
        found = []
        for head in self._heads:
            if isinstance(head, Exception):
                raise head
            found.append(head)
        return found

    def submit(self, call: Any, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(call(*args))
        except OSError as error:
            future.set_exception(error)
        return future


def make_planner(*heads: Mailbox | Exception) -> LeasePlanner:
    both = Heads(*heads)
    return LeasePlanner(cast(MailboxStore, both), cast(Executor, both), Clock(NOW))


def an_outbox(*recipients: str) -> Outbox:
    """Two versions; the newer one has an event for each recipient."""
    event = draft_event(ORDER_OFFERED, "dan", "order#1", NOW, audience=Role.COURIER)
    events = tuple(replace(event, to=to) for to in recipients)
    return Outbox("order#1", None, (Entry(1, NOW, (event,)), Entry(2, NOW, events)))


def test_the_lease_of_an_idle_mailbox_is_planned() -> None:
    planner = make_planner(replace(IDLE, person_id="eve"), IDLE)
    heads = planner.start_reading(["eve", "dan"])
    assert heads
    planned = planner.plan_lease(heads, "dan", an_outbox("cara", "dan"))
    assert planned
    assert (planned.head, planned.pending_id) == (IDLE, "order#1@2")
    assert planned.until == NOW + LEASE_TIME
    lease = planner.begin_lease(planned)
    assert lease.list_pending() == ("order#1@2",)


@pytest.mark.parametrize(
    "head",
    [
        replace(IDLE, holder="another"),
        replace(IDLE, pending=("order#0@1",)),
        replace(IDLE, last_holder=None),
        replace(IDLE, subscribers=()),
        replace(IDLE, subscribers=(replace(SOCKET, ends_at=NOW),)),
        replace(IDLE, person_id="eve"),
        OSError("no answer"),
    ],
)
def test_any_other_is_leased_after_the_commit(head: Mailbox | Exception) -> None:
    planner = make_planner(head)
    heads = planner.start_reading(["dan"])
    assert heads
    assert planner.plan_lease(heads, "dan", an_outbox("dan")) is None


def test_nobody_is_leased_for_who_is_not_told() -> None:
    """Nothing would end the lease."""
    planner = make_planner(IDLE)
    heads = planner.start_reading(["dan"])
    assert heads
    assert planner.plan_lease(heads, "dan", an_outbox("cara")) is None


@pytest.mark.parametrize(("named", "is_read"), [(0, False), (1, True), (4, True), (5, False)])
def test_heads_are_read_where_they_are_few(named: int, is_read: bool) -> None:
    heads = make_planner(IDLE).start_reading([f"d{n}" for n in range(named)])
    assert (heads is not None) is is_read
