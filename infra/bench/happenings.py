"""What happens to people, by REST: orders that are placed and called off, on all contracts."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any

from infra.bench.scenes import HAIL, HERE, MEAL, PROFILE, RIDE
from infra.bench.stage import CallRefused
from infra.harness.stack_process import StackProcess
from infra.local.tokens import mint_token

RESTAURANT = "diner"
_ID = re.compile(r"\d{5,}")
_TIMEOUT_S = 60.0
_FIX_EVERY_S = 30.0


class CallTimes:
    """When what happened to which order, so that frames of it can be timed."""

    def __init__(self) -> None:
        self._times: dict[str, list[float]] = {}

    def note(self, order_id: str, began_at: float) -> None:
        """Note a call about an order, which began then (perf_counter)."""
        self._times.setdefault(order_id, []).append(began_at)

    def find_cause(self, text: str, heard_at: float) -> float | None:
        """Find when the call began that led to a frame, which somebody heard at once: the last
        before that about the order that the frame names. None where it names none."""
        for id_ in _ID.findall(text):
            times = self._times.get(id_)
            if times:
                return times[max(0, bisect_right(times, heard_at) - 1)]
        return None


class Caller:
    """Calls REST for one after the other, on one connection. Use as a context manager."""

    def __init__(self, stack: StackProcess, times: CallTimes) -> None:
        self._secret = stack.secret
        self._http = http.client.HTTPConnection("127.0.0.1", stack.options.port, timeout=_TIMEOUT_S)
        self._times = times

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, method: str, path: str, by: tuple[str, str], body: Any = None) -> Any:
        """Make a call as (role, id); return the answer's body. Raises CallRefused."""
        headers = {
            "Authorization": f"Bearer {mint_person_token(self._secret, *by)}",
            "Content-Type": "application/json",
        }
        self._http.request(method, f"/api/v1/{path}", json.dumps(body or {}), headers)
        answer = self._http.getresponse()
        text = answer.read()
        if answer.status >= 400:
            raise CallRefused(f"{method} {path}: {answer.status} {text!r}")
        return json.loads(text or b"{}")

    def place(self, path: str, by: tuple[str, str], body: Any) -> str:
        """Place an order; return its id."""
        began_at = time.perf_counter()
        made = self.call("POST", path, by, body)
        id_ = str(made.get("order_id") or made.get("ride_id") or made.get("id"))
        self._times.note(id_, began_at)
        return id_

    def change(self, path: str, by: tuple[str, str], order_id: str, body: Any = None) -> None:
        """Make a call about an order."""
        self._times.note(order_id, time.perf_counter())
        self.call("POST", path, by, body)

    def cancel(self, by: tuple[str, str], order_id: str) -> None:
        """Cancel an order."""
        self.change(f"orders/{order_id}/cancel", by, order_id)


def mint_person_token(secret: str, role: str, id_: str) -> str:
    """Mint a token of somebody; a merchant's names the restaurant."""
    more: dict[str, Any] = {"restaurant_ids": [RESTAURANT]} if role == "merchant" else {}
    return mint_token(secret, role, id_, **more)


HAILER, DRIVER = ("customer", "hailer"), ("courier", "driver")
RIDER, EATER, OWNER = ("customer", "rider"), ("customer", "eater"), ("merchant", "owner")

Happening = Callable[[Caller], None]


def play_hail(caller: Caller) -> None:
    """An order is offered to a driver, accepted, and called off: to the customer two events and two
    of the feed, to the driver one."""
    id_ = caller.place("driver-orders", HAILER, HAIL)
    caller.change(f"driver/orders/{id_}/accept", DRIVER, id_)
    caller.cancel(HAILER, id_)


def play_ride(caller: Caller, rider: tuple[str, str] = RIDER) -> None:
    """A ride is requested and called off: one event."""
    caller.cancel(rider, caller.place("riders/rides", rider, RIDE))


def play_meal(caller: Caller) -> None:
    """A meal is ordered and called off: to the restaurant's owner two events."""
    id_ = caller.place(f"restaurants/{RESTAURANT}/orders", EATER, MEAL)
    caller.cancel(EATER, id_)


EVENTS_OF: Mapping[Happening, int] = {play_hail: 5, play_ride: 1, play_meal: 2}
EVENTS_OF_ALL = sum(EVENTS_OF.values())


def set_up(caller: Caller) -> None:
    """Give everybody a profile, and put the driver on duty."""
    for who in (HAILER, RIDER, EATER):
        caller.call("PUT", "me", who, {"name": "Asha Rao", "phone": "+919812345678"})
    caller.call("PUT", "me", DRIVER, PROFILE)
    here = {"available": True, "lat": HERE[0], "lng": HERE[1]}
    caller.call("POST", "courier/availability", DRIVER, here)


def repeat(
    stack: StackProcess, times: CallTimes, play: Happening, rounds: int, stopped: threading.Event
) -> tuple[int, int]:
    """Have something happen so often, or until it is stopped; return how often it did, and how
    often it was refused, as an acceptance is whose offer has lapsed. The driver's last position is
    to be fresh."""
    with Caller(stack, times) as caller:
        sent_at, played, refused = time.monotonic(), 0, 0
        for _ in range(rounds):
            if stopped.is_set():
                break
            if play is play_hail and time.monotonic() > sent_at + _FIX_EVERY_S:
                sent_at = time.monotonic()
                caller.call("POST", "courier/location", DRIVER, {"lat": HERE[0], "lng": HERE[1]})
            played += 1
            try:
                play(caller)
            except CallRefused:
                refused += 1
        return played, refused
