"""The package, deployed as on AWS: a secret, a parameter, a bucket, a stack."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from infra.aws import client
from infra.options import STAGE as API_STAGE
from infra.template.expansion import expanded

STAGE = "local"
BUCKET = "waybill-conformance"
WITHIN_S = 120.0

Template = dict[str, Any]


class DeployError(Exception):
    """The stack did not come up; the text says which resource, and why."""


@dataclass(frozen=True)
class Deployed:
    """Where the APIs of a stack are on the engine."""

    rest_url: str
    websocket_url: str
    table_prefix: str


def deploy(package: Path, endpoint: str, jwt_secret: str, stage: str = STAGE) -> Deployed:
    """Make the secret, then bring up a stage. Raises DeployError."""
    put_secret(endpoint, jwt_secret, stage)
    return bring_up(package, endpoint, stage)


def bring_up(package: Path, endpoint: str, stage: str = STAGE) -> Deployed:
    """Deploy `sam.json` and `deployment.zip` of a folder. Raises DeployError."""
    s3 = client("s3", endpoint)
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(
        Bucket=BUCKET, Key="deployment.zip", Body=(package / "deployment.zip").read_bytes()
    )
    given = {"Stage": stage, "Secret": secret_name(stage)}
    template = adapted(
        expanded(
            json.loads((package / "sam.json").read_text()), f"s3://{BUCKET}/deployment.zip", given
        ),
        endpoint,
    )
    s3.put_object(Bucket=BUCKET, Key="template.json", Body=json.dumps(template).encode())
    outputs = create_stack(endpoint, f"{endpoint}/{BUCKET}/template.json", given)
    at = f"{endpoint}/_aws/execute-api"
    return Deployed(
        rest_url=f"{at}/{outputs['RestAPIId']}/{API_STAGE}",
        websocket_url=f"{at}/{outputs['WebsocketAPIId']}/{API_STAGE}",
        table_prefix=f"waybill-{stage}",
    )


def secret_name(stage: str) -> str:
    """The parameter that says where a stage's secret is."""
    return f"/waybill/{stage}/secret"


def put_secret(endpoint: str, jwt_secret: str, stage: str) -> None:
    """What docs/deploy.md asks for before the first deployment."""
    content = {"JWT_SECRET": jwt_secret, "PAYMENT_WEBHOOK_SECRET": jwt_secret}
    made = client("secretsmanager", endpoint).create_secret(
        Name=f"waybill/{stage}", SecretString=json.dumps(content)
    )
    client("ssm", endpoint).put_parameter(Name=secret_name(stage), Type="String", Value=made["ARN"])


def adapted(template: Template, endpoint: str) -> Template:
    """The two things that are not as on AWS.

    No name leads to the engine's @connections, so their address is its own. And AWS lets whoever
    may SendMessage send a batch, which ministack holds to be an action of its own.
    """
    management = {"Fn::Sub": f"{endpoint}/_aws/execute-api/${{WebsocketAPI}}/{API_STAGE}"}
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            variables = resource["Properties"]["Environment"]["Variables"]
            variables["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"] = management
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"].get("Policies", []):
                for statement in policy["PolicyDocument"]["Statement"]:
                    if "sqs:SendMessage" in statement["Action"]:
                        statement["Action"] = [*statement["Action"], "sqs:SendMessageBatch"]
    return template


def create_stack(endpoint: str, template_url: str, given: dict[str, str]) -> dict[str, str]:
    """Create the stack and return its outputs. Raises DeployError."""
    formation = client("cloudformation", endpoint)
    name = f"waybill-{given['Stage']}"
    try:
        formation.create_stack(
            StackName=name,
            TemplateURL=template_url,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in given.items()],
        )
    except ClientError as error:  # refused before anything is made
        raise DeployError(str(error)) from error
    give_up_at = time.monotonic() + WITHIN_S
    while time.monotonic() < give_up_at:
        stack = formation.describe_stacks(StackName=name)["Stacks"][0]
        if stack["StackStatus"] == "CREATE_COMPLETE":
            return {out["OutputKey"]: out["OutputValue"] for out in stack["Outputs"]}
        if not stack["StackStatus"].endswith("IN_PROGRESS"):
            break
        time.sleep(0.2)
    raise DeployError(_why(formation, name))


def _why(formation: Any, name: str) -> str:
    events = formation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [e for e in reversed(events) if e["ResourceStatus"].endswith("FAILED")]
    reasons = [f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason', '')}" for e in failed]
    return "\n".join(reasons) or "the stack was not ready in time"
