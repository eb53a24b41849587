"""Load a Chalice app by name, make it safe under threads, and find its WebSocket handlers."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from chalice.app import Chalice
from chalice.deploy.validate import ExperimentalFeatureError, validate_feature_flags
from chalice.local import LocalChalice

from infra.gateway.config import GatewayConfig
from infra.gateway.events import Event
from infra.gateway.invocation import LambdaContext

ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"

Handler = Callable[[Event, LambdaContext], Any]


class AppLoadError(Exception):
    """Raised when `MODULE:APP` does not lead to a Chalice app; the text says what to do."""


def load_app(target: str) -> Chalice:
    """Import `module:attribute` from the current folder first and return the Chalice app.

    Raises AppLoadError. An error inside the app's own module is passed on as it is.
    """
    module_name, colon, attribute = target.partition(":")
    if not (module_name and colon and attribute):
        raise AppLoadError(f"{target!r} is not MODULE:APP; name both, such as app:app")
    app = getattr(_import_module(module_name), attribute, None)
    if app is None:
        raise AppLoadError(f"module {module_name!r} has no attribute {attribute!r}")
    if not isinstance(app, Chalice):
        raise AppLoadError(
            f"{target} is a {type(app).__name__}, not a Chalice app; name the Chalice() object"
        )
    try:
        validate_feature_flags(app)
    except ExperimentalFeatureError as error:
        raise AppLoadError(str(error).strip()) from error
    return app


def _import_module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if sys.path[:1] != [here]:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Some other module that this one imports is missing: that is the app's own error.
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise
        raise AppLoadError(
            f"no module {name!r} in {here}; run this from the folder that holds it"
        ) from error


def export_endpoint(host: str, port: int, stage: str) -> str:
    """Point this process's AWS SDKs at the gateway's @connections; return the endpoint.

    Call it before the app is imported: a client reads the variable when it is made.
    """
    endpoint = f"http://{format_authority(host, port)}/{stage}"
    os.environ[ENDPOINT_VARIABLE] = endpoint
    return endpoint


def make_thread_safe(app: Chalice) -> None:
    """Give an app per-thread `current_request` and `lambda_context`.

    Without it, concurrent requests read each other's. Calling it twice changes nothing.
    """
    if not isinstance(app, _PerThreadState):
        # Chalice keeps the request that is being served in two attributes of the app, and each
        # handler holds on to that very object. Only its class can make properties of them, so the
        # app gets a subclass of its own class. `chalice local` does the same (chalice.local).
        own = app.__class__
        app.__class__ = type(own.__name__, (_PerThreadState, own), {})
    # Chalice builds its middleware chain on the first call from a generator, which two threads
    # can't share: one would see no middleware.
    for handler in app.handler_map.values():
        if hasattr(handler, "middleware_handlers"):
            handler.middleware_handlers = list(handler.middleware_handlers)


class WebSocketHandlers:
    """The app's `$connect`, `$default` and `$disconnect` handlers, as Lambda would find them."""

    def __init__(self, app: Chalice, config: GatewayConfig, domain_name: str) -> None:
        self._config = config
        self._functions = {
            route: (entry.name, app.handler_map[entry.name])
            for route, entry in app.websocket_handlers.items()
        }
        self._prefix = f"{app.app_name}-{config.stage}"
        # Chalice pins an amazonaws.com endpoint on the first event; be first.
        if app.websocket_api._endpoint is None:
            app.websocket_api._WEBSOCKET_ENDPOINT_TEMPLATE = "http://{domain_name}/{stage}"
            app.websocket_api.configure(domain_name, config.stage)

    def __len__(self) -> int:
        return len(self._functions)

    def __contains__(self, route: str) -> bool:
        return route in self._functions

    def call_handler(self, route: str, event: Event) -> Any:
        """Invoke a route's handler through Chalice's own wrapper; blocks until it returns."""
        name, handler = self._functions[route]
        context = LambdaContext(
            f"{self._prefix}-{name}", self._config.lambda_memory_mb, self._config.lambda_timeout_s
        )
        return handler(event, context)


def format_authority(host: str, port: int) -> str:
    """Return host and port as a URL writes them."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _PerThreadState(LocalChalice):
    """Chalice's own class for `current_request`, and the same for `lambda_context`."""

    _CONTEXT = threading.local()

    @property
    def lambda_context(self) -> Any:
        return getattr(self._CONTEXT, "value", None)

    @lambda_context.setter
    def lambda_context(self, value: Any) -> None:
        self._CONTEXT.value = value
