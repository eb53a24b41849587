"""Tells CloudFormation, before it changes anything, whether the functions could start.

CloudFormation asks through a custom resource that everything else in the template waits for. The
settings that it asks about are in this function's environment, and they are checked by the code
that the other functions start by.
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

from chalicelib.settings import BadSetting, Settings

log = logging.getLogger(__name__)

# Three tries and the pauses between them end within the function's 20 s. If none succeeds the
# function fails, and Lambda asks again, twice within the time that CloudFormation waits.
TIMEOUT_S = 5
PAUSES_S = (0.5, 2.0)
# CloudFormation takes an answer of 4,096 bytes; a character has up to six in JSON.
_MAX_REASON_LENGTH = 400


def answer_deployment(
    event: Mapping[str, Any],
    sleep: Callable[[float], None] = time.sleep,
    check: Callable[[], object] = Settings.from_env,
) -> None:
    """Tell the `ResponseURL` of a custom resource's event whether the settings can be used.

    `check` raises where they can't: whatever it raises is an answer. Raises what the last try
    raises if the URL can't be reached.
    """
    # A stack whose settings are bad must still be deletable.
    reason = "" if event["RequestType"] == "Delete" else _find_fault(check)
    verdict = {
        "Status": "FAILED" if reason else "SUCCESS",
        "Reason": reason[:_MAX_REASON_LENGTH],
        # An id that changes would say that the resource was replaced by another one.
        "PhysicalResourceId": "settings",
        **{name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")},
    }
    body = json.dumps(verdict).encode()
    for pause_s in PAUSES_S:
        try:
            _put_response(event["ResponseURL"], body)
            return
        except (OSError, HTTPException) as error:
            log.warning("deployment: the answer was not taken: %s", type(error).__name__)
            sleep(pause_s)
    _put_response(event["ResponseURL"], body)


def _find_fault(check: Callable[[], object]) -> str:
    """Return what is wrong with the settings, "" where nothing is. Quotes no secret."""
    try:
        check()
    except BadSetting as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - silence would leave the stack waiting
        # What it says may quote a secret, and a stack's events are for more eyes than that.
        at = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(at.filename).name}, line {at.lineno}"
        return f"The settings can't be looked at: {type(error).__name__} in {where}."
    return ""


def _put_response(url: str, body: bytes) -> None:
    """Put an answer to S3, where CloudFormation reads it. Raises OSError, HTTPException."""
    # Only CloudFormation's call needs it: no cold start pays for it.
    from urllib.request import Request, urlopen

    # S3 signed the URL for an empty content type; urllib would name one of its own.
    request = Request(url, body, {"content-type": ""}, method="PUT")
    with urlopen(request, timeout=TIMEOUT_S):
        pass
