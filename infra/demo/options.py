"""The demo's options, read from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.settings import BadSetting


@dataclass(frozen=True)
class DemoOptions:
    """How large the city is, how long the day, and how couriers behave.

    A courier accepts an offer with probability `accept`, declines with `decline`, and ignores it
    else; a customer cancels with probability `cancel`.
    """

    couriers: int = 20
    customers: int = 10
    seconds: float = 60.0
    accept: float = 0.8
    decline: float = 0.1
    cancel: float = 0.05
    blocks_a_fix: int = 5  # how far a courier walks in a second: a day in a minute

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> DemoOptions:
        """Read the options. Raises BadSetting with one line that says what to do."""
        found = cls(
            couriers=int(_read_number(env, "COURIERS", cls.couriers, 1, 500)),
            customers=int(_read_number(env, "CUSTOMERS", cls.customers, 1, 500)),
            seconds=_read_number(env, "SECONDS", cls.seconds, 1, 86_400),
            accept=_read_number(env, "ACCEPT", cls.accept, 0, 1),
            decline=_read_number(env, "DECLINE", cls.decline, 0, 1),
            cancel=_read_number(env, "CANCEL", cls.cancel, 0, 1),
            blocks_a_fix=int(_read_number(env, "SPEED", cls.blocks_a_fix, 1, 100)),
        )
        if found.accept + found.decline > 1:
            raise BadSetting("ACCEPT and DECLINE are shares of all offers: at most 1 together.")
        return found


def _read_number(
    env: Mapping[str, str], name: str, default: float, low: float, high: float
) -> float:
    try:
        value = float(env.get(name) or default)
    except ValueError:
        value = float("nan")
    if low <= value <= high:
        return value
    raise BadSetting(f"{name} takes a number from {low:g} to {high:g}, not {env[name]!r}.")
