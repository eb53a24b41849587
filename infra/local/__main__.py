"""`python -m infra.local`: the whole of Waybill on this machine, at one port.

The engine, tables and queue, the gateway (REST, WebSocket, @connections), the queue's poller and
the schedule. Ends on SIGTERM or Ctrl-C and takes the engine with it. `--owned`: ends with standard
input too, so that no test leaves one behind.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from chalice.app import Chalice

from chalicelib import wiring
from chalicelib.edge.app_services import Services
from chalicelib.edge.logs import JsonFormatter
from chalicelib.settings import BadSetting, Settings
from chalicelib.store.database import bind_tables
from infra.gateway import AppLoadError, Gateway, GatewayConfig, PortError, bind, load_app
from infra.local.banner import format_banner
from infra.local.due_times import DueTimes, NotingQueue, NotingWebhookQueue
from infra.local.engine import EngineError, Ministack, is_healthy
from infra.local.engine_boot import stop_with_owner
from infra.local.exposition import Exposition
from infra.local.metrics_route import add_metrics_route
from infra.local.options import LocalOptions, export_environment
from infra.local.poller import WAKEUPS, WEBHOOKS, EventSource, Poller
from infra.local.schedule import SweepSchedule
from infra.local.tokens import find_signing_secret, mint_token
from infra.resources.aws_clients import make_client
from infra.resources.gateway_responses import gateway_responses
from infra.resources.stage import API_STAGE, REST_FOLDERS
from infra.resources.tables import TablesDiffer, create_all
from infra.resources.websocket_paths import PATHS

CANT_START = (BadSetting, EngineError, PortError, AppLoadError, TablesDiffer, TimeoutError)
REFUSED = (BotoCoreError, ClientError)
EDGE_IDLE_S = 600.0  # as CloudFront has it: what is cut there is cut here
LONG_POLL_S = 1  # short, so that stopping is; an idle run costs one call a second
MOTO_PAUSE_S = 0.2  # moto only hears of late redeliveries this way; the rest is noted as it is sent

_SETTINGS_HELP = """\
Settings are read from the environment, among them:
  PORT         where it listens (8000)
  ENGINE       ministack, or moto: in memory, in this process
  ENGINE_PORT  where ministack listens (4566)
  ENDPOINT     an engine that runs already, as http://127.0.0.1:4566
  STATE_DIR    what is kept between runs (.local)
  JWT_SECRET   what signs tokens (the checkout's own)
All others are in docs/settings.md.
"""

Build = Callable[[Settings, DueTimes, DueTimes], Services]
"""Makes the application, whose queues are to note there when wakeups and webhooks fall due."""


def build_waybill(settings: Settings, due_times: DueTimes, webhooks_due: DueTimes) -> Services:
    """Make the application as it is, less for its queues."""
    database = bind_tables(settings.table_prefix, settings.aws_region, settings.aws_endpoint)
    queue = NotingQueue(wiring.build_wakeup_queue(database.session, settings), due_times)
    webhooks = NotingWebhookQueue(
        wiring.build_webhook_queue(database.session, settings), webhooks_due
    )
    return wiring.build(settings, database=database, queue=queue, webhook_queue=webhooks)


def main(build: Build = build_waybill) -> int:
    """Run until stopped; return the exit code: 0 after a clean stop, 1 if it can't start."""
    given = _parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until the loop takes over
    if given.owned:
        stop_with_owner()
    _configure_logging()
    try:
        with ExitStack() as stack:
            _run_loop(LocalStack(LocalOptions.from_env(os.environ), stack, build).run())
    except CANT_START as error:
        print(f"waybill: {error}", file=sys.stderr)
        return 1
    except REFUSED as error:
        print(f"waybill: the engine refused what it was asked: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    return 0


def _parse_arguments() -> argparse.Namespace:
    """Read the command line. Ends the process where it says what there is not."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.local",
        description="Run the whole of Waybill on this machine, until Ctrl-C.",
        epilog=_SETTINGS_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--owned", action="store_true", help="end with standard input, too")
    return parser.parse_args()


class LocalStack:
    """Everything that runs. What must end after the loop is pushed on `stack`."""

    def __init__(self, options: LocalOptions, stack: ExitStack, build: Build) -> None:
        self._began_at = time.monotonic()
        self._options = options
        own = f"http://127.0.0.1:{options.engine_port}" if options.engine == "ministack" else None
        self._endpoint = options.endpoint or own
        options.make_state_dir()
        secret = find_signing_secret(options, os.environ)
        self._given = dict(os.environ)
        export_environment(options, self._endpoint, secret, os.environ)
        settings = self._settings = Settings.from_env()
        bound = stack.enter_context(_bind_port(options))
        self._start_engine(stack)
        queue_url = self._create_resources()
        due_times, webhooks_due = DueTimes(), DueTimes()
        services = build(settings, due_times, webhooks_due)
        wiring.use(services)
        exposition = Exposition()
        services.recorder.add_observer(exposition.add_sample)
        app = load_app(f"{options.app_module}:app")
        add_metrics_route(app, exposition)
        self._gateway = self._make_gateway(app, bound)
        webhook_queue_url = f"{queue_url.rpartition('/')[0]}/{settings.webhook_queue_name}"
        self._pollers = (
            self._make_poller(app, WAKEUPS, queue_url, due_times),
            self._make_poller(app, WEBHOOKS, webhook_queue_url, webhooks_due),
        )
        self._schedule = SweepSchedule(_find_handler(options, app, "sweep"), region=options.region)

    async def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C."""
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        await self._gateway.start()
        for poller in self._pollers:
            poller.start()
        self._schedule.start()
        took_s = time.monotonic() - self._began_at
        banner = format_banner(
            self._options, self._endpoint, took_s, self._given, self._mint_admin_token()
        )
        print(banner, flush=True)
        await stopped.wait()
        self._schedule.stop()
        stopping = [asyncio.to_thread(poller.stop) for poller in self._pollers]
        await asyncio.gather(self._gateway.stop(), *stopping)

    def _mint_admin_token(self) -> str:
        """Sign the token that signs in to the console; "" where tokens are another issuer's."""
        settings = self._settings
        if settings.jwt_jwks_url:
            return ""
        return mint_token(
            settings.jwt_secret,
            "admin",
            "ada",
            name="Ada",
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
        )

    def _create_resources(self) -> str:
        """Create the tables, the queues and the bucket that are not there; return the URL of the
        queue of wakeups."""
        settings = self._settings
        return create_all(
            settings.table_prefix,
            settings.queue_name,
            self._endpoint,
            self._options.region,
            webhook_queue_name=settings.webhook_queue_name,
            proof_bucket=settings.proof_bucket,
            origins=settings.cors_origins,
        )

    def _make_gateway(self, app: Chalice, bound: socket.socket) -> Gateway:
        config = GatewayConfig(
            port=self._options.port,
            stage=API_STAGE,
            rest_folders=REST_FOLDERS,
            rest_root=True,
            edge_idle_s=EDGE_IDLE_S,
        )
        return Gateway(app, config, paths=PATHS, gateway_responses=gateway_responses(), bound=bound)

    def _make_poller(
        self, app: Chalice, source: EventSource, queue_url: str, due_times: DueTimes
    ) -> Poller:
        region = self._options.region
        return Poller(
            make_client("sqs", self._endpoint, region, wait_s=LONG_POLL_S),
            queue_url,
            _find_handler(self._options, app, source.function),
            due_times,
            source,
            # A long poll at moto would hold its one lock, and with it every other call.
            wait_s=LONG_POLL_S if self._endpoint else 0,
            pause_s=0 if self._endpoint else MOTO_PAUSE_S,
            region=region,
        )

    def _start_engine(self, stack: ExitStack) -> None:
        options = self._options
        if self._endpoint is None:
            from infra.local import moto_engine  # half a second, and only this engine needs it

            moto_engine.start_moto()
        elif options.endpoint is None:
            stack.enter_context(Ministack(options.engine_port, options.state_dir / "engine"))
        elif not is_healthy(options.endpoint):
            raise EngineError(
                f"Nothing answers at {options.endpoint} (ENDPOINT): start it, or unset ENDPOINT "
                "and LOCALSTACK_HOST to use the engine that comes with Waybill."
            )


def _bind_port(options: LocalOptions) -> socket.socket:
    try:
        return bind(GatewayConfig(port=options.port, stage=API_STAGE))
    except PortError as error:
        raise PortError(
            f"Port {options.port} (PORT) is in use: stop what uses it, or set PORT to a free one."
        ) from error


def _find_handler(options: LocalOptions, app: Chalice, name: str) -> Any:
    handler = app.handler_map.get(name)
    if handler is None:
        raise AppLoadError(f"{options.app_module}.py has no handler {name!r}; APP_MODULE names it.")
    return handler


def _configure_logging() -> None:
    """Log JSON to standard output, as a stage does; of what the gateway was asked, time and text.

    Chalice leaves its app's logger alone if that writes there.
    """
    logging.basicConfig(level=logging.WARNING, handlers=[_log_to_stdout(JsonFormatter())])
    text = logging.Formatter("%(asctime)s %(message)s")
    for name, form in (("waybill", JsonFormatter()), ("waybill.gateway.access", text)):
        ours = logging.getLogger(name)
        ours.setLevel(logging.INFO)
        ours.addHandler(_log_to_stdout(form))
        ours.propagate = False


def _log_to_stdout(form: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(form)
    return handler


def _run_loop(serving: Coroutine[Any, Any, None]) -> None:
    try:
        import uvloop
    except ImportError:  # it has no Windows build
        asyncio.run(serving)
    else:
        uvloop.run(serving)


if __name__ == "__main__":
    sys.exit(main())
