"""The template of what can stand in us-east-1 only, wherever the stage is.

CloudFront's metrics, its access logs' deliveries and its web ACLs all live in that region. It is
made by `python -m infra.package.watch`, deployed by hand, and nothing of a stage needs it.
"""

from __future__ import annotations

from infra.template.alarms import make_alarm
from infra.template.intrinsics import Value, att, is_set, ref, stage_name, sub

REGION = "us-east-1"
# Who came, when, to which of the behaviours, and how it went. No path and no query: both may hold a
# token. No header either, as cookies and referrers tell as much.
FIELDS = (
    "date",
    "time",
    "x-edge-location",
    "c-ip",
    "c-country",
    "cs-method",
    "cache-behavior-path-pattern",
    "cs-protocol",
    "sc-status",
    "x-edge-result-type",
    "x-edge-detailed-result-type",
    "x-edge-request-id",
    "time-taken",
    "ssl-protocol",
)
ERRORS_IN_5_MIN = 10


def make_template() -> Value:
    """Return the template: an alarm; if asked for, access logs and a web ACL with a rate rule."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Waybill: what watches a stage's distribution, in us-east-1.",
        "Parameters": _parameters(),
        "Rules": {"InVirginia": {"Assertions": [_in_virginia()]}},
        "Conditions": {
            "HasAlarmTopic": is_set("AlarmTopicArn"),
            "Logs": {"Fn::Equals": [ref("AccessLogs"), "on"]},
            "Limits": {"Fn::Not": [{"Fn::Equals": [ref("RequestsPerAddress"), 0]}]},
        },
        "Resources": {"EdgeErrorsAlarm": _alarm_on_errors(), **_access_logs(), **_web_acl()},
        "Outputs": {
            "WebAclArn": {
                "Condition": "Limits",
                "Description": "Give it to the stage: PARAMETERS=WebAclArn=…",
                "Value": att("WebAcl", "Arn"),
            }
        },
    }


def _parameters() -> Value:
    return {**_stage_parameters(), **_log_parameters(), **_limit_parameters()}


def _stage_parameters() -> Value:
    """Return the stage that is watched, and who hears of it."""
    return {
        "Stage": {"Type": "String", "AllowedPattern": "[a-z][a-z0-9-]{0,19}"},
        "DistributionId": {
            "Type": "String",
            "AllowedPattern": "[A-Z0-9]{10,20}",
            "Description": "The stage's output of that name.",
        },
        "AlarmTopicArn": {
            "Type": "String",
            "Default": "",
            "AllowedPattern": r"(arn:[a-z-]+:sns:us-east-1:\d{12}:.+)?",
            "Description": "An SNS topic in us-east-1 that hears of the alarm.",
        },
    }


def _log_parameters() -> Value:
    return {
        "AccessLogs": {
            "Type": "String",
            "Default": "off",
            "AllowedValues": ["off", "on"],
            "Description": "Whether CloudFront logs who came, without paths and queries.",
        },
        "LogRetentionDays": {
            "Type": "Number",
            "Default": 30,
            "AllowedValues": [1, 3, 7, 14, 30, 60, 90, 180, 365],
        },
    }


def _limit_parameters() -> Value:
    return {
        "RequestsPerAddress": {
            "Type": "Number",
            "Default": 0,
            "MinValue": 0,
            "MaxValue": 2_000_000_000,
            "Description": "Requests of one address in 5 minutes, before 403; 0: no web ACL.",
        },
    }


def _in_virginia() -> Value:
    return {
        "Assert": {"Fn::Equals": [ref("AWS::Region"), REGION]},
        "AssertDescription": f"CloudFront is watched in {REGION} only.",
    }


def _alarm_on_errors() -> Value:
    """Return an alarm for a number of 5xx answers: of few requests, a rate is high at once."""
    metrics = [
        _edge_metric("requests", "Requests", "Sum"),
        _edge_metric("percent", "5xxErrorRate", "Average"),
        {"Id": "errors", "Expression": "requests * percent / 100", "ReturnData": True},
    ]
    return make_alarm({"Metrics": metrics}, ERRORS_IN_5_MIN, 1)


def _edge_metric(id_: str, metric: str, statistic: str) -> Value:
    of = [
        {"Name": "DistributionId", "Value": ref("DistributionId")},
        {"Name": "Region", "Value": "Global"},
    ]
    found = {"Namespace": "AWS/CloudFront", "MetricName": metric, "Dimensions": of}
    stat = {"Metric": found, "Period": 300, "Stat": statistic}
    return {"Id": id_, "MetricStat": stat, "ReturnData": False}


def _access_logs() -> Value:
    """Return CloudFront's standard logging, of chosen fields, into a log group."""
    return {**_access_log_group(), **_access_log_delivery()}


def _access_log_group() -> Value:
    return {
        "AccessLogGroup": {
            "Type": "AWS::Logs::LogGroup",
            "Condition": "Logs",
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": sub("/waybill/${Stage}/edge-access"),
                "RetentionInDays": ref("LogRetentionDays"),
            },
        },
    }


def _access_log_delivery() -> Value:
    """Return the delivery's two ends, and what joins them."""
    distribution = "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/"
    # Not the group's own Arn, which ends in ":*" and means its streams.
    group = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"
    name = stage_name("edge-access")
    source = {
        "Name": name,
        "LogType": "ACCESS_LOGS",
        "ResourceArn": sub(distribution + "${DistributionId}"),
    }
    destination = {
        "Name": name,
        "OutputFormat": "json",
        "DestinationResourceArn": sub(group + "${AccessLogGroup}"),
    }
    delivery = {
        "DeliverySourceName": name,
        "DeliveryDestinationArn": att("AccessLogDestination", "Arn"),
        "RecordFields": list(FIELDS),
    }
    return {
        "AccessLogSource": _log_resource("DeliverySource", source),
        "AccessLogDestination": _log_resource("DeliveryDestination", destination),
        "AccessLogDelivery": {
            **_log_resource("Delivery", delivery),
            # The delivery names its source, which CloudFormation takes for no reference.
            "DependsOn": "AccessLogSource",
        },
    }


def _log_resource(kind: str, properties: Value) -> Value:
    return {"Type": f"AWS::Logs::{kind}", "Condition": "Logs", "Properties": properties}


def _web_acl() -> Value:
    """Refuse an address that asks more than anybody needs; nothing else is looked at."""
    properties = {
        "Name": stage_name("edge"),
        "Scope": "CLOUDFRONT",
        "DefaultAction": {"Allow": {}},
        "VisibilityConfig": _acl_metric("waybill-edge"),
        "Rules": [
            {
                "Name": "requests-per-address",
                "Priority": 0,
                "Action": {"Block": {}},
                "Statement": {
                    "RateBasedStatement": {
                        "AggregateKeyType": "IP",
                        "EvaluationWindowSec": 300,
                        "Limit": ref("RequestsPerAddress"),
                    }
                },
                "VisibilityConfig": _acl_metric("waybill-edge-limited"),
            }
        ],
    }
    return {
        "WebAcl": {"Type": "AWS::WAFv2::WebACL", "Condition": "Limits", "Properties": properties}
    }


def _acl_metric(name: str) -> Value:
    return {
        "CloudWatchMetricsEnabled": True,
        "MetricName": name,
        "SampledRequestsEnabled": False,  # a sample would show paths and queries
    }
