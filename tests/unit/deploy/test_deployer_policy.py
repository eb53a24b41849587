"""The sample policy of whoever deploys: enough for every resource of the template, and no more
than can be attached."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import pytest

from app import app
from infra.package.project import HOME, PackagingOptions, lay_out
from infra.package.template import without_packaging
from infra.template.expansion import expand_template
from infra.template.intrinsics import Value

POLICY: Value = json.loads((HOME / "docs/deployer-policy.json").read_text())
REGION = "eu-central-1:111111111111"
SERVICES = {
    "AWS::ApiGateway": "apigateway",
    "AWS::ApiGatewayV2": "apigateway",
    "AWS::CloudFront": "cloudfront",
    "AWS::CloudWatch": "cloudwatch",
    "AWS::DynamoDB": "dynamodb",
    "AWS::Events": "events",
    "AWS::IAM": "iam",
    "AWS::Lambda": "lambda",
    "AWS::Logs": "logs",
    "AWS::S3": "s3",
    "AWS::SQS": "sqs",
    "AWS::WAFv2": "wafv2",
}
_ROLE, _FUNCTION = "arn:aws:iam::111111111111:role/waybill-prod-X-1", "function:waybill-prod-X-1"
_GATEWAY = "arn:aws:apigateway:eu-central-1::/restapis"
# What CloudFormation does to create and to delete one, and an ARN as it is given one.
NEEDS: dict[str, tuple[str, str]] = {
    "AWS::ApiGateway::Account": ("PATCH GET", "arn:aws:apigateway:eu-central-1::/account"),
    "AWS::ApiGateway::Deployment": ("POST DELETE GET", _GATEWAY),
    "AWS::ApiGateway::RestApi": ("POST PUT PATCH DELETE GET", _GATEWAY),
    "AWS::ApiGateway::Stage": ("POST PUT PATCH DELETE GET", _GATEWAY),
    "AWS::ApiGatewayV2::Api": ("POST PATCH DELETE GET", _GATEWAY),
    "AWS::ApiGatewayV2::Integration": ("POST PATCH DELETE GET", _GATEWAY),
    "AWS::ApiGatewayV2::Route": ("POST PATCH DELETE GET", _GATEWAY),
    "AWS::ApiGatewayV2::Stage": ("POST PATCH DELETE GET", _GATEWAY),
    "AWS::CloudFront::Distribution": (
        "CreateDistribution UpdateDistribution DeleteDistribution GetDistribution TagResource",
        "arn:aws:cloudfront::111111111111:distribution/E1",
    ),
    "AWS::CloudFront::Function": (
        "CreateFunction PublishFunction UpdateFunction DeleteFunction DescribeFunction GetFunction",
        "arn:aws:cloudfront::111111111111:function/waybill-prod-paths",
    ),
    "AWS::CloudFront::ResponseHeadersPolicy": (
        "CreateResponseHeadersPolicy DeleteResponseHeadersPolicy GetResponseHeadersPolicy",
        "arn:aws:cloudfront::111111111111:response-headers-policy/1",
    ),
    "AWS::CloudWatch::Alarm": (
        "PutMetricAlarm DeleteAlarms DescribeAlarms",
        f"arn:aws:cloudwatch:{REGION}:alarm:waybill-prod-X-1",
    ),
    "AWS::CloudWatch::Dashboard": (
        "PutDashboard DeleteDashboards GetDashboard",
        "arn:aws:cloudwatch::111111111111:dashboard/waybill-prod",
    ),
    "AWS::DynamoDB::Table": (
        "CreateTable DescribeTable UpdateTable DeleteTable DescribeTimeToLive UpdateTimeToLive "
        "DescribeContinuousBackups UpdateContinuousBackups ListTagsOfResource GetResourcePolicy "
        "DescribeContributorInsights DescribeKinesisStreamingDestination",
        f"arn:aws:dynamodb:{REGION}:table/waybill-prod-orders",
    ),
    "AWS::Events::Rule": (
        "PutRule PutTargets RemoveTargets DeleteRule DescribeRule ListTargetsByRule",
        f"arn:aws:events:{REGION}:rule/waybill-prod-X-1",
    ),
    "AWS::IAM::Role": (
        "CreateRole GetRole PutRolePolicy GetRolePolicy DeleteRolePolicy AttachRolePolicy "
        "DetachRolePolicy DeleteRole PassRole ListRolePolicies ListAttachedRolePolicies",
        _ROLE,
    ),
    "AWS::Lambda::EventInvokeConfig": (
        "PutFunctionEventInvokeConfig GetFunctionEventInvokeConfig DeleteFunctionEventInvokeConfig",
        f"arn:aws:lambda:{REGION}:{_FUNCTION}",
    ),
    "AWS::Lambda::EventSourceMapping": (
        "CreateEventSourceMapping GetEventSourceMapping DeleteEventSourceMapping",
        f"arn:aws:lambda:{REGION}:event-source-mapping:1",
    ),
    "AWS::Lambda::Function": (
        "CreateFunction GetFunction UpdateFunctionCode UpdateFunctionConfiguration DeleteFunction "
        "TagResource GetFunctionCodeSigningConfig GetRuntimeManagementConfig",
        f"arn:aws:lambda:{REGION}:{_FUNCTION}",
    ),
    "AWS::Lambda::Permission": (
        "AddPermission GetPolicy RemovePermission",
        f"arn:aws:lambda:{REGION}:{_FUNCTION}",
    ),
    "AWS::Logs::Delivery": ("CreateDelivery GetDelivery DeleteDelivery", "*"),
    "AWS::Logs::DeliveryDestination": ("PutDeliveryDestination DeleteDeliveryDestination", "*"),
    "AWS::Logs::DeliverySource": ("PutDeliverySource DeleteDeliverySource", "*"),
    "AWS::Logs::LogGroup": (
        "CreateLogGroup PutRetentionPolicy DeleteLogGroup ListTagsForResource",
        f"arn:aws:logs:{REGION}:log-group:/waybill/prod/wake:*",
    ),
    "AWS::Logs::MetricFilter": (
        "PutMetricFilter DeleteMetricFilter",
        f"arn:aws:logs:{REGION}:log-group:/waybill/prod/sweep:*",
    ),
    "AWS::S3::Bucket": (
        "CreateBucket DeleteBucket GetBucketLocation PutEncryptionConfiguration "
        "GetEncryptionConfiguration PutBucketOwnershipControls GetBucketOwnershipControls "
        "PutBucketPublicAccessBlock GetBucketPublicAccessBlock PutBucketCORS GetBucketCORS "
        "PutLifecycleConfiguration GetLifecycleConfiguration GetBucketTagging PutBucketTagging",
        "arn:aws:s3:::waybill-prod-proofbucket-1abcdef",
    ),
    "AWS::S3::BucketPolicy": (
        "PutBucketPolicy GetBucketPolicy DeleteBucketPolicy",
        "arn:aws:s3:::waybill-prod-proofbucket-1abcdef",
    ),
    "AWS::SQS::Queue": (
        "CreateQueue GetQueueAttributes SetQueueAttributes DeleteQueue ListQueueTags",
        f"arn:aws:sqs:{REGION}:waybill-prod-wakeups",
    ),
    "AWS::WAFv2::WebACL": ("CreateWebACL GetWebACL UpdateWebACL DeleteWebACL", "*"),
    "AWS::WAFv2::WebACLAssociation": ("AssociateWebACL DisassociateWebACL GetWebACL", "*"),
}
# What `make secret` and `make deploy` ask for themselves.
OURS = {
    f"arn:aws:cloudformation:{REGION}:stack/waybill-prod/1": (
        "cloudformation:CreateChangeSet",
        "cloudformation:DescribeChangeSet",
        "cloudformation:ExecuteChangeSet",
        "cloudformation:DeleteChangeSet",
        "cloudformation:DescribeStacks",
        "cloudformation:DescribeStackEvents",
        "cloudformation:ListStackResources",
        "cloudformation:DeleteStack",
        "cloudformation:ContinueUpdateRollback",
    ),
    "arn:aws:cloudformation:eu-central-1:aws:transform/Serverless-2016-10-31": (
        "cloudformation:CreateChangeSet",
    ),
    "arn:aws:s3:::my-bucket/waybill-prod.json": ("s3:PutObject", "s3:GetObject"),
    f"arn:aws:secretsmanager:{REGION}:secret:waybill/prod-abcdef": (
        "secretsmanager:CreateSecret",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue",
    ),
    f"arn:aws:ssm:{REGION}:parameter/waybill/prod/secret": (
        "ssm:PutParameter",
        "ssm:GetParameter",
        "ssm:GetParameters",
    ),
    f"arn:aws:dynamodb:{REGION}:table/waybill-prod-orders": ("dynamodb:DescribeTable",),
    "arn:aws:apigateway:eu-central-1::/account": ("apigateway:GET",),
    f"arn:aws:lambda:{REGION}:{_FUNCTION}": ("lambda:InvokeFunction",),
    "*": (
        "lambda:GetAccountSettings",
        "servicequotas:GetServiceQuota",
        "servicequotas:GetAWSDefaultServiceQuota",
    ),
}


def texts(value: Any) -> Iterable[str]:
    return [value] if isinstance(value, str) else value


def allows(action: str, arn: str) -> bool:
    """Whether the policy does, as IAM decides where nothing is denied."""
    return any(
        any(fnmatchcase(action, pattern) for pattern in texts(statement["Action"]))
        and any(fnmatchcase(arn, pattern) for pattern in texts(statement["Resource"]))
        for statement in POLICY["Statement"]
    )


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every type of resource that a stage may have."""
    project = tmp_path_factory.mktemp("package") / "project"
    lay_out(project, PackagingOptions())
    plain = expand_template(
        without_packaging(app, project), "s3://b/k", {"Stage": "prod", "Secret": "/s"}
    )
    return {each["Type"] for each in plain["Resources"].values()}


