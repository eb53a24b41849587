"""Why a deployment does not happen."""

from __future__ import annotations


class DeployError(Exception):
    """The stage can't be deployed; the text says why, and what to do where that is known."""
