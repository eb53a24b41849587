"""What posting one frame to one connection costs the process that posts.

Waybill's own client beside boto3's, over a floor that sends the same bytes each time and signs
nothing. They take turns, against a server that does nothing.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import boto3
from botocore.config import Config
from botocore.session import Session

from chalicelib.edge.aws.connections_api import ConnectionsApi
from infra.bench.report import BenchReport, Row, judge_at_most, median_of_known, ratio
from infra.harness.measured_server import MeasuredServer, ServerUnavailable

GOAL = 0.3
"""Of boto3's CPU, at most."""
ROUNDS = 7
POSTS = 200
THREADS = 16
_WARM_UP = 20
_FLOOR, _OURS, _BOTO3 = "floor: the same bytes, unsigned", "ConnectionsApi.post", "boto3"
_RATIO = "× boto3"

_ID = "BFaT_fALIAMCKug="
_FRAME = (
    '{"event":"order.status","data":{"order_id":"7250982561437696","status":"picked_up",'
    '"occurred_at":"2026-11-21T13:00:00Z"}}'
)
Post = Callable[[], object]


def measure(rounds: int = ROUNDS, posts: int = POSTS) -> BenchReport:
    """Measure the three of them, so many posts a round."""
    report = BenchReport(
        f"Posting: client CPU in µs a post; posts per second from {THREADS} threads"
    )
    sink = MeasuredServer("sink", "/api")
    try:
        sink.start([sys.executable, "-m", "infra.bench.sink"], {"PORT": str(sink.port)})
        report.rows = _measure_ways(sink.port, rounds, posts)
        [ours] = [row[_RATIO] for row in report.rows if row["what"] == _OURS]
        report.notes.append(judge_at_most(f"{_OURS}: {_RATIO}", ours, GOAL))
    except ServerUnavailable as error:
        report.notes.append(f"skipped: {error}")
    finally:
        sink.stop()
    return report


def _measure_ways(port: int, rounds: int, posts: int) -> list[Row]:
    with ExitStack() as stack:
        ways = _make_ways(port, stack)
        threads = stack.enter_context(ThreadPoolExecutor(THREADS))
        cpu_us: dict[str, list[float]] = {name: [] for name in ways}
        per_s: dict[str, list[float]] = {name: [] for name in ways}
        for post in ways.values():
            _repeat(post, _WARM_UP)
        for _ in range(rounds):
            for name, post in ways.items():
                cpu_us[name].append(_measure_cpu_us(post, posts))
                if name != _FLOOR:  # has one connection
                    per_s[name].append(_measure_rate(post, posts, threads))
    base = median_of_known(cpu_us[_BOTO3])
    return [
        {
            "what": name,
            "cpu_us": median_of_known(cpu_us[name]),
            _RATIO: ratio(median_of_known(cpu_us[name]), base),
            "per_s": median_of_known(per_s[name]),
        }
        for name in ways
    ]


def _make_ways(port: int, stack: ExitStack) -> dict[str, Post]:
    endpoint = f"http://127.0.0.1:{port}/api"
    session = Session()
    session.set_credentials("local", "local")
    ours = ConnectionsApi(endpoint, session, "us-east-1")
    theirs: Any = boto3.Session("local", "local", region_name="us-east-1").client(
        "apigatewaymanagementapi",
        endpoint_url=endpoint,
        config=Config(max_pool_connections=THREADS),
    )
    stack.callback(theirs.close)
    bare = stack.enter_context(socket.create_connection(("127.0.0.1", port), 2))
    message = (
        f"POST /api/@connections/x HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"authorization: {'x' * 200}\r\ncontent-length: {len(_FRAME)}\r\n\r\n{_FRAME}"
    ).encode()

    def exchange() -> None:
        bare.sendall(message)
        bare.recv(65536)

    return {
        _FLOOR: exchange,
        _OURS: lambda: ours.post_frame(_ID, _FRAME),
        _BOTO3: lambda: theirs.post_to_connection(ConnectionId=_ID, Data=_FRAME),
    }


def _measure_cpu_us(post: Post, posts: int) -> float:
    began_s = time.process_time()
    _repeat(post, posts)
    return 1e6 * (time.process_time() - began_s) / posts


def _measure_rate(post: Post, posts: int, threads: ThreadPoolExecutor) -> float:
    began_at = time.perf_counter()
    share = posts // THREADS
    list(threads.map(lambda _: _repeat(post, share), range(THREADS)))
    return share * THREADS / (time.perf_counter() - began_at)


def _repeat(post: Post, times: int) -> None:
    for _ in range(times):
        post()
