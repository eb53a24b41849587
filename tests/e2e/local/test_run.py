"""`python -m infra.local` as a process: what it serves, and how it ends."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from infra.local.engine import Ministack, is_healthy
from infra.local.ports import is_port_free
from infra.resources.aws_clients import make_client
from tests.conftest import PATIENCE_S, free_port
from tests.e2e.checked import urlopen
from tests.e2e.conftest import COMES_AGAIN_WITHIN_S, RunStack, Stack, wait_for

TINY = {"APP_MODULE": "tests.e2e.local.tiny_app"}
ENDS_WITHIN_S = 20.0  # of a busy machine; what hangs, hangs for longer


def get(stack: Stack, path: str) -> Any:
    with urlopen(f"{stack.url}/api/{path}", timeout=PATIENCE_S) as response:
        return json.load(response)


def handled(stack: Stack) -> list[str]:
    return [message["body"] for message in get(stack, "handled")]


def latency_s(stack: Stack, body: str, delay: int = 0) -> float:
    """Send a wakeup; return how long after that it was handled."""
    sent_at = get(stack, f"send/{body}?delay={delay}")["sent_at"]
    wait_for(lambda: body in handled(stack))
    at = next(message["at"] for message in get(stack, "handled") if message["body"] == body)
    return float(at - sent_at)


@pytest.fixture(params=["ministack", "moto"])
def tiny(request: pytest.FixtureRequest, run_stack: RunStack) -> Stack:
    return run_stack(ENGINE=request.param, **TINY)


class Beside(NamedTuple):
    """A run on an engine that somebody else has started; shared: use bodies of your own."""

    stack: Stack
    engine: Ministack


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    folder = tmp_path_factory.mktemp("beside")
    with Ministack(free_port(), folder / "engine") as engine:
        stack = Stack(folder, {"LOCALSTACK_HOST": f"127.0.0.1:{engine.port}", **TINY})
        try:
            yield Beside(stack.await_ready(), engine)
        finally:
            stack.stop()


def test_it_serves_rest_wakeups_and_the_schedule(tiny: Stack) -> None:
    assert get(tiny, "health") == {"status": "ok", "version": "tiny"}
    wait_for(lambda: get(tiny, "sweeps"))
    latency_s(tiny, "warm-up")
    numbers = itertools.count()
    wait_for(lambda: latency_s(tiny, f"now{next(numbers)}") < 0.05)  # in a quiet moment
    assert 0.9 < latency_s(tiny, "later", delay=1) < PATIENCE_S
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(tiny, "nothing-here")
    assert refused.value.code == 404
    with refused.value as response:
        assert json.load(response)["error"] == "not_found"


def test_only_the_wakeups_that_failed_stay_in_the_queue(beside: Beside) -> None:
    stack, engine = beside
    for body in ("good", "fail", "fine"):
        get(stack, f"send/{body}")
    wait_for(lambda: set(handled(stack)) >= {"good", "fail", "fine"})
    sqs = make_client("sqs", engine.endpoint)
    url = sqs.get_queue_url(QueueName="waybill-wakeups")["QueueUrl"]

    def in_flight() -> int:
        name = "ApproximateNumberOfMessagesNotVisible"
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return int(found["Attributes"][name])

    wait_for(lambda: in_flight() == 1)
    assert handled(stack).count("fail") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_its_engine_in_good_order(
    run_stack: RunStack, number: signal.Signals
) -> None:
    stack = run_stack(**TINY)
    began = time.monotonic()
    os.kill(stack.pid, number)
    assert stack.process.wait(ENDS_WITHIN_S) == 0
    assert time.monotonic() - began < ENDS_WITHIN_S
    assert is_port_free(stack.port)
    assert is_port_free(stack.engine_port)
    assert "Traceback" not in stack.log()


def test_a_signal_while_it_starts_ends_it_too(run_stack: RunStack) -> None:
    stack = run_stack(ready=False, **TINY)
    wait_for(lambda: is_healthy(stack.engine_endpoint))
    began = time.monotonic()
    stack.stop()
    assert time.monotonic() - began < ENDS_WITHIN_S
    wait_for(lambda: is_port_free(stack.engine_port))


def test_the_engine_does_not_outlive_a_killed_run(run_stack: RunStack) -> None:
    stack = run_stack(**TINY)
    stack.kill()
    wait_for(lambda: is_port_free(stack.engine_port))


def test_a_run_ends_with_its_owner(run_stack: RunStack) -> None:
    stack = run_stack(**TINY)
    assert stack.process.stdin is not None
    stack.process.stdin.close()
    assert stack.process.wait(ENDS_WITHIN_S) == 0


def test_what_was_sent_before_the_end_is_handled_after_the_next_start(run_stack: RunStack) -> None:
    first = run_stack(**TINY)
    get(first, "send/kept?delay=2")
    assert first.stop() == 0
    second = run_stack(**TINY)
    wait_for(lambda: "kept" in handled(second))


def test_a_killed_run_loses_no_wakeup_on_an_engine_that_stays(
    run_stack: RunStack, lasting_engine: Ministack
) -> None:
    first = run_stack(ENDPOINT=lasting_engine.endpoint, **TINY)
    get(first, "send/kept?delay=2")
    first.kill()
    assert is_healthy(lasting_engine.endpoint)
    second = run_stack(ENDPOINT=lasting_engine.endpoint, **TINY)
    wait_for(lambda: "kept" in handled(second), COMES_AGAIN_WITHIN_S)


def test_localstack_host_leads_to_the_engine(beside: Beside) -> None:
    stack, engine = beside
    assert f"engine at http://127.0.0.1:{engine.port}" in stack.log()
    assert latency_s(stack, "here") < PATIENCE_S


def test_wakeups_of_somebody_else_are_found_without_a_nudge(beside: Beside) -> None:
    stack, engine = beside
    sqs = make_client("sqs", engine.endpoint)
    url = sqs.get_queue_url(QueueName="waybill-wakeups")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="foreign")
    wait_for(lambda: "foreign" in handled(stack))


def test_the_log_has_no_query_and_no_token_and_metrics_are_for_this_machine(
    beside: Beside,
) -> None:
    stack, _ = beside
    token = stack.token("customer", "u1")
    get(stack, f"health?token={token}")
    wait_for(lambda: "GET /api/health 200" in stack.log())
    assert "token=" not in stack.log().split("Ctrl-C ends it.")[1]
    assert token not in stack.log()
    # Metrics, of this process and for this machine; and logs of the application's are JSON.
    page = f"{stack.url}/api/metrics"
    with urllib.request.urlopen(page, timeout=PATIENCE_S) as response:
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = {one.name for one in text_string_to_metric_families(response.read().decode())}
    assert {"waybill_orders", "waybill_wakeup_lag_seconds", "waybill_unserved"} <= families
    rebound = urllib.request.Request(page, headers={"Host": "rebound.example.com"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(rebound, timeout=PATIENCE_S)
    lines = [line for line in stack.log().splitlines() if line.startswith("{")]
    assert lines
    assert all({"level", "message"} <= set(json.loads(line)) for line in lines)
