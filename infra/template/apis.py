"""The REST and WebSocket APIs: throttling, access logs without queries, our wording of refusals."""

from __future__ import annotations

import json

from infra.resources.gateway_responses import GATEWAY_RESPONSES, HEADERS
from infra.resources.stage import API_STAGE
from infra.template.intrinsics import Value, att, ref, stage_name, sub, when

# Never the query or the path as it came: both may hold a token.
REST_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "resource": "$context.resourcePath",
    "status": "$context.status",
    "ms": "$context.responseLatency",
    "error": "$context.error.responseType",
}
WEBSOCKET_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "ip": "$context.identity.sourceIp",
    "connection": "$context.connectionId",
    "event": "$context.eventType",
    "route": "$context.routeKey",
    "status": "$context.status",
    "error": "$context.error.message",
}
# A stage that logs can't be made before there is a role to log with. A condition can't stand in
# DependsOn, so the wait is a reference.
_WAITS_FOR_LOG_ROLE = {
    "waybill:log-role": when("CreatesGatewayLogRole", ref("GatewayAccount"), "existing")
}


def make_resources() -> Value:
    """Return what is added to the APIs that Chalice makes."""
    return {
        "RestAPI": {"Properties": _rest_properties()},
        "WebsocketAPI": {"Properties": {"Name": stage_name("websocket")}},
        "WebsocketAPIStage": {"Properties": _websocket_stage()},
        "RestLogs": _log_group("rest-access"),
        "WebsocketLogs": _log_group("websocket-access"),
        **_log_role(),
    }


def _rest_properties() -> Value:
    return {
        "Name": stage_name("rest"),
        "DefinitionBody": {"info": {"title": stage_name("rest")}},
        # Without a version SAM adds a second stage, which is called "Stage".
        "OpenApiVersion": "2.0",
        "Tags": _WAITS_FOR_LOG_ROLE,
        "AccessLogSetting": {
            "DestinationArn": att("RestLogs", "Arn"),
            "Format": json.dumps(REST_LOG, separators=(",", ":")),
        },
        "MethodSettings": [
            {
                "ResourcePath": "/*",
                "HttpMethod": "*",
                "ThrottlingRateLimit": ref("RequestsPerSecond"),
                "ThrottlingBurstLimit": ref("RequestsPerSecond"),
                "DataTraceEnabled": False,
                "LoggingLevel": "OFF",
            }
        ],
        "GatewayResponses": _gateway_responses(),
    }


def _gateway_responses() -> Value:
    # API Gateway takes a text for an expression, unless it stands in single quotes.
    headers = {header: f"'{value}'" for header, value in HEADERS.items()}
    return {
        name: {
            **({"StatusCode": status} if status else {}),
            "ResponseTemplates": {"application/json": body},
            "ResponseParameters": {"Headers": headers},
        }
        for name, (status, body) in GATEWAY_RESPONSES.items()
    }


def _websocket_stage() -> Value:
    return {
        "AutoDeploy": True,
        "Tags": _WAITS_FOR_LOG_ROLE,
        "AccessLogSettings": {
            "DestinationArn": att("WebsocketLogs", "Arn"),
            "Format": json.dumps(WEBSOCKET_LOG, separators=(",", ":")),
        },
        "DefaultRouteSettings": {
            "ThrottlingRateLimit": ref("MessagesPerSecond"),
            "ThrottlingBurstLimit": ref("MessagesPerSecond"),
            "DataTraceEnabled": False,
            "LoggingLevel": "OFF",
        },
    }


def _log_group(name: str) -> Value:
    return {
        "Type": "AWS::Logs::LogGroup",
        "Properties": {
            "LogGroupName": sub(f"/waybill/${{Stage}}/{name}"),
            "RetentionInDays": ref("LogRetentionDays"),
        },
    }


def _log_role() -> Value:
    """Return the role by which a region's API Gateway logs.

    There is one for the whole account, so it is never deleted.
    """
    common = {
        "Condition": "CreatesGatewayLogRole",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
    }
    pushes = "arn:${AWS::Partition}:iam::aws:policy/service-role/"
    pushes += "AmazonAPIGatewayPushToCloudWatchLogs"
    role = {
        "AssumeRolePolicyDocument": _trust("apigateway.amazonaws.com"),
        "ManagedPolicyArns": [sub(pushes)],
    }
    account = {"CloudWatchRoleArn": att("GatewayAccountRole", "Arn")}
    return {
        "GatewayAccountRole": {"Type": "AWS::IAM::Role", **common, "Properties": role},
        "GatewayAccount": {"Type": "AWS::ApiGateway::Account", **common, "Properties": account},
    }


def _trust(service: str) -> Value:
    """Return the policy that lets a service take on the role."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def make_outputs() -> Value:
    """Return the addresses, besides those that Chalice gives."""
    host = "${WebsocketAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/" + API_STAGE
    return {
        "DirectWebsocketURL": {
            "Description": "Without the literal paths: add ?contract=…&token=…",
            "Value": sub(f"wss://{host}"),
        },
        "ManagementURL": {
            "Description": "The @connections API.",
            "Value": sub(f"https://{host}"),
        },
    }