def test_it_covers_every_resource_of_the_template(types: set[str]) -> None:
    of_aws = {each for each in types if each.startswith("AWS::")}
    assert of_aws <= NEEDS.keys(), "say what it takes to create this, and add it to the policy"
    for each in of_aws:
        actions, arn = NEEDS[each]
        service = SERVICES[each.rpartition("::")[0]]
        for action in actions.split():
            assert allows(f"{service}:{action}", arn), (each, action)


def test_it_covers_what_the_commands_ask_for_themselves() -> None:
    for arn, actions in OURS.items():
        for action in actions:
            assert allows(action, arn), (action, arn)


@pytest.mark.parametrize(
    ("action", "arn"),
    [
        ("dynamodb:GetItem", f"arn:aws:dynamodb:{REGION}:table/waybill-prod-people"),
        ("dynamodb:DeleteTable", f"arn:aws:dynamodb:{REGION}:table/another"),
        ("iam:PassRole", "arn:aws:iam::111111111111:role/admin"),
        ("iam:CreateUser", "*"),
        ("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:secret:another"),
        ("cloudformation:DeleteStack", f"arn:aws:cloudformation:{REGION}:stack/another/1"),
        ("lambda:UpdateFunctionCode", f"arn:aws:lambda:{REGION}:function:another"),
        ("s3:GetObject", "arn:aws:s3:::waybill-prod-proofbucket-1/kept/1/dropoff-photo"),
        ("s3:PutBucketPolicy", "arn:aws:s3:::another"),
        ("logs:DeleteLogGroup", f"arn:aws:logs:{REGION}:log-group:/another"),
    ],
)
def test_it_reads_no_rows_and_touches_nothing_of_others(action: str, arn: str) -> None:
    assert not allows(action, arn)


def test_it_can_be_attached_as_a_managed_policy() -> None:
    """IAM quota: 6,144 characters, white space not counted."""
    assert len(re.sub(r"\s", "", json.dumps(POLICY))) <= 6144
    assert len({statement["Sid"] for statement in POLICY["Statement"]}) == len(POLICY["Statement"])
