"""What surrounds each invocation: the trace it belongs to, what its logs say of it, its samples."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from chalice.app import LambdaFunctionEvent, Request, Response, WebsocketEvent

from chalicelib.domain.measures import HANDLER_ERRORS, HANDLER_TIME, Sample
from chalicelib.edge.app_services import ServicesFactory
from chalicelib.edge.recorder import Recorder
from chalicelib.edge.tracing import (
    Invocation,
    Trace,
    begin_trace,
    enter_invocation,
    read_headers,
)

log = logging.getLogger(__name__)


def observe(get_services: ServicesFactory, event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Have an event handled as the work of one invocation, and print its samples in the end. What a
    handler raises is logged here, in one line, and raised on.

    The check of a deployment's settings is none: it must say what is wrong with them, without the
    services that they can't make.
    """
    if isinstance(event, LambdaFunctionEvent):
        return get_response(event)
    recorder = get_services().recorder
    began_s, is_well = time.perf_counter(), False
    with enter_invocation(describe_event(event)):
        try:
            response = get_response(event)
            is_well = not isinstance(response, Response) or response.status_code < 500
        except Exception:
            log.exception("%s failed", find_function(event))
            raise
        finally:
            _record_run(recorder, find_function(event), time.perf_counter() - began_s, is_well)
            recorder.flush()
    return response


def describe_event(event: Any) -> Invocation:
    """Describe the work of an event. Only a request, or a handshake, says in which trace it is."""
    if isinstance(event, Request):
        original = event.to_original_event()
        return Invocation(_join_trace(original), str(event.context.get("requestId", "")))
    if isinstance(event, WebsocketEvent):
        original = event.to_dict()
        request_id = original["requestContext"].get("requestId") or _get_request_id(event)
        return Invocation(_join_trace(original), str(request_id), event.connection_id)
    return Invocation(begin_trace(), _get_request_id(event))


def find_function(event: Any) -> str:
    """Find which function an event is for, by the last part of the name that it is called by."""
    context = getattr(event, "lambda_context", None) or getattr(event, "context", None)
    name = str(getattr(context, "function_name", "")).rpartition("-")[2]
    return "api_handler" if isinstance(event, Request) else name


def _join_trace(event: dict[str, Any]) -> Trace:
    """Return the trace that a request is in: of whoever calls, with a span of its own, or a new
    one where that is not said, or makes no sense."""
    called_in = read_headers(event.get("multiValueHeaders") or {})
    return called_in.begin_span() if called_in else begin_trace()


def _get_request_id(event: Any) -> str:
    return str(getattr(event.context, "aws_request_id", ""))


def _record_run(recorder: Recorder, function: str, took_s: float, is_well: bool) -> None:
    of = {"function": function}
    recorder.record(Sample(HANDLER_TIME, took_s * 1000, of))
    if not is_well:
        recorder.record(Sample(HANDLER_ERRORS, 1, of))
