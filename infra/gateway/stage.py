"""Set the environment that `.chalice/config.json` gives to the functions of a stage."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from chalice.config import Config
from chalice.constants import DEFAULT_APIGATEWAY_STAGE_NAME

from infra.gateway.application import AppLoadError

CONFIG = Path(".chalice", "config.json")


def export_stage(stage: str) -> None:
    """Set the environment variables of a stage, as `chalice local` does before it imports the app.

    They are those of the stage whose `api_gateway_stage` has this name, over the app's, and are
    read in the current folder. Without such a file nothing is set. Raises AppLoadError for a file
    that can't be used.
    """
    file = Path.cwd() / CONFIG
    if not file.exists():
        return
    try:
        variables = _stage_variables(json.loads(file.read_text()), stage)
    except (ValueError, AttributeError, TypeError) as error:
        raise AppLoadError(f"{file} is no configuration of Chalice's: {error}") from error
    for name, value in variables.items():
        if not isinstance(value, str):
            raise AppLoadError(f"{file}: the environment variable {name} must be a text")
    os.environ.update(variables)


def _stage_variables(found: dict[str, Any], stage: str) -> dict[str, str]:
    everywhere = found.get("api_gateway_stage", DEFAULT_APIGATEWAY_STAGE_NAME)
    ours = [
        name
        for name, own in found.get("stages", {}).items()
        if own.get("api_gateway_stage", everywhere) == stage
    ]
    config = Config(chalice_stage=ours[0] if ours else "", config_from_disk=found)
    return dict(config.environment_variables)
