"""The Lambda functions that Chalice makes of app.py, and where each one logs."""

from __future__ import annotations

from dataclasses import dataclass

from infra.template.intrinsics import Value, ref, sub


@dataclass(frozen=True)
class Function:
    """A handler: its name in app.py, in `.chalice/config.json` and in a template."""

    name: str
    logical_id: str

    @property
    def log_group(self) -> str:
        """The logical id of its log group."""
        return f"{self.logical_id}Logs"


API = Function("api_handler", "APIHandler")
CONNECT = Function("websocket_connect", "WebsocketConnect")
MESSAGE = Function("websocket_message", "WebsocketMessage")
DISCONNECT = Function("websocket_disconnect", "WebsocketDisconnect")
WAKE = Function("wake", "Wake")
SWEEP = Function("sweep", "Sweep")
SEND = Function("send_webhooks", "SendWebhooks")
HANDLERS = (API, CONNECT, MESSAGE, DISCONNECT, WAKE, SEND, SWEEP)
CHECK = Function("check_settings", "CheckSettings")  # runs while a stack is deployed, only then
FUNCTIONS = (*HANDLERS, CHECK)


def make_resources() -> Value:
    """Return what is added to each function, and its log group."""
    added: Value = {}
    for function in FUNCTIONS:
        added[function.logical_id] = {"Properties": _function_properties(function)}
        added[function.log_group] = {
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": sub(f"/waybill/${{Stage}}/{function.name}"),
                "RetentionInDays": ref("LogRetentionDays"),
            },
        }
    return added


def _function_properties(function: Function) -> Value:
    properties: Value = {"LoggingConfig": {"LogGroup": ref(function.log_group)}}
    if function is WAKE:
        source = _queue_event_source("WakeupQueue", "WakeConcurrency")
        properties["Events"] = {"WakeSqsEventSource": {"Properties": source}}
    if function is SEND:
        source = _queue_event_source("WebhookQueue", "WebhookConcurrency")
        properties["Events"] = {"SendWebhooksSqsEventSource": {"Properties": source}}
    if function is CHECK:
        # The others have there what waits for this function's answer: an API and a bucket.
        properties["Environment"] = {
            "Variables": {"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": "", "PROOF_BUCKET": ""},
        }
    if function is SWEEP:
        # A sweep that fails is not repeated: the next one is due within a minute.
        properties["EventInvokeConfig"] = {
            "MaximumRetryAttempts": 0,
            "MaximumEventAgeInSeconds": 60,
        }
    return properties


def _queue_event_source(queue: str, concurrency: str) -> Value:
    return {
        # The `${Queue.Arn}` makes the mapping wait for the queue; Chalice's own text would not.
        "Queue": sub(f"${{{queue}.Arn}}"),
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        # Without a limit SQS is read faster than an account's quota lets a function run, and each
        # message that is throttled counts as received.
        "ScalingConfig": {"MaximumConcurrency": ref(concurrency)},
    }
