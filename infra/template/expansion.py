"""The template as CloudFormation sees it after the SAM transform: plain resources."""

from __future__ import annotations

import copy
import os
from types import SimpleNamespace
from typing import Any

from infra.aws import REGION

_NO_MANAGED_POLICIES = SimpleNamespace(load=dict)


def expanded(template: dict[str, Any], code_uri: str, given: dict[str, str]) -> dict[str, Any]:
    """Expand `AWS::Serverless::*`, the functions' code lying at an s3:// address."""
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)  # read when the translator is imported
    from samtranslator.translator.transform import transform

    plain = copy.deepcopy(template)
    for resource in plain["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = code_uri
    made: dict[str, Any] = transform(plain, given, _NO_MANAGED_POLICIES)
    return made
