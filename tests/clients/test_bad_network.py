"""One scripted bad network, both clients: they hear the same, each event once and in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from tests.clients.bad_network import ENVELOPES, Scene, Seen, bad_network
from tests.clients.conftest import CLIENTS

TIMES = {"heartbeat_s": 1.0, "timeout_s": 2.5, "delay_s": 0.02, "max_delay_s": 0.05}
COUNT = 14
TOKEN = "e30.eyJzdWIiOiJhbmEiLCJyb2xlIjoiY291cmllciJ9"  # {"sub": "ana", "role": "courier"}
# Each connection, the first above.
SCRIPT = [
    Scene(refuses=503),  # the server restarts
    Scene(tells=2, halves=True, ends="cut"),
    Scene(refuses=401),  # the token has expired
    Scene(tells=3, repeats=1, ends="half_open"),
    Scene(ignores=True),  # it accepts, and never answers
    Scene(tells=2, ends="rotate"),  # the two hours are over
    Scene(tells=2, delay_s=0.3, ends="expire"),
    Scene(ends="cut"),
    Scene(tells=2, repeats=3, ends="cut"),
    Scene(tells=3, loses=True, ends="cut"),  # the log is lost: what comes then is of another
    Scene(tells=99, delay_s=0.02),
]


def hear(client: str, contract: str, script: list[Scene]) -> tuple[list[str], list[Seen]]:
    """What a client prints until it has heard all, and what the server has seen of it."""
    until = f"{'b' if any(scene.loses for scene in script) else 'a'}.{COUNT:04}"
    with bad_network(contract, script, COUNT) as network:
        heard = CLIENTS[client](
            url=network.url,
            token=TOKEN,
            numbered=True,
            contract=contract,
            position="now",
            until=until,
            times=TIMES,
        )
    return heard, network.seen


def list_frames(contract: str, epoch: str, count: int) -> list[str]:
    """What of a log is to be heard."""
    lines = []
    for number in range(1, count + 1):
        position = f"{epoch}.{number:04}"
        for frame in ENVELOPES[contract](number, position):
            name = frame.get("event_type", frame.get("event", frame.get("type")))
            lines.append(f"event {name} {position}")
    return lines


@pytest.fixture(scope="module")
def told() -> dict[tuple[str, str], tuple[list[str], list[Seen]]]:
    """All of them at once: they mostly wait."""
    cases = list(product(CLIENTS, ENVELOPES))
    with ThreadPoolExecutor(len(cases)) as pool:
        return dict(zip(cases, pool.map(lambda case: hear(*case, SCRIPT), cases), strict=True))


@pytest.mark.parametrize("contract", ENVELOPES)
def test_both_clients_hear_the_same_over_a_bad_network(
    contract: str, told: dict[tuple[str, str], tuple[list[str], list[Seen]]]
) -> None:
    """Each event once and in order, each connection from where the last one was cut, with a token
    of its own; and what can't be had any more is said to be missing."""
    (heard, seen), other = told["python", contract], told["typescript", contract]
    assert heard == other[0]
    assert seen == other[1]
    assert [one.token for one in seen if one.token] == tokens(seen)
    ((at, gap),) = [(at, line) for at, line in enumerate(heard) if line.startswith("gap")]
    lost = [line for line in heard[:at] if line.startswith("event") and "error" not in line]
    whole = [line for line in heard[at:] if line.startswith("event")]
    assert lost == list_frames(contract, "a", int(lost[-1][-2:]))
    assert whole == list_frames(contract, "b", COUNT)
    assert gap == f"gap {seen[9].position} b.0000"
    assert sum("error" in line for line in heard) == 1  # the token's end
    assert heard[-2:] == [f"position b.{COUNT:04}", "end"]


def tokens(seen: list[Seen]) -> list[str]:
    """A new one at each connection. (The feed's come in its first message, which may never be.)"""
    return [f"{TOKEN}.{number}" for number, one in enumerate(seen, 1) if one.token]
