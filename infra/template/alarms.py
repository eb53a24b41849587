"""Alarms: each one means that somebody should look. docs/deploy.md says what to do at each."""

from __future__ import annotations

from chalicelib.domain import measures
from chalicelib.edge.aws.emf import STAGE
from chalicelib.edge.aws.metrics import FAILING, LATENESS, NAMESPACE, QUEUE
from chalicelib.store.tables import MODELS, get_short_name
from infra.resources.stage import API_STAGE
from infra.template.functions import API, HANDLERS, MESSAGE, SEND, SWEEP, WAKE
from infra.template.intrinsics import Value, att, ref, stage_name, sub, when
from infra.template.queues import QUEUE_NAME, WEBHOOK_QUEUE_NAME

WAKEUPS_LATE_S = 120
FAILING_S = 3600  # two attempts of an event fail in that time, or more
LONGEST_DELAY_S = 900
QUEUE_AGE_S = 300  # beyond the longest delay, which the age may count: LATENESS is exact
RELAY_LATE_MS = 10_000
WAKEUP_LAG_MS = 5_000
WEBHOOK_LAG_MS = 60_000
POST_FAILURES = 50  # a minute
UNSERVED_PERCENT, UNSERVED_LEAST = 20, 5  # of few ends a share says nothing
# A line of the log at ERROR that says that something was set aside, to be looked at by hand.
PARKED = '{ $.level = "ERROR" && $.message = "parked:*" }'
_NAMESPACE = "Waybill/${Stage}"
_PARKING = (API, MESSAGE, WAKE, SEND, SWEEP)  # the functions that may


def make_resources() -> Value:
    """Return every alarm by its logical id, and the filters that count what one waits for."""
    dead = {"QueueName": att("WakeupDeadLetters", "QueueName")}
    dead_webhooks = {"QueueName": att("WebhookDeadLetters", "QueueName")}
    queue = {QUEUE: stage_name(QUEUE_NAME)}
    webhooks = {QUEUE: stage_name(WEBHOOK_QUEUE_NAME)}
    rest = {"ApiName": stage_name("rest"), "Stage": API_STAGE}
    socket = {"ApiId": ref("WebsocketAPI"), "Stage": API_STAGE}
    visible = "ApproximateNumberOfMessagesVisible"
    found = {
        "DeadLettersAlarm": _alarm_on_metric("AWS/SQS", visible, dead, "Maximum", 0, 1),
        "WebhookDeadLettersAlarm": _alarm_on_metric(
            "AWS/SQS", visible, dead_webhooks, "Maximum", 0, 1
        ),
        "QueueAgeAlarm": _alarm_on_metric(
            "AWS/SQS",
            "ApproximateAgeOfOldestMessage",
            {"QueueName": att("WakeupQueue", "QueueName")},
            "Maximum",
            LONGEST_DELAY_S + QUEUE_AGE_S,
            5,
        ),
        "LateWakeupsAlarm": _alarm_on_metric(
            NAMESPACE, LATENESS, queue, "Maximum", WAKEUPS_LATE_S, 3
        ),
        "LateWebhooksAlarm": _alarm_on_metric(
            NAMESPACE, LATENESS, webhooks, "Maximum", WAKEUPS_LATE_S, 3
        ),
        "WebhooksFailingAlarm": _alarm_on_metric(
            NAMESPACE, FAILING, webhooks, "Maximum", FAILING_S, 1
        ),
        "RestErrorsAlarm": _alarm_on_metric("AWS/ApiGateway", "5XXError", rest, "Sum", 5, 3),
        # Not IntegrationError, which counts each handshake that we refuse: an app with an expired
        # token is nobody's alarm.
        "SocketErrorsAlarm": _alarm_on_metric(
            "AWS/ApiGateway", "ExecutionError", socket, "Sum", 5, 3
        ),
        **_alarms_on_measures(),
        "TableThrottlesAlarm": _alarm_on_throttles(),
        "ParkedAlarm": _alarm_on_parked_line(),
    }
    for function in HANDLERS:
        of = {"FunctionName": ref(function.logical_id)}
        for metric in ("Errors", "Throttles"):
            found[f"{function.logical_id}{metric}Alarm"] = _alarm_on_metric(
                "AWS/Lambda", metric, of, "Sum", 0, 2
            )
    return {**found, **_count_parked_lines()}


