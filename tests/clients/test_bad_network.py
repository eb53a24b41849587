"""One scripted bad network, both clients: they hear the same, each event once and in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from tests.clients.bad_network import ENVELOPES, Scene, Seen, bad_network
from tests.clients.conftest import CLIENTS

TIMES = {"heartbeat_s": 1.0, "timeout_s": 5, "delay_s": 0.02, "max_delay_s": 0.05}
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


Told = tuple[list[str], list[Seen]]


def hear(client: str, script: list[Scene], *contracts: str, **more: Any) -> dict[str, Told]:
    """What a client prints until it has heard all, and what the server has seen of it, of each
    contract."""
    until = f"{'b' if any(scene.loses for scene in script) else 'a'}.{COUNT:04}"
    rest = {"token": TOKEN, "numbered": True, "position": "now", "until": until, "times": TIMES}
    with ExitStack() as serving:
        networks = [serving.enter_context(bad_network(c, script, COUNT)) for c in contracts]
        options = [
            {**rest, "url": network.url, "contract": contract, **more}
            for contract, network in zip(contracts, networks, strict=True)
        ]
        heard = CLIENTS[client](*options)
    told = [(lines, network.seen) for lines, network in zip(heard, networks, strict=True)]
    return dict(zip(contracts, told, strict=True))


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
def told() -> dict[str, dict[str, Told]]:
    """By client and contract. All at once: they mostly wait."""
    with ThreadPoolExecutor() as pool:
        heard = pool.map(lambda client: hear(client, SCRIPT, *ENVELOPES), CLIENTS)
        return dict(zip(CLIENTS, heard, strict=True))


@pytest.mark.parametrize("contract", ENVELOPES)
def test_both_clients_hear_the_same_over_a_bad_network(
    contract: str, told: dict[str, dict[str, Told]]
) -> None:
    """Each event once and in order, each connection from where the last one was cut, with a token
    of its own; and what can't be had any more is said to be missing."""
    (heard, seen), other = told["python"][contract], told["typescript"][contract]
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


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_that_is_woken_looks_at_once(client: str) -> None:
    """It neither sits out a pause of minutes nor believes in a connection that is none."""
    script = [Scene(refuses=503), Scene(tells=2, ends="half_open"), Scene(tells=99)]
    slow = {"heartbeat_s": 600, "timeout_s": 4, "delay_s": 600, "max_delay_s": 600}
    heard, seen = hear(client, script, "drivers", times=slow, wakes_every_s=0.5)["drivers"]
    events = [line for line in heard if line.startswith("event")]
    assert events == list_frames("drivers", "a", COUNT)
    assert [one.position for one in seen] == ["now", "now", "a.0001"]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_stored_position_that_is_none_is_a_gap(client: str) -> None:
    """It is told once the connection goes on from now; one that is refused for other reasons is
    kept."""
    contracts, bad = ("courier", "feed", "socketio"), "no position ~?&"
    told = hear(client, [Scene(refuses=503), Scene(tells=99)], *contracts, position=bad)
    for contract in contracts:
        lines, seen = told[contract]
        heard = [line for line in lines if not line.startswith("event error")]  # the feed's own
        assert heard[:2] == [f"gap {bad} a.0000", "position a.0000"]
        events = [line for line in heard if line.startswith("event")]
        assert events == list_frames(contract, "a", COUNT)
        assert seen[-1].position == "now"
    script = [Scene(refuses=503), Scene(tells=99)]
    heard, seen = hear(client, script, "rides", position="a.0003")["rides"]
    assert [one.position for one in seen] == ["a.0003", "a.0003"]
    assert not [line for line in heard if line.startswith("gap")]


@pytest.mark.parametrize("contract", ["courier", "socketio"])
@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_sent_waits_for_a_connection(client: str, contract: str) -> None:
    script = [Scene(refuses=503), Scene()]
    said = {"event": "said", "data": {"a": "ä"}}
    with bad_network(contract, script, 0) as network:
        options = {"url": network.url, "token": TOKEN, "contract": contract, "times": TIMES}
        (heard,) = CLIENTS[client]({**options, "until": "echo", "said": said})
    assert heard == ["event echo -", "end"]
    assert [one.position for one in network.seen] == [None, None]


@pytest.mark.parametrize("contract", ["food", "socketio"])
@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_told_again_of_one_of_several_logs_is_handed_on_once(
    client: str, contract: str
) -> None:
    """Its position says more of the other logs than it did the first time."""
    cut = Scene(tells=3, repeats=3, ends="cut")
    frames = list_frames(contract, "a", COUNT)
    with bad_network(contract, [cut, cut, Scene(tells=99, repeats=4)], COUNT, logs=2) as network:
        options = {"url": network.url, "token": TOKEN, "contract": contract, "times": TIMES}
        (heard,) = CLIENTS[client]({**options, "position": "now", "until": len(frames)})
    events = [line.partition("~")[0] for line in heard if line.startswith("event")]
    assert events == frames
    assert [one.position for one in network.seen] == ["now", "a.0002~z.0", "a.0004~z.1"]
