"""What CloudFormation is told before it changes a stage, at an address like those of S3."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.error import HTTPError

import pytest

from chalicelib.edge import deployment
from chalicelib.settings import BadSetting
from infra.package.project import CONFIG, HOME

IDS = {"StackId": "arn:stack", "RequestId": "r-1", "LogicalResourceId": "SettingsChecked"}


class Uploads(BaseHTTPRequestHandler):
    """Takes uploads, as a signed URL of S3 does."""

    taken: list[tuple[str, str, str | None, Any]]
    refusals = 0  # how many are answered 503 first

    def do_PUT(self) -> None:
        if Uploads.refusals:
            Uploads.refusals -= 1
            self.send_error(503)
            return
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.taken.append((self.command, self.path, self.headers["content-type"], body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def bucket() -> Iterator[HTTPServer]:
    Uploads.taken, Uploads.refusals = [], 0
    with HTTPServer(("127.0.0.1", 0), Uploads) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def told(bucket: HTTPServer, request: str, **given: Any) -> Any:
    """What CloudFormation hears when it asks."""
    url = f"http://127.0.0.1:{bucket.server_port}/answer?signature=1"
    event = {"RequestType": request, "ResponseURL": url, **IDS}
    deployment.answer_deployment(event, **{"sleep": lambda seconds: None, **given})
    ((method, path, content_type, body),) = Uploads.taken
    assert (method, path, content_type) == ("PUT", "/answer?signature=1", "")
    assert {name: body[name] for name in IDS} == IDS
    assert body["PhysicalResourceId"] == "settings"
    return body["Status"], body["Reason"]


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_what_can_be_used_is_deployed(bucket: HTTPServer, request_type: str) -> None:
    assert told(bucket, request_type) == ("SUCCESS", "")


@pytest.mark.parametrize("request_type", ["Create", "Update"])
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("JWT_SECRET", "", "JWT_SECRET (or JWT_JWKS_URL) must be set."),
        ("JWT_SECRET", "too short", "JWT_SECRET must have at least 32 characters."),
        (
            "DISPATCH_RADIUS_M",
            "far",
            "DISPATCH_RADIUS_M takes a number from 1 to 100000, not 'far'.",
        ),
    ],
)
def test_what_cannot_be_used_is_not_and_the_reason_is_told(
    bucket: HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    request_type: str,
    name: str,
    value: str,
    reason: str,
) -> None:
    monkeypatch.setenv(name, value)
    assert told(bucket, request_type) == ("FAILED", reason)


def test_a_stack_can_be_deleted_whatever_its_settings_are(
    bucket: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JWT_SECRET", "")
    assert told(bucket, "Delete") == ("SUCCESS", "")


@pytest.mark.parametrize("request_type", ["Create", "Update"])
@pytest.mark.parametrize(
    "error", [KeyError("a-secret"), UnicodeError("a-secret"), RecursionError(), MemoryError()]
)
def test_whatever_is_raised_is_an_answer_that_tells_no_secret(
    bucket: HTTPServer, request_type: str, error: Exception
) -> None:
    def check() -> None:
        raise error

    status, reason = told(bucket, request_type, check=check)
    assert status == "FAILED"
    assert f"{type(error).__name__} in test_deployment.py, line" in reason
    assert "a-secret" not in reason


def test_a_reason_is_no_longer_than_cloudformation_takes(bucket: HTTPServer) -> None:
    def check() -> None:
        raise BadSetting("\N{SNOWMAN}" * 9000)

    assert told(bucket, "Create", check=check)[0] == "FAILED"
    assert len(json.dumps(Uploads.taken[0][3])) < 4096


@pytest.mark.parametrize("refusals", [1, 2])
def test_an_answer_that_is_not_taken_is_given_again(bucket: HTTPServer, refusals: int) -> None:
    Uploads.refusals = refusals
    pauses: list[float] = []
    assert told(bucket, "Create", sleep=pauses.append) == ("SUCCESS", "")
    assert len(pauses) == refusals


def test_an_answer_that_nobody_takes_fails_the_function_so_that_it_is_asked_again(
    bucket: HTTPServer,
) -> None:
    Uploads.refusals = 3
    with pytest.raises(HTTPError, match="503"):
        told(bucket, "Create")


def test_all_tries_fit_into_the_functions_time() -> None:
    config = json.loads((HOME / CONFIG).read_text())["stages"]["api"]["lambda_functions"]
    tries = len(deployment.PAUSES_S) + 1
    needed = tries * deployment.TIMEOUT_S + sum(deployment.PAUSES_S)
    assert needed < config["check_settings"]["lambda_timeout"]
