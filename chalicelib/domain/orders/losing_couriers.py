"""What an order forgets as it loses its courier, by whatever step: a release, another's assignment,
an offer that is declined or has lapsed.

What a courier has done and proven with an order holds only as long as they have it: the next one
has to be at each stop themselves. Whoever reads `timeline`, `no_show_at` or `proof` may rely on
that. What is the order's own stays: its search, why it was given back, an admin's word.
"""

from __future__ import annotations

from msgspec.structs import replace

from chalicelib.domain.orders.model import WITH_COURIER, Order, Status
from chalicelib.domain.orders.options import NO_OPTIONS
from chalicelib.domain.orders.proof import OrderProof, Stop, StopProof

DEPARTED = "departed"
# In the timeline: both sides were told that a no-show can be said.
NO_SHOW_TOLD = "no_show_available"
# In the timeline, of each stop: its courier is near; was asked whether they are there; has left.
NEAR_STOP = {stop: f"near_{stop.value}" for stop in Stop}
SUGGESTED = {stop: f"suggested_{stop.value}" for stop in Stop}
LEFT_STOP = {stop: f"left_{stop.value}" for stop in Stop}
# From when a wait counts whose courier was away meanwhile: later than they came by as long as that.
WAITS_FROM = {stop: f"waits_{stop.value}" for stop in Stop}
# Of these, which are no steps: what was told, and what is only reckoned with.
NO_STEPS = frozenset({NO_SHOW_TOLD, *NEAR_STOP.values(), *SUGGESTED.values(), *WAITS_FROM.values()})
# In the timeline: the times of what its courier did with an order.
_COURIERS_TIMES = frozenset(
    {
        *(status.value for status in WITH_COURIER | {Status.RETURNING}),
        DEPARTED,
        "reached",
        *NO_STEPS,
        *LEFT_STOP.values(),
    }
)


def forget_former_courier(before: Order, after: Order) -> Order:
    """Return an order after a step without what was its courier's, if the step has taken it from
    them; else as it is."""
    if before.courier_id is None or after.courier_id == before.courier_id:
        return after
    timeline = {name: at for name, at in after.timeline.items() if name not in _COURIERS_TIMES}
    if after.status in WITH_COURIER:  # another has it at once, by hand
        timeline[after.status.value] = after.updated_at
    return replace(
        after,
        timeline=timeline,
        no_show_at=None,
        trip=None,
        proof=_forget_proof(before),
    )


def _forget_proof(order: Order) -> OrderProof:
    """Return the proof of an order that loses its courier."""
    if order.options.proof == NO_OPTIONS.proof:
        return order.proof
    # Who is only asked has uploaded nothing.
    had_it = order.status in WITH_COURIER or order.status is Status.READY
    return replace(
        order.proof,
        couriers_lost=order.proof.couriers_lost + had_it,
        **{stop.value: _forget_given(order.proof.get_stop(stop)) for stop in Stop},
    )


def _forget_given(known: StopProof) -> StopProof:
    """Return what stays known of a stop: what an admin has let go, and the wrong PINs as long as
    the PIN is the same. One that was said is known to who has left, and proves nothing any more.

    Of a PIN that nobody has said the tries go on counting: else couriers who hand an order on could
    guess for ever.
    """
    kept = StopProof(known.pins_said, known.wrong_pins, overrides=known.overrides)
    if known.pin_at is None:
        return kept
    return replace(kept, pins_said=known.pins_said + 1, wrong_pins=0)
