"""The process: killed at the worst moment, and told to stop."""

from __future__ import annotations

from http.client import HTTPException

import pytest
from websockets.exceptions import ConnectionClosed

from infra.local.engine import Ministack
from infra.local.ports import is_port_free
from tests.e2e.conftest import COMES_AGAIN_WITHIN_S, RunStack
from tests.e2e.courier.fault_line import a_fault_line
from tests.e2e.courier.town import a_town, assigned, status


def committed(operation: str, body: bytes) -> bool:
    """An order is written, and its event with it; nobody is told yet."""
    return operation == "PutItem" and b"waybill-orders" in body


def test_what_was_committed_is_told_though_the_process_was_killed(
    run_stack: RunStack, lasting_engine: Ministack
) -> None:
    """P-04: SIGKILL between the commit and the frame; the next process tells it, in order."""
    with a_fault_line(lasting_engine.port) as line:
        doomed = run_stack(ENDPOINT=line.endpoint)
        with a_town(doomed) as town:
            ben, ana = town.on_duty(), town.customer()
            (ears,) = ana.open_admitted()
            order = town.order(ana)
            assert ears.next() == assigned(town, order)
            line.arm(committed, doomed.kill)
            with pytest.raises((ConnectionError, HTTPException)):
                ben.step("accept", order["id"])
            with pytest.raises(ConnectionClosed):
                ears.next()
        assert line.broke.is_set()

    restarted = run_stack(ENDPOINT=lasting_engine.endpoint)
    with a_town(restarted) as town:
        ears = ana.move(town).open()
        assert ears.next(COMES_AGAIN_WITHIN_S) == status(order["id"], "accepted")
        assert ben.move(town).step("arrived", order["id"]).status == 200
        assert ears.next() == status(order["id"], "arrived")


def test_stopping_ends_everything_and_waits_for_no_timer(run_stack: RunStack) -> None:
    """SIGTERM: sockets are closed, the engine goes too, the exit code is 0."""
    stack = run_stack(DELIVERY_OFFER_TTL_S="60")  # longer than `stop` waits for the process
    with a_town(stack) as town:
        ana = town.customer()
        sockets = ana.open_admitted(2)
        town.on_duty()
        town.order(ana)  # timers run
        assert stack.stop() == 0
        for ears in sockets:
            with pytest.raises(ConnectionClosed):
                ears.take(2)
    assert is_port_free(stack.port)
    assert is_port_free(stack.engine_port)
    assert "Traceback" not in stack.log()
