"""Alarms: each one means that somebody should look."""

from __future__ import annotations

from infra.options import STAGE
from infra.template.functions import HANDLERS
from infra.template.intrinsics import Value, att, named, ref, when

WAKEUPS_LATE_S = 120


def resources() -> Value:
    """Every alarm, by its logical id."""
    dead = {"QueueName": att("WakeupDeadLetters", "QueueName")}
    queue = {"QueueName": att("WakeupQueue", "QueueName")}
    rest = {"ApiName": named("rest"), "Stage": STAGE}
    socket = {"ApiId": ref("WebsocketAPI"), "Stage": STAGE}
    visible = "ApproximateNumberOfMessagesVisible"
    oldest = "ApproximateAgeOfOldestMessage"
    found = {
        "DeadLettersAlarm": _alarm("AWS/SQS", visible, dead, "Maximum", 0, 1),
        "LateWakeupsAlarm": _alarm("AWS/SQS", oldest, queue, "Maximum", WAKEUPS_LATE_S, 3),
        "RestErrorsAlarm": _alarm("AWS/ApiGateway", "5XXError", rest, "Sum", 5, 3),
        "SocketErrorsAlarm": _alarm("AWS/ApiGateway", "IntegrationError", socket, "Sum", 5, 3),
    }
    for function in HANDLERS:
        of = {"FunctionName": ref(function.logical_id)}
        for metric in ("Errors", "Throttles"):
            found[f"{function.logical_id}{metric}Alarm"] = _alarm(
                "AWS/Lambda", metric, of, "Sum", 0, 2
            )
    return found


def _alarm(
    namespace: str, metric: str, of: Value, statistic: str, above: int, minutes: int
) -> Value:
    """`metric` stands above a threshold for some minutes in a row."""
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [{"Name": name, "Value": value} for name, value in of.items()],
            "Statistic": statistic,
            "Period": 60,
            "EvaluationPeriods": minutes,
            "Threshold": above,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [when("HasAlarmTopic", ref("AlarmTopicArn"))],
        },
    }
