from __future__ import annotations

import threading
import time
from typing import Any

from chalice.app import Chalice

from infra.local.schedule import SweepSchedule, make_scheduled_event
from tests.conftest import PATIENCE_S


def test_it_sweeps_at_once_and_again_and_survives_a_failure() -> None:
    thrice = threading.Event()
    calls: list[dict[str, Any]] = []

    def sweep(event: dict[str, Any], _: Any) -> None:
        calls.append(event)
        if len(calls) == 3:
            thrice.set()
        raise RuntimeError("no")

    schedule = SweepSchedule(sweep, every_s=0.02)
    schedule.start()
    assert thrice.wait(PATIENCE_S)
    schedule.stop()
    assert calls[0]["detail-type"] == "Scheduled Event"


def test_a_sweep_under_way_does_not_keep_it_from_stopping() -> None:
    begun, release = threading.Event(), threading.Event()

    def sweep(*_: Any) -> None:
        begun.set()
        release.wait(PATIENCE_S)

    schedule = SweepSchedule(sweep)
    schedule.start()
    assert begun.wait(PATIENCE_S)
    began = time.monotonic()
    schedule.stop()
    assert time.monotonic() - began < PATIENCE_S / 2
    release.set()


def test_chalice_understands_the_event() -> None:
    app = Chalice(app_name="clock")
    seen: list[Any] = []

    @app.schedule("rate(1 minute)")
    def sweep(event: Any) -> None:
        seen.append((event.source, event.detail_type, event.region))

    sweep(make_scheduled_event("waybill-api-sweep", "us-east-1"), None)
    assert seen == [("aws.events", "Scheduled Event", "us-east-1")]
