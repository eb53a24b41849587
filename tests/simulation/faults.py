"""What goes wrong, and how often: chances for each call, message, read and socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.simulation.history import History
from tests.simulation.scheduler import Invocation, Scheduler


@dataclass(frozen=True)
class Rates:
    """Chances. A call's: to be the last of its process, to be frozen in, to fail, to be done and
    not answered, to meet a transaction. A message's: to come twice, or late. A read's: to show
    what was. A post's and a socket's own troubles; an outage's, an event's to be poison."""

    death: float = 0.0
    freeze: float = 0.0
    failure: float = 0.0
    lost_answer: float = 0.0
    conflict: float = 0.0
    twice: float = 0.0
    late: float = 0.0
    stale: float = 0.0
    refused_post: float = 0.0
    bad_socket: float = 0.0
    bad_for_ever: float = 0.0
    outage: float = 0.0
    poison: float = 0.0


RATES = {
    "none": Rates(),
    "some": Rates(
        death=0.001,
        freeze=0.0005,
        failure=0.0005,
        lost_answer=0.0015,
        conflict=0.01,
        twice=0.02,
        late=0.05,
        stale=0.05,
        refused_post=0.002,
        bad_socket=0.05,
        outage=0.05,
    ),
    "many": Rates(
        death=0.004,
        freeze=0.002,
        failure=0.002,
        lost_answer=0.006,
        conflict=0.03,
        twice=0.05,
        late=0.15,
        stale=0.15,
        refused_post=0.01,
        bad_socket=0.2,
        bad_for_ever=0.15,
        outage=0.15,
        poison=0.1,
    ),
}
GIVES_UP = 0.3  # of lost answers: the SDK does not ask again, or in vain
TROUBLES = ("throttled", "stalled", "forbidden", "broken")  # 429; no answer in time; 403; 5xx


@dataclass
class Faults:
    """Decides by dice what goes wrong, until `over`. `counts` is how much did."""

    rates: Rates
    skew_s: float
    dice: Random
    over: bool = False
    counts: dict[str, int] = field(default_factory=dict)

    def strikes(self, fault: str) -> bool:
        """Decide whether a fault of that name happens now."""
        struck = not self.over and self.dice.random() < getattr(self.rates, fault)
        if struck:
            self.counts[fault] = self.counts.get(fault, 0) + 1
        return struck

    def skew(self) -> float:
        """Draw by how much the clock of a new Lambda is ahead, in seconds."""
        return self.dice.uniform(-self.skew_s, self.skew_s) if self.skew_s else 0.0

    def duration(self) -> float:
        """Draw how long a call takes, in seconds: milliseconds, now and then much more."""
        if self.dice.random() < 0.9:
            return self.dice.uniform(0.002, 0.012)
        return self.dice.uniform(0.02, 0.4)


class Fate:
    """What befalls the process of a Lambda at each of its calls to the outside."""

    def __init__(self, scheduler: Scheduler, faults: Faults, history: History) -> None:
        self._scheduler = scheduler
        self._faults = faults
        self._history = history
        self._trace = history.trace

    def spend(self, call: str) -> None:
        """Let a call take its time; whoever asks may be frozen, be cut off, or die before it."""
        invocation = self._scheduler.invocation
        if invocation and self._faults.strikes("freeze"):
            self.hurt()
            froze_s = self._faults.dice.uniform(3, 20)
            invocation.frozen_until_s = self._scheduler.now_s + froze_s
            self._trace("freeze", invocation.name, call, round(froze_s, 1))
        self._scheduler.sleep(self._faults.duration())
        if invocation is None:
            return
        self._trace(invocation.name, call)
        if self._scheduler.now_s - invocation.began_s > invocation.limit_s:
            self._kill(invocation, "timeout", call)
        self.may_die("before", call)

    def may_die(self, when: str, call: str) -> None:
        """Let the process die here, by chance."""
        invocation = self._scheduler.invocation
        if invocation and self._faults.strikes("death"):
            self._kill(invocation, "death", f"{when} {call}")

    def change(self, call: str) -> None:
        """Note a change: none is made once the invocation has answered, as Lambda stops it then."""
        invocation = self._scheduler.invocation
        if invocation and invocation.answered:
            self._history.violate("no_change_comes_after_the_answer", call)

    def hurt(self) -> None:
        """Note that something befell the process that it may say no for."""
        invocation = self._scheduler.invocation
        if invocation:
            invocation.hurt = True

    def _kill(self, invocation: Invocation, how: str, where: str) -> None:
        self._trace(how, invocation.name, where)
        self._scheduler.kill(invocation)
