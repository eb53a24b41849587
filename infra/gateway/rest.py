"""The REST API: Chalice's LocalGateway behind API Gateway's events, limits and wording."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable, Mapping
from typing import Any

from chalice.app import Chalice
from chalice.local import LocalGateway, LocalGatewayException

from infra.gateway.authorizer import Authorizer, AuthorizerError
from infra.gateway.config import GatewayConfig
from infra.gateway.events import Event
from infra.gateway.http_messages import HeaderError, HttpRequest, HttpResponse, check_headers
from infra.gateway.invocation import LambdaContext
from infra.gateway.responses import GatewayResponses
from infra.gateway.rest_events import rest_event
from infra.gateway.routes import Match, RouteTable

log = logging.getLogger("waybill.gateway")

# What Chalice's local authorizer raises, by status.
_AUTH_RESPONSES = {401: "UNAUTHORIZED", 403: "ACCESS_DENIED", 500: "AUTHORIZER_FAILURE"}


class RestApi:
    """The app's routes. `match_route` runs anywhere; `handle` blocks and belongs on a thread."""

    def __init__(
        self,
        app: Chalice,
        config: GatewayConfig,
        responses: GatewayResponses,
        clock: Callable[[], float],
        domain_name: str,
    ) -> None:
        self._app = app
        self._config = config
        self._responses = responses
        self._clock = clock
        self._domain_name = domain_name
        self._table = RouteTable({path: _methods_of(views) for path, views in app.routes.items()})
        self._authorizer = Authorizer(app)

    def match_route(self, method: str, path: str) -> Match | None:
        """Return the route for a method and a path after the stage, or None as AWS has it."""
        return self._table.match(method, path)

    def handle(self, request: HttpRequest, route: Match) -> HttpResponse:
        """Run authorizer and view; what raises here becomes a 502 like any failed Lambda."""
        body, is_base64 = self._decode_body(request)
        if body is None and request.body:
            return self._responses.make_response("BAD_REQUEST_BODY")
        event = rest_event(
            request, route, self._config, self._domain_name, self._clock(), body, is_base64
        )
        context = LambdaContext(
            f"{self._app.app_name}-{self._config.stage}",
            self._config.lambda_memory_mb,
            self._config.lambda_timeout_s,
        )
        path = event["path"]
        try:
            gateway = _OneRequest(self._app, self._authorizer, event, context)
            result = gateway.handle_request(request.method, path, event["headers"], request.body)
            return _make_response(result, event["requestContext"])
        except LocalGatewayException as refusal:
            return self._responses.make_response(_AUTH_RESPONSES[refusal.CODE])
        except AuthorizerError:
            log.exception("the authorizer of %s failed", route.pattern)
            return self._responses.make_response("AUTHORIZER_FAILURE")
        except MalformedResultError as error:
            log.error("%s returned what API Gateway can't send: %s", route.pattern, error)
            return self._responses.make_response("INTEGRATION_FAILURE")

    def _decode_body(self, request: HttpRequest) -> tuple[str | None, bool]:
        if not request.body:
            return None, False
        media_type = (request.find_header("content-type") or "").partition(";")[0].strip().lower()
        binary_types = self._app.api.binary_types
        if media_type in binary_types or "*/*" in binary_types:
            return base64.b64encode(request.body).decode("ascii"), True
        # A compressed body is no text, but the app can read in the headers what it is.
        errors = "replace" if request.find_header("content-encoding") else "strict"
        try:
            return request.body.decode(errors=errors), False
        except UnicodeDecodeError:
            return None, False


def _methods_of(views: Mapping[str, Any]) -> set[str]:
    """Return a path's methods; API Gateway answers preflights where a view has CORS."""
    preflight = {"OPTIONS"} if any(view.cors is not None for view in views.values()) else set()
    return {*views, *preflight}


class MalformedResultError(Exception):
    """Raised for a Lambda result that is not a proxy response."""


def _make_response(result: Any, context: Event) -> HttpResponse:
    status = result.get("statusCode") if isinstance(result, dict) else None
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        raise MalformedResultError(f"status code {status!r}")
    headers = _result_headers(result)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    headers.append(("x-amzn-RequestId", context["requestId"]))
    headers.append(("x-amz-apigw-id", context["extendedRequestId"]))
    try:
        check_headers(headers)
    except HeaderError as error:
        raise MalformedResultError(str(error)) from error
    return HttpResponse(status, _result_body(result), tuple(headers))


def _result_headers(result: dict[str, Any]) -> list[tuple[str, str]]:
    multiple = result.get("multiValueHeaders") or {}
    single = result.get("headers") or {}
    headers = [(name, str(value)) for name, value in single.items() if name not in multiple]
    headers += [(name, str(value)) for name, values in multiple.items() for value in values]
    return headers


def _result_body(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResultError(f"a body of type {type(body).__name__}; Lambda returns text")
    if not result.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise MalformedResultError(f"a body that is not base64: {error}") from error


class _OneRequest(LocalGateway):
    """LocalGateway for one request: authorizes, answers preflights, calls the app.

    It would build the event and the context itself, in Chalice's own shape: it gets ours instead.
    """

    def __init__(
        self, app: Chalice, authorizer: Authorizer, event: Event, context: LambdaContext
    ) -> None:
        self._app_object = app
        self._authorizer = authorizer
        self._event = event
        self._context = context

    def _generate_lambda_event(self, *_: Any, **__: Any) -> Event:
        return self._event

    def _generate_lambda_context(self) -> Any:
        return self._context
