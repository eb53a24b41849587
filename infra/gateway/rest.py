"""The REST API: Chalice's LocalGateway behind API Gateway's events, limits and wording."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Callable
from typing import Any

from chalice.app import Chalice
from chalice.local import LocalGateway, LocalGatewayAuthorizer, LocalGatewayException

from infra.gateway.config import GatewayConfig
from infra.gateway.events import Event, request_time, trace_id
from infra.gateway.exchange import HeaderError, Request, Response, check_headers
from infra.gateway.identifiers import new_id
from infra.gateway.invocation import LambdaContext
from infra.gateway.responses import GatewayResponses
from infra.gateway.routes import Match, RouteTable

log = logging.getLogger("waybill.gateway")

# What Chalice's local authorizer raises, by status.
_AUTH_RESPONSES = {401: "UNAUTHORIZED", 403: "ACCESS_DENIED", 500: "AUTHORIZER_FAILURE"}


class RestApi:
    """Answers the app's routes. `match` runs anywhere, `handle` blocks and belongs on a thread."""

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
        self._table = RouteTable(app.routes)
        self._authorizer = _Authorizer(app)

    def match(self, method: str, path: str) -> Match | None:
        """Return the route for a method and a path after the stage, or None as AWS has it.

        An OPTIONS request matches a route with CORS: API Gateway answers its preflight.
        """
        found = self._table.match(path)
        if found is None:
            return None
        entries = self._app.routes[found.pattern]
        preflight = method == "OPTIONS" and any(e.cors is not None for e in entries.values())
        return found if method in entries or preflight else None

    def handle(self, request: Request, route: Match) -> Response:
        """Run authorizer and view; what raises here becomes a 502 like any failed Lambda."""
        body, is_base64 = self._body(request)
        if body is None and request.body:
            return self._responses.make("BAD_REQUEST_BODY")
        event = self._event(request, route, body, is_base64)
        context = LambdaContext(
            f"{self._app.app_name}-{self._config.stage}",
            self._config.lambda_memory_mb,
            self._config.lambda_timeout_s,
        )
        path = event["path"]
        try:
            gateway = _Invocation(self._app, self._authorizer, event, context)
            result = gateway.handle_request(request.method, path, event["headers"], request.body)
            return _response(result)
        except LocalGatewayException as refusal:
            return self._responses.make(_AUTH_RESPONSES[refusal.CODE])
        except _AuthorizerError:
            log.exception("the authorizer of %s raised", route.pattern)
            return self._responses.make("AUTHORIZER_FAILURE")
        except MalformedResultError as error:
            log.error("%s returned what API Gateway can't send: %s", route.pattern, error)
            return self._responses.make("INTEGRATION_FAILURE")

    def _body(self, request: Request) -> tuple[str | None, bool]:
        if not request.body:
            return None, False
        media_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
        binary_types = self._app.api.binary_types
        if media_type in binary_types or "*/*" in binary_types:
            return base64.b64encode(request.body).decode("ascii"), True
        try:
            return request.body.decode(), False
        except UnicodeDecodeError:
            return None, False

    def _event(self, request: Request, route: Match, body: str | None, is_base64: bool) -> Event:
        now_s = self._clock()
        headers = self._headers(request, now_s)
        query = request.query
        stage_path = request.path
        request_id = new_id()
        return {
            "resource": route.pattern,
            "path": stage_path[len(self._config.stage) + 1 :] or "/",
            "httpMethod": request.method,
            "headers": {name: values[-1] for name, values in headers.items()},
            "multiValueHeaders": headers,
            "queryStringParameters": {k: v[-1] for k, v in query.items()} or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": route.parameters or None,
            "stageVariables": None,
            "requestContext": {
                "resourcePath": route.pattern,
                "httpMethod": request.method,
                "extendedRequestId": request_id,
                "requestTime": request_time(now_s),
                "path": stage_path,
                "accountId": "123456789012",
                "protocol": f"HTTP/{request.version}",
                "stage": self._config.stage,
                "requestTimeEpoch": int(now_s * 1000),
                "requestId": request_id,
                "identity": {
                    "sourceIp": request.source_ip,
                    "userAgent": headers.get("user-agent", [None])[-1],
                },
                "domainName": self._domain_name,
                "apiId": self._config.api_id,
            },
            "body": body,
            "isBase64Encoded": is_base64,
        }

    def _headers(self, request: Request, now_s: float) -> dict[str, list[str]]:
        """Return lower-case names: Chalice's local authorizer reads `authorization`."""
        found: dict[str, list[str]] = {}
        for name, value in request.headers:
            found.setdefault(name.lower(), []).append(value)
        found.setdefault("x-amzn-trace-id", [trace_id(now_s)])
        forwarded = [*found.get("x-forwarded-for", []), request.source_ip]
        found["x-forwarded-for"] = [", ".join(forwarded)]
        found["x-forwarded-port"] = ["443"]
        found["x-forwarded-proto"] = ["https"]
        return found


class MalformedResultError(Exception):
    """Raised for a Lambda result that is not a proxy response."""


def _response(result: Any) -> Response:
    status = result.get("statusCode") if isinstance(result, dict) else None
    if not isinstance(status, int) or isinstance(status, bool) or not 200 <= status <= 599:
        raise MalformedResultError(f"status code {status!r}")
    headers = _result_headers(result)
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    headers.append(("x-amzn-RequestId", new_id()))
    try:
        check_headers(headers)
    except HeaderError as error:
        raise MalformedResultError(str(error)) from error
    return Response(status, _result_body(result), tuple(headers))


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


class _AuthorizerError(Exception):
    """Raised when the app's authorizer fails; AWS answers 500 where a view's failure is 502."""


class _Authorizer(LocalGatewayAuthorizer):
    def authorize(
        self, raw_path: str, lambda_event: Event, lambda_context: Any
    ) -> tuple[Event, Any]:
        try:
            return super().authorize(raw_path, lambda_event, lambda_context)
        except LocalGatewayException:
            raise
        except Exception as error:
            raise _AuthorizerError from error


class _Invocation(LocalGateway):
    """LocalGateway for one request: authorizes, answers preflights, calls the app."""

    def __init__(
        self, app: Chalice, authorizer: _Authorizer, event: Event, context: LambdaContext
    ) -> None:
        self._app_object = app
        self._authorizer = authorizer
        self._event = event
        self._context = context

    def _generate_lambda_event(self, *_: Any, **__: Any) -> Event:
        return self._event

    def _generate_lambda_context(self) -> Any:
        return self._context