def _alarms_on_measures() -> Value:
    """Return the alarms on what the application measures by itself."""
    of = {STAGE: stage_name_of_metrics()}
    median = {"ExtendedStatistic": "p50"}  # half of all: one receiver, or one phone, is nobody's
    lags = {
        "WakeupLagAlarm": (measures.WAKEUP_LAG, WAKEUP_LAG_MS),
        "RelayLagAlarm": (measures.RELAY_LAG, RELAY_LATE_MS),
        "WebhookLagAlarm": (measures.WEBHOOK_LAG, WEBHOOK_LAG_MS),
    }
    return {
        **{
            name: make_alarm({**_watch(NAMESPACE, metric.name, of), **median}, above, 5)
            for name, (metric, above) in lags.items()
        },
        "PostFailuresAlarm": _alarm_on_metric(
            NAMESPACE, measures.POST_FAILURES.name, of, "Sum", POST_FAILURES, 3
        ),
        "UnservedAlarm": _alarm_on_unserved(of),
    }


def stage_name_of_metrics() -> Value:
    """Return the stage as the application names it in its metrics: what its tables begin with."""
    return sub("waybill-${Stage}")


def _alarm_on_unserved(of: Value) -> Value:
    """Return an alarm for the share of orders that ended without a courier, in a quarter of an
    hour."""
    found = [
        _sum_of("unserved", measures.UNSERVED.name, of),
        _sum_of("ends", measures.ENDS.name, of),
        {
            "Id": "percent",
            "Expression": f"IF(ends >= {UNSERVED_LEAST}, 100 * unserved / ends, 0)",
            "ReturnData": True,
        },
    ]
    return make_alarm({"Metrics": found}, UNSERVED_PERCENT, 1)


def _sum_of(id_: str, metric: str, of: Value) -> Value:
    found = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": _name_dimensions(of)}
    stat = {"Metric": found, "Period": 900, "Stat": "Sum"}
    return {"Id": id_, "MetricStat": stat, "ReturnData": False}


def _watch(namespace: str, metric: str, of: Value) -> Value:
    """Return what an alarm on one metric watches, less the statistic."""
    return {
        "Namespace": namespace,
        "MetricName": metric,
        "Dimensions": _name_dimensions(of),
        "Period": 60,
    }


def _name_dimensions(of: Value) -> list[Value]:
    return [{"Name": name, "Value": value} for name, value in of.items()]


def _alarm_on_metric(
    namespace: str, metric: str, of: Value, statistic: str, above: int, minutes: int
) -> Value:
    """Return an alarm that rings when `metric` stands above a threshold for minutes in a row."""
    return make_alarm({**_watch(namespace, metric, of), "Statistic": statistic}, above, minutes)


def _alarm_on_throttles() -> Value:
    """Return an alarm for calls to tables that DynamoDB would not serve at once.

    One query instead of an alarm for each table and operation.
    """
    names = (f"TableName = 'waybill-${{Stage}}-{get_short_name(model)}'" for model in MODELS)
    schema = 'SCHEMA("AWS/DynamoDB", Operation, TableName)'
    return _alarm_on_query(
        f"SELECT SUM(ThrottledRequests) FROM {schema} WHERE {' OR '.join(names)}", 3
    )


def _alarm_on_parked_line() -> Value:
    """Return an alarm for one line; the next minute is empty again, so it is heard of once."""
    return _alarm_on_query(f'SELECT SUM(Parked) FROM "{_NAMESPACE}"', 1)


def _alarm_on_query(query: str, minutes: int) -> Value:
    """Return an alarm that rings when a query's result stands above nought for minutes in a row.

    It is charged by the metrics that it finds, and both of ours are there only once something was
    counted.
    """
    metric = {"Id": "found", "Expression": sub(query), "Period": 60, "ReturnData": True}
    return make_alarm({"Metrics": [metric]}, 0, minutes)


def _count_parked_lines() -> Value:
    """Return the filters that count such lines: no line, no metric, no charge."""
    counted = {"MetricNamespace": sub(_NAMESPACE), "MetricName": "Parked", "MetricValue": "1"}
    return {
        f"{function.logical_id}Parked": {
            "Type": "AWS::Logs::MetricFilter",
            "Properties": {
                "LogGroupName": ref(function.log_group),
                "FilterPattern": PARKED,
                "MetricTransformations": [counted],
            },
        }
        for function in _PARKING
    }


def make_alarm(of: Value, above: float, minutes: int) -> Value:
    """Return an alarm over what `of` measures. It also says when all is well again."""
    topic = [when("HasAlarmTopic", ref("AlarmTopicArn"))]
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            **of,
            "EvaluationPeriods": minutes,
            "Threshold": above,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": topic,
            "OKActions": topic,
        },
    }
