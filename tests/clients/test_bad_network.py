"""One scripted bad network, both clients: they hear the same, each event once and in order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.bad_network import ENVELOPES, BadNetwork, Scene, Seen, bad_network
from tests.clients.conftest import CLIENTS

TIMES = {"heartbeat_s": 0.5, "timeout_s": 1.5, "delay_s": 0.02, "max_delay_s": 0.05}
COUNT = 14
TOKEN = "e30.eyJzdWIiOiJhbmEiLCJyb2xlIjoiY291cmllciJ9"  # {"sub": "ana", "role": "courier"}
# Each connection, the first above.
SCRIPT = [
    Scene(refuses=503),  # the server restarts
    Scene(tells=2, ends="cut"),
    Scene(refuses=401),  # the token has expired
    Scene(tells=2, repeats=2, ends="half_open"),
    Scene(ignores=True),  # it accepts, and never answers
    Scene(tells=1, ends="rotate"),  # the two hours are over
    Scene(tells=1, delay_s=0.3, ends="expire"),
    Scene(ends="cut"),
    Scene(tells=3, repeats=3, ends="cut"),
    Scene(tells=2, loses=True, ends="cut"),  # the log is lost: what comes then is of another
    Scene(tells=99, delay_s=0.02),
]
PATHS = {
    "feed": "/api/websocket/ws",
    "courier": "/api/v1/ws/courier",
    "rides": "/api/v1/ws/rides",
    "food": "/orders",
    "drivers": "/ws/driver/orders/",
}


def hear(client: str, contract: str, network: BadNetwork, **more: Any) -> list[str]:
    options = {
        "url": network.url,
        "token": TOKEN,
        "numbered": True,
        "contract": contract,
        "position": "now",
        "whole": False,
        "times": TIMES,
        **more,
    }
    return CLIENTS[client](**options)


def expected(contract: str) -> tuple[list[str], list[Seen]]:
    """What is to be heard, and what the server is to see."""
    lines: list[str] = ["position a.0000"]
    events = [("a", number) for number in range(1, 10)]
    events += [("b", number) for number in range(1, COUNT + 1)]
    for epoch, number in events:
        if (epoch, number) == ("b", 1):
            lines.append("gap a.0009 b.0000")
        if (epoch, number) == ("a", 7):
            lines.append("event error -")
        position = f"{epoch}.{number:04}"
        for frame in ENVELOPES[contract](number, position):
            name = frame.get("event_type", frame.get("event", frame.get("type")))
            lines.append(f"event {name} {position}")
            if f"position {position}" not in lines:
                lines.append(f"position {position}")
    froms = ["now", "now", "a.0002", "a.0002", "a.0004", "a.0004", "a.0005", "a.0006", "a.0006"]
    froms += ["a.0009", "b.0002"]
    seen = [
        Seen(PATHS[contract], position, f"{TOKEN}.{number}")
        for number, position in enumerate(froms, 1)
    ]
    return [*lines, "end"], seen


@pytest.mark.parametrize("contract", ENVELOPES)
def test_both_clients_hear_the_same_over_a_bad_network(contract: str) -> None:
    lines, seen = expected(contract)
    for client in CLIENTS:
        with bad_network(contract, SCRIPT, COUNT) as network:
            heard = hear(
                client, contract, network, until=sum(line.startswith("event") for line in lines)
            )
        assert heard == lines, client
        if contract != "feed":
            assert network.seen == seen, client
