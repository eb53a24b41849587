"""CloudFormation's question before it changes anything: could the functions start with this?

Asked through a custom resource that everything else in the template waits for, and answered by the
rules that the functions themselves start by. What it was asked about is in the environment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.request import Request, urlopen

from chalicelib.settings import BadSetting, Settings

_WITHIN_S = 10


def answer(event: Mapping[str, Any]) -> None:
    """Tell the `ResponseURL` of a custom resource's event whether the settings can be used."""
    reason = "" if event["RequestType"] == "Delete" else _complaint()
    verdict = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason,
        "PhysicalResourceId": "settings",  # always the same: nothing is ever replaced
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    _put(event["ResponseURL"], json.dumps(verdict).encode())


def _complaint() -> str:
    try:
        Settings.from_env()
    except BadSetting as error:
        return str(error)
    return ""


def _put(url: str, body: bytes) -> None:
    """S3 signed the URL for an empty content type; urllib would name one of its own."""
    request = Request(url, body, {"content-type": ""}, method="PUT")
    with urlopen(request, timeout=_WITHIN_S):
        pass
