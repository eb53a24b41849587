"""One attempt to find couriers for an order that searches: what it knows, and what it prepares.

What an offer relies on does not depend on whom it is for, so that it is begun as soon as the index
names somebody, while couriers are read (sequential.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from chalicelib.domain.events import Event
from chalicelib.domain.orders.dispatch_policy import DispatchPolicy
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.waves import Wave, list_next_waves
from chalicelib.services.dispatch.candidates import Look
from chalicelib.services.dispatch.order_commits import Preparation
from chalicelib.services.dispatch.stacks import StackPrices
from chalicelib.services.messaging.planned_leases import HeadsRead


class Search(NamedTuple):
    """An order that searches, not written yet. `stored` is the order as the database has it, None
    if it is new; `events` are those of the step that made it search; `expired_ids` the couriers who
    let its last offers pass; `ask_again` allows couriers who were asked before."""

    stored: Order | None
    order: Order
    events: tuple[Event, ...]
    expired_ids: tuple[str, ...]
    ask_again: bool

    @property
    def expired_courier_id(self) -> str | None:
        """The first who let the last offers pass."""
        return self.expired_ids[0] if self.expired_ids else None


class SearchAttempt(NamedTuple):
    """One attempt to find couriers for an order that searches. `lost` are those whose claim has
    failed in it; `preparations` has, by the end of an offer, what such an offer relies on."""

    search: Search
    policy: DispatchPolicy
    now: datetime
    is_consistent: bool
    lost: set[str]
    preparations: dict[datetime, EarlyPreparation]
    stacks: StackPrices | None = None

    def list_waves(self) -> Iterator[tuple[int | None, Wave, bool]]:
        """List the waves to try, each with its number and whether couriers may be asked again. A
        search without waves is one of one courier, without a number, until nobody is left."""
        policy, ask_again = self.policy, self.search.ask_again
        if not policy.waves:
            yield None, Wave(policy.radius_m, 1, policy.offer_ttl), ask_again
            return
        # Those who were not asked yet come first, however far away.
        passes = (False, True) if ask_again else (False,)
        for is_again in passes:
            for number, wave in list_next_waves(policy.waves, self.search.order.wave):
                yield number, wave, is_again

    def make_look(
        self, wave: Wave, ask_again: bool, on_found: Callable[[list[str]], object]
    ) -> Look:
        """Make the look for a wave's couriers. In waves nobody is asked twice."""
        policy = self.policy
        if policy.waves:
            policy = replace(policy, radius_m=wave.radius_m, exclude="all")
        return Look(
            self.search.order,
            policy,
            self.now,
            ask_again,
            self.is_consistent,
            on_found,
            wave.couriers,
            self.stacks,
        )

    def compute_end(self, wave: Wave) -> datetime:
        """Compute when an offer of a wave ends that is made now."""
        expires_at, plan = self.now + wave.ttl, self.search.order.plan
        return min(expires_at, plan.ends_at) if plan else expires_at


class EarlyPreparation:
    """What an offer relies on: begun once, as soon as it is likely that there will be an offer.
    `heads` are of the mailboxes of couriers who were named then, if they are few."""

    def __init__(
        self,
        begin: Callable[[], Preparation],
        start_reading: Callable[[Sequence[str]], HeadsRead | None],
    ) -> None:
        self._begin = begin
        self._start_reading = start_reading
        self._begun: Preparation | None = None
        self.heads: HeadsRead | None = None

    def start(self, courier_ids: Sequence[str] = ()) -> Preparation:
        """Begin, unless that was done. `courier_ids` are couriers to whom it may be offered."""
        if self._begun is None:
            self._begun = self._begin()
            self.heads = self._start_reading(courier_ids)
        return self._begun

    def wait(self) -> None:
        """Wait for its end, if it has begun. A failure concerns the commit alone, which looks
        itself."""
        if self._begun is not None:
            wait(self._begun)
        if self.heads is not None:
            wait([self.heads])
