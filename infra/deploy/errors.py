"""Why a deployment does not happen."""

from __future__ import annotations

from botocore.exceptions import ClientError


class DeployError(Exception):
    """The stage can't be deployed; the text says why, and what to do where that is known."""


def code_of(error: ClientError) -> str:
    """Return AWS's name for what went wrong."""
    return str(error.response["Error"]["Code"])
