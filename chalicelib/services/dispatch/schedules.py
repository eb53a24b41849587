"""When an order becomes active, and when its searches begin and end: its windows and its flow."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from chalicelib.domain.orders import commands
from chalicelib.domain.orders.dispatch_policy import DispatchPolicy
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.lifecycle import advance_order
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.orders.search_plan import (
    MIN_SEARCH,
    ONE_PASS,
    Schedule,
    SearchPlan,
    plan_searches,
)
from chalicelib.domain.orders.windows import Windows, compute_activation
from chalicelib.domain.people import SYSTEM


class Schedules:
    """Says when orders become active and are searched. `lead` is the time from there to the pickup;
    `policies` has, by the flow, how couriers are searched."""

    def __init__(self, policies: Mapping[str, DispatchPolicy], lead: timedelta) -> None:
        self._policies = policies
        self._lead = lead

    def compute_activation(self, windows: Windows, now: datetime) -> datetime | None:
        """Compute when an order becomes active; None for at once."""
        return compute_activation(windows, self._lead, now)

    def schedule_order(self, flow: str, windows: Windows, now: datetime) -> Schedule:
        """Say what an order that is placed now waits for."""
        active_at = self.compute_activation(windows, now)
        return Schedule(active_at) if active_at else self.schedule_search(flow, windows, now)

    def schedule_search(self, flow: str, windows: Windows, now: datetime) -> Schedule:
        """Say what an order waits for that becomes active now."""
        policy = self._policies.get(flow)
        if policy is None or FLOWS[flow].first_status is not Status.SEARCHING:
            return ONE_PASS  # a merchant comes first, and a pool needs no search
        plan = None
        if windows.pickup_by:
            plan = plan_searches(now, windows.pickup_by, max(policy.offer_ttl, MIN_SEARCH))
        return Schedule(search_until=_compute_search_end(policy, plan, now), plan=plan)

    def compute_search_end(self, flow: str, now: datetime) -> datetime | None:
        """Compute when a search without a plan ends that begins now; None where a flow gives up as
        soon as nobody is left to ask."""
        policy = self._policies.get(flow)
        return _compute_search_end(policy, None, now) if policy else None

    def begin_due_search(self, order: Order, now: datetime) -> Order:
        """Return a searching order with the next search of its plan begun, if it is time for it."""
        if order.plan is None or not order.plan.has_started_next(now):
            return order
        plan = order.plan.drop_started(now)
        until = _compute_search_end(self._policies[order.details.flow], plan, now)
        order, _ = advance_order(order, commands.SearchAnew(plan, until), SYSTEM, now)
        return order


def _compute_search_end(
    policy: DispatchPolicy, plan: SearchPlan | None, now: datetime
) -> datetime | None:
    if policy.search_ttl is None:
        return None
    end = now + policy.search_ttl
    return min(end, plan.search_end) if plan else end


def find_next_search(order: Order) -> datetime | None:
    """Find when the next search of an order begins; None where there is none to come."""
    return order.plan.next_start if order.plan else None
