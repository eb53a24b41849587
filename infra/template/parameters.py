"""The parameters of a deployment, and the environment that the functions get of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chalicelib.settings import Settings
from infra.resources.stage import API_STAGE, HEARTBEAT_S
from infra.template.intrinsics import Value, is_set, ref, stage_name, sub, when
from infra.template.proof import BUCKET
from infra.template.queues import QUEUE_NAME, WEBHOOK_QUEUE_NAME

SECRETS = ("JWT_SECRET", "PAYMENT_WEBHOOK_SECRET")
SECRET = "Secret"
# Settings whose default here is not the application's own.
_DEFAULTS = {"HEARTBEAT_S": HEARTBEAT_S}
# What the template itself or Lambda says; a parameter for them would only be a way to err.
_OTHERWISE_SET = {
    *SECRETS,
    "PROOF_BUCKET",
    "TABLE_PREFIX",
    "QUEUE_NAME",
    "WEBHOOK_QUEUE_NAME",
    "WEBHOOKS_TO_LOOPBACK",  # of the local run alone: a stage sends to no loopback
    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "LOCALSTACK_HOST",
}


class _RecordingEnvironment(Mapping[str, str]):
    """An environment that notes which names are asked for."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self.asked: dict[str, None] = {}

    def __getitem__(self, name: str) -> str:
        self.asked[name] = None
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def list_settings() -> tuple[str, ...]:
    """List every environment name that the application reads."""
    noting = _RecordingEnvironment({"JWT_SECRET": "-" * 32})
    Settings.from_env(noting)
    return tuple(noting.asked)


def tunable_settings() -> dict[str, str]:
    """Return the settings that a deployment may give: environment name to parameter name."""
    return {
        name: "".join(word.capitalize() for word in name.split("_"))
        for name in list_settings()
        if name not in _OTHERWISE_SET
    }


def make_environment() -> Value:
    """Return the functions' environment. An empty text is a setting that is not set."""
    secret = "{{resolve:secretsmanager:${Secret}:SecretString:%s}}"
    jwt = when("ByJwks", "", sub(secret % "JWT_SECRET"))
    return {
        "TABLE_PREFIX": sub("waybill-${Stage}"),
        "QUEUE_NAME": stage_name(QUEUE_NAME),
        "WEBHOOK_QUEUE_NAME": stage_name(WEBHOOK_QUEUE_NAME),
        "PROOF_BUCKET": ref(BUCKET),
        "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": sub(
            "https://${WebsocketAPI}.execute-api.${AWS::Region}.${AWS::URLSuffix}/" + API_STAGE
        ),
        "JWT_SECRET": jwt,
        "PAYMENT_WEBHOOK_SECRET": sub(secret % "PAYMENT_WEBHOOK_SECRET"),
        **{name: ref(parameter) for name, parameter in tunable_settings().items()},
    }


def make_parameters() -> Value:
    """Return the template's parameters."""
    return {
        **_stage_parameters(),
        **_edge_parameters(),
        **_log_and_alarm_parameters(),
        **_limit_parameters(),
        **_parameters_for_settings(),
    }


def _stage_parameters() -> Value:
    """Return what every stage is given: its name and its secret."""
    return {
        "Stage": {
            "Type": "String",
            "AllowedPattern": "[a-z][a-z0-9-]{0,19}",
            "ConstraintDescription": "1 to 20 lower-case letters, digits and hyphens",
            "Description": "Part of every physical name, so that stages stand side by side.",
        },
        SECRET: {
            # The value is read when the change set is made: without it nothing is changed.
            "Type": "AWS::SSM::Parameter::Value<String>",
            "Description": "The SSM parameter that holds the ARN of the secret (docs/deploy.md).",
        },
    }


def _edge_parameters() -> Value:
    """Return what CloudFront is given: a domain with its certificate, a web ACL."""
    return {
        "Domain": _text_parameter(
            "A host name of yours for the distribution; empty: CloudFront's."
        ),
        "CertificateArn": {
            **_text_parameter("The ACM certificate of Domain, in us-east-1."),
            "AllowedPattern": r"(arn:[a-z-]+:acm:us-east-1:\d{12}:certificate/.+)?",
        },
        "WebAclArn": {
            **_text_parameter("An AWS WAF web ACL for the distribution, of scope CLOUDFRONT."),
            "AllowedPattern": r"(arn:[a-z-]+:wafv2:us-east-1:\d{12}:global/webacl/.+)?",
        },
    }


