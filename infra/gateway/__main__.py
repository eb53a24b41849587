"""`python -m infra.gateway MODULE:APP`: serve a Chalice app until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

from infra.gateway.affinity import stay_on_one_core
from infra.gateway.application import AppLoadError, export_endpoint, load_app
from infra.gateway.config import GatewayConfig
from infra.gateway.gateway import Gateway, PortError, bind
from infra.gateway.stage import export_stage


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gateway; return the exit code: 0 after a clean stop, 1 if it can't start."""
    options = _make_parser().parse_args(arguments)
    level = logging.WARNING if options.quiet else logging.INFO
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("waybill.gateway").setLevel(level)
    if options.one_core:
        stay_on_one_core()
    try:
        config = _make_config(options)
        bound = bind(config)
        port = bound.getsockname()[1]
        export_stage(config.stage)
        export_endpoint(config.host, port, config.stage)
        app = load_app(options.app)
        gateway = Gateway(app, config, bound=bound)
    except (AppLoadError, PortError, ValueError) as error:
        print(f"infra.gateway: {error}", file=sys.stderr)
        return 1
    _run_loop(_serve_until_stopped(gateway))
    return 0


def _run_loop(serving: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed, about twice as fast."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(serving)
    else:
        uvloop.run(serving)


async def _serve_until_stopped(gateway: Gateway) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    await gateway.start()
    print(f"REST       {gateway.endpoint}/", flush=True)
    print(f"WebSocket  {gateway.websocket_url}", flush=True)
    await stopped.wait()
    await gateway.stop()


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m infra.gateway", description="Serve a Chalice app as API Gateway does."
    )
    parser.add_argument("app", metavar="MODULE:APP", help="the Chalice object, such as app:app")
    parser.add_argument("--quiet", action="store_true", help="no access log")
    parser.add_argument("--one-core", action="store_true", help="faster where handlers mostly wait")
    defaults = GatewayConfig()
    for name in OPTIONS:
        default = getattr(defaults, name)
        flag = "--" + name.replace("_", "-")
        if isinstance(default, bool):
            parser.add_argument(flag, action="store_true")
        else:
            kind = float if default is None else type(default)
            parser.add_argument(flag, type=kind, default=default, help=f"default: {default}")
    return parser


OPTIONS = (
    "host",
    "port",
    "stage",
    "idle_timeout_s",
    "max_duration_s",
    "edge_idle_s",
    "integration_timeout_s",
    "lambda_timeout_s",
    "workers",
    "max_workers",
    "send_buffer_bytes",
    "connect_rate",
    "route_response",
    "ping_counts",
)


def _make_config(options: argparse.Namespace) -> GatewayConfig:
    return GatewayConfig(**{name: getattr(options, name) for name in OPTIONS})


if __name__ == "__main__":
    sys.exit(main())
