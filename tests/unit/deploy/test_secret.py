"""`make secret`: made once, and completed if it was left half done."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from infra.deploy import secret
from infra.deploy.errors import DeployError
from tests.unit.deploy.clouds import Cloud, refused


def test_a_secret_without_its_parameter_is_completed_by_the_next_call() -> None:
    cloud = Cloud()
    cloud.parameters.trouble = refused("AccessDeniedException")
    with pytest.raises(ClientError):
        secret.make_secret(cloud, "prod")
    text = cloud.secrets.texts["waybill/prod"]
    arn = secret.make_secret(cloud, "prod")
    assert cloud.parameters.values == {"/waybill/prod/secret": arn}
    assert cloud.secrets.texts == {"waybill/prod": text}
    secret.check_secret(cloud, "/waybill/prod/secret", {})


def test_a_secret_that_is_there_is_named_and_left_alone(cloud: Cloud) -> None:
    """Also to whoever did not see its ARN, the first call having ended too early."""
    before = dict(cloud.secrets.texts)
    with pytest.raises(DeployError, match="has its secret already: arn:secret:waybill/prod"):
        secret.make_secret(cloud, "prod")
    assert cloud.secrets.texts == before


def test_a_parameter_that_names_another_secret_is_not_changed(cloud: Cloud) -> None:
    cloud.parameters.values["/waybill/prod/secret"] = "arn:another"
    with pytest.raises(DeployError, match=r"names arn:another.*delete-parameter"):
        secret.make_secret(cloud, "prod")
    assert cloud.parameters.values["/waybill/prod/secret"] == "arn:another"


def test_a_secret_that_is_being_deleted_is_said_to_be_so(cloud: Cloud) -> None:
    cloud.secrets.being_deleted = {"waybill/prod"}
    with pytest.raises(DeployError, match="restore-secret --secret-id waybill/prod"):
        secret.make_secret(cloud, "prod")


def test_two_stages_have_two_secrets(cloud: Cloud) -> None:
    secret.make_secret(cloud, "test")
    one, two = (json.loads(text) for text in cloud.secrets.texts.values())
    assert one["JWT_SECRET"] != two["JWT_SECRET"]