def _log_and_alarm_parameters() -> Value:
    """Return how a stage is looked after: alarms, logs, protection."""
    return {
        "AlarmTopicArn": _text_parameter("An SNS topic that hears of alarms."),
        "DeletionProtection": {
            "Type": "String",
            "Default": "off",
            "AllowedValues": ["off", "on"],
            "Description": "Whether DynamoDB refuses to delete a table.",
        },
        "GatewayLogRole": {
            "Type": "String",
            # `create` replaces the account's role, which may be somebody else's: never unasked.
            "Default": "existing",
            "AllowedValues": ["create", "existing"],
            "Description": "create: give the Region's API Gateway a role to log with.",
        },
        "LogRetentionDays": {
            "Type": "Number",
            "Default": 30,
            "AllowedValues": [1, 3, 7, 14, 30, 60, 90, 180, 365],
            "Description": "How long logs are kept.",
        },
    }


def _limit_parameters() -> Value:
    """Return how much at once a stage takes."""
    return {
        "RequestsPerSecond": _number_parameter(1000, "REST requests a second, before 429."),
        "MessagesPerSecond": _number_parameter(5000, "WebSocket messages a second, before 429."),
        "WakeConcurrency": {
            **_number_parameter(
                100, "How many batches of wakeups are handled at once; below the quota."
            ),
            "MinValue": 2,
            "MaxValue": 1000,
        },
        "WebhookConcurrency": {
            **_number_parameter(
                50, "How many batches of webhooks are sent at once; below the quota."
            ),
            "MinValue": 2,
            "MaxValue": 1000,
        },
    }


def _parameters_for_settings() -> Value:
    """Return a parameter for each of the application's settings that a deployment may give."""
    return {
        parameter: {
            **_text_parameter(f"{name}; empty: its default."),
            "Default": _DEFAULTS.get(name, ""),
        }
        for name, parameter in tunable_settings().items()
    }


def make_conditions() -> Value:
    """Return the template's conditions."""
    return {
        "ByJwks": is_set(tunable_settings()["JWT_JWKS_URL"]),
        "NamesOrigins": is_set(tunable_settings()["CORS_ORIGINS"]),
        "HasDomain": is_set("Domain"),
        "HasWebAcl": is_set("WebAclArn"),
        "ProtectsTables": {"Fn::Equals": [ref("DeletionProtection"), "on"]},
        "HasAlarmTopic": is_set("AlarmTopicArn"),
        "CreatesGatewayLogRole": {"Fn::Equals": [ref("GatewayLogRole"), "create"]},
    }


def make_rules(*, with_jwks: bool) -> Value:
    """Return the rules by which a deployment is refused before anything is changed."""
    found: Value = {
        "DomainTakesCertificate": _needs_rule(
            "Domain", "CertificateArn", "Domain needs CertificateArn, a certificate in us-east-1."
        ),
        "CertificateTakesDomain": _needs_rule(
            "CertificateArn",
            "Domain",
            "CertificateArn needs Domain: without it, it serves nothing.",
        ),
    }
    if not with_jwks:
        found["PackagedForSecrets"] = {
            "Assertions": [
                {
                    "Assert": {"Fn::Equals": [ref(tunable_settings()["JWT_JWKS_URL"]), ""]},
                    "AssertDescription": "This package has no cryptography: make package JWKS=1.",
                }
            ]
        }
    return found


def _needs_rule(given: str, needed: str, why: str) -> Value:
    """Return the rule that one parameter is not given without another."""
    return {
        "RuleCondition": is_set(given),
        "Assertions": [{"Assert": is_set(needed), "AssertDescription": why}],
    }


def _text_parameter(description: str) -> Value:
    return {"Type": "String", "Default": "", "Description": description}


def _number_parameter(default: int, description: str) -> Value:
    return {"Type": "Number", "Default": default, "MinValue": 1, "Description": description}
