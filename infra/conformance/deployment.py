"""The package, deployed as on AWS: a secret, a parameter, a bucket, a stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType

from infra.deploy import secret
from infra.deploy.secret import Clients
from infra.deploy.stack import Stack
from infra.package.build import Package
from infra.resources.aws_clients import make_client
from infra.resources.stage import API_STAGE
from infra.template.expansion import Template, expand_template
from infra.template.parameters import tunable_settings
from infra.template.proof import BUCKET_POLICY

BUCKET = "waybill-conformance"
# Where dozens of processes start at once on two cores, 15 s to answer an offer are soon over.
PATIENT = {"DELIVERY_OFFER_TTL_S": "60"}
# Settings of a second stage, where nobody is waited for long.
HASTY = {
    "DELIVERY_OFFER_TTL_S": "3",
    "HAIL_OFFER_TTL_S": "3",
    "SOCKETIO_PING_INTERVAL_S": "2",
}
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
_MANAGEMENT = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"


@dataclass(frozen=True)
class DeployedStage:
    """The addresses of a stack's APIs on the engine, and its tables' prefix."""

    rest_url: str
    websocket_url: str
    table_prefix: str


def deploy_stage(
    folder: Path,
    endpoint: str,
    jwt_secret: str,
    stage: str,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> DeployedStage:
    """Make the secret, then bring up a stage of the package in a folder. Raises DeployError."""
    content = {"JWT_SECRET": jwt_secret, "PAYMENT_WEBHOOK_SECRET": jwt_secret}
    secret.make_secret(clients_of(endpoint), stage, content)
    given = {tunable_settings()[name]: value for name, value in settings.items()}
    return bring_up(folder, endpoint, stage, **given)


def bring_up(folder: Path, endpoint: str, stage: str, **given: str) -> DeployedStage:
    """Deploy a stage that has its secret. Raises DeployError."""
    clients = clients_of(endpoint)
    clients("s3").create_bucket(Bucket=BUCKET)
    stack = Stack(clients, stage, poll_s=0.2)
    outputs = stack.deploy(
        Package.find_in(folder), BUCKET, given, partial(adapt_template, endpoint)
    )
    at = f"{endpoint}/_aws/execute-api"
    return DeployedStage(
        rest_url=f"{at}/{outputs['RestAPIId']}/{API_STAGE}",
        websocket_url=f"{at}/{outputs['WebsocketAPIId']}/{API_STAGE}",
        table_prefix=stack.name,
    )


@cache
def clients_of(endpoint: str) -> Clients:
    """Return what makes the engine's clients, each of them once: their models are large."""
    return cache(partial(make_client, endpoint=endpoint))


def adapt_template(
    endpoint: str, template: Template, code_uri: str, given: Mapping[str, str]
) -> Template:
    """Expand the template, which ministack can't, and change five things that are not as on AWS.

    No name leads to the engine's @connections, so their address is its own. AWS lets whoever may
    SendMessage send a batch, which ministack holds to be an action of its own. AWS takes a number
    that came by a parameter for a number, where ministack's queue poller stops at the string. And
    ministack, where no alarm rings, refuses those over a query. It is called without TLS, which the
    bucket's policy refuses, and rightly.
    """
    template = drop_query_alarms(expand_template(template, code_uri, given))
    template["Resources"].pop(BUCKET_POLICY, None)
    management = {"Fn::Sub": f"{endpoint}/_aws/execute-api/${{WebsocketAPI}}/{API_STAGE}"}
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::EventSourceMapping":
            scaling = resource["Properties"].get("ScalingConfig", {})
            if isinstance(ref := scaling.get("MaximumConcurrency"), dict):
                default = template["Parameters"][ref["Ref"]]["Default"]
                scaling["MaximumConcurrency"] = int(given.get(ref["Ref"], default))
        if resource["Type"] == "AWS::Lambda::Function":
            variables = resource["Properties"]["Environment"]["Variables"]
            if variables[_MANAGEMENT]:  # the check that comes first has none
                variables[_MANAGEMENT] = management
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"].get("Policies", []):
                for statement in policy["PolicyDocument"]["Statement"]:
                    if "sqs:SendMessage" in statement["Action"]:
                        statement["Action"] = [*statement["Action"], "sqs:SendMessageBatch"]
    return template


def drop_query_alarms(template: Template) -> Template:
    """Return the template without the alarms that watch more than one metric."""
    kept = {
        name: each
        for name, each in template["Resources"].items()
        if "Metrics" not in each.get("Properties", {})
    }
    return {**template, "Resources": kept}
