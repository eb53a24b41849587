"""A stage's secret: a JSON object in Secrets Manager, and an SSM parameter that says where it is.

It is looked at before CloudFormation is asked for anything: a change set names its references, but
what these refer to is only read once the change set is executed.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.settings import BadSetting, Settings
from infra.deploy.errors import DeployError, code_of
from infra.template.parameters import SECRETS, tunable_settings

Clients = Callable[[str], Any]
"""A botocore client for the service of that name."""


def parameter_name(stage: str) -> str:
    """Return the name of the SSM parameter that says where a stage's secret is."""
    return f"/waybill/{stage}/secret"


def make_secret(clients: Clients, stage: str, content: Mapping[str, str] | None = None) -> str:
    """Make a stage's secret, of random texts unless told otherwise; return its ARN.

    What an earlier call left half done is completed: a secret that no parameter names keeps its
    texts. Raises DeployError if both are there already, and what botocore raises.
    """
    content = content or {name: secrets.token_urlsafe(48) for name in SECRETS}
    arn = _create_or_find(clients("secretsmanager"), f"waybill/{stage}", json.dumps(content))
    name = parameter_name(stage)
    try:
        clients("ssm").put_parameter(Name=name, Type="String", Value=arn)
    except ClientError as error:
        if code_of(error) != "ParameterAlreadyExists":
            raise
        named = clients("ssm").get_parameter(Name=name)["Parameter"]["Value"]
        if named == arn:
            raise DeployError(f"The stage {stage} has its secret already: {arn}.") from error
        raise DeployError(
            f"The secret is {arn}, but {name} names {named}: if that one is to go, "
            f"aws ssm delete-parameter --name {name}, then make secret again."
        ) from error
    return arn


def _create_or_find(manager: Any, name: str, text: str) -> str:
    """Create the secret, or find the one that has this name; return its ARN."""
    try:
        return str(manager.create_secret(Name=name, SecretString=text)["ARN"])
    except ClientError as error:
        # Until a deleted secret is gone for good, its name is refused by the other exception.
        if code_of(error) not in ("ResourceExistsException", "InvalidRequestException"):
            raise
        found = manager.describe_secret(SecretId=name)
        if found.get("DeletedDate"):
            raise DeployError(
                f"The secret {found['ARN']} is being deleted: "
                f"aws secretsmanager restore-secret --secret-id {name}, then make secret again."
            ) from error
        return str(found["ARN"])


def read_secret(clients: Clients, stage: str) -> dict[str, str]:
    """Return a stage's secret texts by name. Raises what botocore raises."""
    at = clients("ssm").get_parameter(Name=parameter_name(stage))["Parameter"]["Value"]
    text = clients("secretsmanager").get_secret_value(SecretId=at)["SecretString"]
    return _parse_secret(text, at, SECRETS)


def check_secret(clients: Clients, parameter: str, given: Mapping[str, str]) -> None:
    """Look whether the functions could start with this secret and these parameters.

    Raises DeployError with one line that says what to do. The secret's texts are not in it.
    """
    try:
        arn = clients("ssm").get_parameter(Name=parameter)["Parameter"]["Value"]
    except ClientError as error:
        raise DeployError(
            f"The SSM parameter {parameter} can't be read ({code_of(error)}): make secret STAGE=…, "
            "or put the ARN of a secret there."
        ) from error
    try:
        text = clients("secretsmanager").get_secret_value(SecretId=arn).get("SecretString", "")
    except ClientError as error:
        raise DeployError(
            f"{parameter} names the secret {arn}, which can't be read ({code_of(error)}): "
            "put the ARN of another one there."
        ) from error
    settings = _settings_of(given)
    needed = SECRETS[1:] if settings["JWT_JWKS_URL"] else SECRETS  # as the template refers to it
    try:
        Settings.from_env({**settings, **_parse_secret(text, arn, needed)})
    except BadSetting as error:
        where = f" The secret is {arn}." if any(n in str(error) for n in SECRETS) else ""
        raise DeployError(f"{error}{where}") from error


def _settings_of(given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that parameters give, by the settings' own names."""
    return {name: given.get(parameter, "") for name, parameter in tunable_settings().items()}


def _parse_secret(text: str, arn: str, needed: Sequence[str]) -> dict[str, str]:
    try:
        content = json.loads(text)
        return {name: str(content[name]) for name in needed}
    except (ValueError, TypeError, KeyError):
        wanted = json.dumps(dict.fromkeys(needed, "…"), ensure_ascii=False)
        raise DeployError(f"The secret {arn} must be a JSON object: {wanted}.") from None
