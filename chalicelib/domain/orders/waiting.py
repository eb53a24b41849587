"""Waiting: a courier is at a stop, and nobody comes.

A clock starts as the courier arrives. Until it ends the order can only be handed over, failed or
given back; then a no-show can be said: at the pickup it ends the order, at the drop-off it is a
failure like any other. `Order.no_show_at` is set exactly while such a clock runs or has run out and
the courier is still there: it is kept with the order, so that what both sides were told holds even
if the settings change meanwhile.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from chalicelib.domain import events
from chalicelib.domain.orders import commands
from chalicelib.domain.orders.commands import Command
from chalicelib.domain.orders.drafts import draft_copies, list_both_sides
from chalicelib.domain.orders.flow import Transition
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.losing_couriers import NO_SHOW_TOLD, WAITS_FROM
from chalicelib.domain.orders.model import UNDELIVERED_STATUSES, Order, Status
from chalicelib.domain.orders.proof import Stop
from chalicelib.errors import InvalidTransition, TooEarly

VERB = "no_show"

Failure = commands.TakeBack | commands.LeaveBehind | commands.Discard
# Where the thing is with its courier, or was until it failed.
_AFTER_PICKUP = UNDELIVERED_STATUSES | {Status.IN_TRANSIT, Status.RETURNING}


def can_fail_at_dropoff(order: Order) -> bool:
    """Say whether an order can fail at its drop-off. Of a ride it can't: its passenger is there."""
    return commands.TakeBack.verb in FLOWS[order.details.flow].transitions[Status.IN_TRANSIT]


def find_waiting_since(order: Order) -> datetime | None:
    """Find since when the courier of an order waits at a stop; None where nobody does."""
    if order.no_show_at is None:
        return None
    is_at_pickup = order.status is Status.AT_PICKUP
    return find_wait_start(order, Stop.PICKUP if is_at_pickup else Stop.DROPOFF)


def find_wait_start(order: Order, stop: Stop) -> datetime | None:
    """Find from when the wait at a stop counts: since its courier came, less the time for which
    they were away meanwhile; None where they have not been there."""
    came = Status.AT_PICKUP.value if stop is Stop.PICKUP else "reached"
    return order.timeline.get(WAITS_FROM[stop]) or order.timeline.get(came)


def compute_no_show_at(order: Order, status: Status, command: Command) -> datetime | None:
    """Compute when a no-show can be said of an order once a command has led it to `status`: from
    when the command says, if it starts a clock; a clock that runs goes on within a status."""
    started: datetime | None = getattr(command, "no_show_at", None)
    return started or (order.no_show_at if status is order.status else None)


def choose_no_show_step(order: Order, failure: Failure) -> Command:
    """Choose the step by which a courier says that nobody is there. After the pickup it is
    `failure`, which says what becomes of the thing."""
    return failure if order.status in _AFTER_PICKUP else commands.NoShow(failure.reason)


def require_wait(order: Order, status: Status, command: Command, now: datetime) -> None:
    """Refuse a no-show before its courier has waited long enough.

    Raises TooEarly, whose details have the time, or InvalidTransition where nobody waits yet.
    """
    # An order that stays in its status has failed before: what comes late is its photo.
    if not getattr(command, "is_no_show", False) or status is order.status:
        return
    if order.no_show_at is None:
        steps = FLOWS[order.details.flow].get_steps(order.status, is_admin=False)
        raise InvalidTransition(order.status.value, VERB, tuple(steps))
    if now < order.no_show_at:
        # Judged by the clock and not by the wakeup: that one may come late, or never.
        raise TooEarly(order.no_show_at)


def is_notice_due(order: Order, due_at: datetime) -> bool:
    """Say whether the courier of an order waits still as when the clock was started that ends at
    `due_at`, and both sides have not been told of its end."""
    # It may be of the wait before, at the other stop, which has ended before this one.
    noted_at = order.timeline.get(NO_SHOW_TOLD)
    return order.no_show_at == due_at and (noted_at is None or noted_at < due_at)


def note_no_show_available(order: Order, now: datetime) -> Transition:
    """Note that both sides are told that a no-show can be said from now on, and tell them."""
    after = replace(order, timeline={**order.timeline, NO_SHOW_TOLD: now}, updated_at=now)
    return after, draft_copies(after, events.NO_SHOW_AVAILABLE, list_both_sides(after), now)
