"""One dashboard: how orders go, and how the stage keeps up with them."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.domain import measures
from chalicelib.domain.measures import Metric
from chalicelib.edge.aws.emf import NAMESPACE, STAGE
from infra.resources.stage import API_STAGE
from infra.template.functions import HANDLERS
from infra.template.intrinsics import Value, sub

_WIDTH, _HEIGHT, _COLUMNS = 8, 6, 3
_STAGE = "waybill-${Stage}"

Line = list[Any]
"""A metric as a widget names it: namespace, name, dimensions in turns; or an expression."""


def make_resources() -> Value:
    """Return the dashboard. It reads metrics that are there anyway, and costs the same whoever
    looks."""
    return {
        "Dashboard": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {
                "DashboardName": sub(_STAGE),
                "DashboardBody": sub(json.dumps({"widgets": _make_widgets()})),
            },
        }
    }


def _make_widgets() -> list[Value]:
    widgets = [
        _graph("Orders", "Sum", *map(_own, (measures.ORDERS, measures.ENDS, measures.UNSERVED))),
        _graph("First offer, ms", "p50", *_percentiles(measures.FIRST_OFFER)),
        _graph("Assigned, ms", "p50", *_percentiles(measures.ASSIGN)),
        _graph(
            "Offers",
            "Sum",
            *map(_own, (measures.OFFERS, measures.ACCEPTED, measures.DECLINED, measures.IGNORED)),
        ),
        _graph("Unserved, %", "Sum", *_share(measures.UNSERVED, measures.ENDS)),
        _graph(
            "Waits, s",
            "p50",
            *_percentiles(measures.PICKUP_WAIT),
            *_percentiles(measures.DOOR_WAIT),
        ),
        _graph("Orders by zone", "Sum", *_by_zone(measures.ORDERS)),
        _graph("Unserved by zone", "Sum", *_by_zone(measures.UNSERVED)),
        _graph("Wakeup and relay lag, ms", "p95", *map(_own, _LAGS)),
        _graph("Webhook lag, ms", "p50", *_percentiles(measures.WEBHOOK_LAG)),
        _graph("Failures", "Sum", _own(measures.POST_FAILURES), *_chart_failed_messages()),
        _graph("Queues: age, s", "Maximum", *_of_queues("ApproximateAgeOfOldestMessage")),
        _graph("Dead letters", "Maximum", *_of_dead_letters()),
        _graph("REST", "Sum", *_of_rest("Count", "4XXError", "5XXError")),
        _graph("Functions: errors, throttles", "Sum", *_of_functions("Errors", "Throttles")),
        _graph("Functions: ms", "p95", *_of_functions("Duration")),
    ]
    return [_place(n, widget) for n, widget in enumerate(widgets)]


_LAGS = (measures.WAKEUP_LAG, measures.RELAY_LAG)


def _graph(title: str, statistic: str, *metrics: Line) -> Value:
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": "${AWS::Region}",
            "stat": statistic,
            "period": 300,
            "metrics": list(metrics),
        },
    }


def _place(n: int, widget: Value) -> Value:
    x, y = n % _COLUMNS * _WIDTH, n // _COLUMNS * _HEIGHT
    return {"x": x, "y": y, "width": _WIDTH, "height": _HEIGHT, **widget}


def _own(metric: Metric) -> Line:
    return [NAMESPACE, metric.name, STAGE, _STAGE]


def _percentiles(metric: Metric) -> list[Line]:
    return [
        [*_own(metric), {"stat": stat, "label": f"{metric.name} {stat}"}] for stat in ("p50", "p95")
    ]


def _share(part: Metric, whole: Metric) -> list[Line]:
    return [
        [*_own(part), {"id": "part", "visible": False}],
        [*_own(whole), {"id": "whole", "visible": False}],
        [{"expression": "100 * part / whole", "label": "%"}],
    ]


def _by_zone(metric: Metric) -> list[Line]:
    """Return one line for each flow and zone that there is."""
    schema = f"{{{NAMESPACE},{STAGE},flow,zone}}"
    found = f'{schema} {STAGE}="{_STAGE}" MetricName="{metric.name}"'
    return [[{"expression": f"SEARCH('{found}', 'Sum', 300)"}]]


def _chart_failed_messages() -> list[Line]:
    name = measures.FAILED_MESSAGES.name
    return [
        [NAMESPACE, name, STAGE, _STAGE, "function", function]
        for function in ("wake", "send_webhooks")
    ]


def _of_queues(metric: str) -> list[Line]:
    return [
        ["AWS/SQS", metric, "QueueName", f"${{{queue}.QueueName}}"]
        for queue in ("WakeupQueue", "WebhookQueue")
    ]


def _of_dead_letters() -> list[Line]:
    metric = "ApproximateNumberOfMessagesVisible"
    return [
        ["AWS/SQS", metric, "QueueName", f"${{{queue}.QueueName}}"]
        for queue in ("WakeupDeadLetters", "WebhookDeadLetters")
    ]


def _of_rest(*metrics: str) -> list[Line]:
    of = ["ApiName", "waybill-${Stage}-rest", "Stage", API_STAGE]
    return [["AWS/ApiGateway", metric, *of] for metric in metrics]


def _of_functions(*metrics: str) -> list[Line]:
    return [
        ["AWS/Lambda", metric, "FunctionName", f"${{{function.logical_id}}}"]
        for metric in metrics
        for function in HANDLERS
    ]
