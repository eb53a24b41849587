"""The template as CloudFormation sees it after the SAM transform: plain resources."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from infra.resources.aws_clients import REGION

_NO_MANAGED_POLICIES = SimpleNamespace(load=dict)

Template = dict[str, Any]
Prepare = Callable[[Template, str, Mapping[str, str]], Template]
"""What is deployed of a template, the functions' code lying at an s3:// address, the stack being
given some parameters."""


def with_code(template: Template, code_uri: str, given: Mapping[str, str]) -> Template:
    """Return the template as AWS takes it, and expands it itself."""
    made = copy.deepcopy(template)
    for resource in made["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = code_uri
    return made


def expand_template(template: Template, code_uri: str, given: Mapping[str, str]) -> Template:
    """Return the template with its code, and with `AWS::Serverless::*` expanded."""
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)  # read when the translator is imported
    from samtranslator.translator.transform import transform

    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it misses its own metrics
    plain = with_code(template, code_uri, given)
    made: Template = transform(plain, dict(given), _NO_MANAGED_POLICIES)
    return made
