"""Lead each request to the WebSocket API, the @connections API or the REST API."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial

from infra.gateway import upgrade
from infra.gateway.config import GatewayConfig
from infra.gateway.events import Peer
from infra.gateway.frames import INTERNAL_SERVER_ERROR, error_frame
from infra.gateway.http_connection import Exchange
from infra.gateway.http_messages import (
    HeaderError,
    HttpRequest,
    HttpResponse,
    check_headers,
    json_response,
)
from infra.gateway.identifiers import new_id
from infra.gateway.invocation import Invoker, Outcome
from infra.gateway.lambda_result import Handshake
from infra.gateway.limits import ConnectRate
from infra.gateway.management import ManagementApi
from infra.gateway.paths import PathRule, rewrite_path, stage_rules
from infra.gateway.responses import GatewayResponses
from infra.gateway.rest import RestApi
from infra.gateway.sessions import Sessions

log = logging.getLogger("waybill.gateway")

# A path may hold a token in a place that no rule knows.
UNKNOWN_PATH = "(unknown path)"


class Router:
    """The gateway's three APIs behind one port. Runs on the event loop only."""

    def __init__(
        self,
        config: GatewayConfig,
        sessions: Sessions,
        management: ManagementApi,
        rest: RestApi,
        responses: GatewayResponses,
        invoker: Invoker,
        rules: Sequence[PathRule],
        clock: Callable[[], float],
        domain_name: str,
    ) -> None:
        self._config = config
        self._sessions = sessions
        self._management = management
        self._rest = rest
        self._responses = responses
        self._invoker = invoker
        self._rules = stage_rules(config.stage, rules)
        self._clock = clock
        self._domain_name = domain_name
        self._stage_path = f"/{config.stage}"
        rate = config.connect_rate
        self._connect_rate = None if rate is None else ConnectRate(rate, clock())

    def handle(self, request: HttpRequest, exchange: Exchange) -> None:
        """Answer a request through its exchange, now or when its handler is done."""
        if upgrade.wants_websocket(request):
            self._open_websocket(request, exchange)
            return
        is_root = self._config.rest_root and request.path == "/"
        if is_root or self._is_in_rest_folder(request.path):
            request.target = self._stage_path + request.target
        path = request.path
        connection_id = self._management.parse_connection_id(path)
        if connection_id is not None:
            request.label = self._management.label
            exchange.respond(self._management.handle(request, connection_id))
        else:
            self._call_route(request, path, exchange)

    def _call_route(self, request: HttpRequest, path: str, exchange: Exchange) -> None:
        route = None
        if path == self._stage_path or path.startswith(self._stage_path + "/"):
            route = self._rest.match_route(request.method, path[len(self._stage_path) :] or "/")
        # A greedy route would take the literal WebSocket paths too; the edge leads them elsewhere.
        if route is None or (route.is_greedy and rewrite_path(self._rules, path, {})):
            exchange.respond(self._no_route(request, path))
            return
        if route.is_greedy or self._is_in_rest_folder(route.pattern):
            request.label = self._stage_path + route.pattern

        def respond(outcome: Outcome) -> None:
            exchange.respond(self._rest_response(outcome))

        name = f"{request.method} {route.pattern}"
        self._invoker.invoke(name, partial(self._rest.handle, request, route), respond)

    def _is_in_rest_folder(self, path: str) -> bool:
        return path.split("/")[1:2] in ([folder] for folder in self._config.rest_folders)

    def _rest_response(self, outcome: Outcome) -> HttpResponse:
        if outcome.timed_out:
            return self._responses.make_response("INTEGRATION_TIMEOUT")
        if isinstance(outcome.value, HttpResponse):
            return outcome.value
        return self._responses.make_response("INTEGRATION_FAILURE")

    def _no_route(self, request: HttpRequest, path: str) -> HttpResponse:
        rewritten = rewrite_path(self._rules, path, request.query)
        if rewritten is None:
            return self._refuse_unknown(request)
        request.label = rewritten.pattern
        answer = rewritten.refusal or rewritten.otherwise
        return _edge_response(answer) if answer else upgrade.UPGRADE_REQUIRED

    def _refuse_unknown(self, request: HttpRequest) -> HttpResponse:
        """Refuse what no route serves; API Gateway takes `Authorization` for a signature then."""
        request.label = UNKNOWN_PATH
        if not request.find_header("authorization"):
            return self._responses.make_response("MISSING_AUTHENTICATION_TOKEN")
        return self._responses.make_response("INVALID_SIGNATURE")

    def _open_websocket(self, request: HttpRequest, exchange: Exchange) -> None:
        rewritten = rewrite_path(self._rules, request.path, request.query)
        request.label = UNKNOWN_PATH if rewritten is None else rewritten.pattern
        if len(request.target) > self._config.url_limit:
            exchange.respond(json_response(414, '{"message":"Request URI Too Long"}'))
        elif rewritten is None or not self._sessions.are_served:
            exchange.respond(json_response(403, '{"message":"Forbidden"}'))
        elif rewritten.refusal is not None:
            exchange.respond(_edge_response(rewritten.refusal))
        elif (fault := upgrade.find_fault(request)) is not None:
            exchange.respond(fault)
        elif not self._take_connect_token():
            exchange.respond(json_response(429, '{"message":"Too Many Requests"}'))
        else:
            peer = self._make_peer(request)
            on_decision = partial(self._on_decision, request, exchange, peer)
            self._sessions.run_connect(peer, request.headers, rewritten.query, on_decision)

    def _on_decision(
        self, request: HttpRequest, exchange: Exchange, peer: Peer, answer: Handshake
    ) -> None:
        # `$connect` may have taken seconds, and the client may be gone.
        if exchange.is_abandoned:
            if answer.is_accepted:
                self._sessions.disconnect_unopened(peer)
        elif not answer.is_accepted:
            exchange.respond(_refusal_response(answer, peer))
        elif not _is_safe(answer.subprotocol):
            log.error("$connect returned an unsafe Sec-WebSocket-Protocol")
            exchange.respond(_refusal_response(Handshake(502, message=INTERNAL_SERVER_ERROR), peer))
        else:
            head = upgrade.format_handshake(request, answer.subprotocol)
            exchange.upgrade(head, lambda transport: self._sessions.open_socket(transport, peer))

    def _take_connect_token(self) -> bool:
        return self._connect_rate is None or self._connect_rate.take_token(self._clock())

    def _make_peer(self, request: HttpRequest) -> Peer:
        return Peer(
            connection_id=new_id(),
            connected_at_ms=int(self._clock() * 1000),
            source_ip=request.source_ip,
            user_agent=request.find_header("user-agent"),
            domain_name=self._domain_name,
            stage=self._config.stage,
            api_id=self._config.api_id,
        )


def _edge_response(answer: tuple[int, str]) -> HttpResponse:
    """Word what the rewriting function answers itself, for pages of any origin to read."""
    return json_response(*answer, [("Access-Control-Allow-Origin", "*")])


def _refusal_response(answer: Handshake, peer: Peer) -> HttpResponse:
    """Word a refused upgrade: a handler's own body and headers never reach the client."""
    if answer.message is None:
        return HttpResponse(answer.status)
    return json_response(answer.status, error_frame(answer.message, peer.connection_id, new_id()))


def _is_safe(subprotocol: str | None) -> bool:
    try:
        check_headers([("Sec-WebSocket-Protocol", subprotocol or "")])
    except HeaderError:
        return False
    return subprotocol is None or subprotocol.isascii()
