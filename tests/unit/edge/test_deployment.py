"""What CloudFormation is told before it changes a stage, at an address like those of S3."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from chalicelib.edge import deployment

IDS = {"StackId": "arn:stack", "RequestId": "r-1", "LogicalResourceId": "SettingsChecked"}


class Uploads(BaseHTTPRequestHandler):
    """Takes uploads, as a signed URL of S3 does."""

    taken: list[tuple[str, str, str | None, Any]]

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.taken.append((self.command, self.path, self.headers["content-type"], body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def bucket() -> Iterator[HTTPServer]:
    Uploads.taken = []
    with HTTPServer(("127.0.0.1", 0), Uploads) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def told(bucket: HTTPServer, request: str) -> Any:
    """What CloudFormation hears when it asks."""
    url = f"http://127.0.0.1:{bucket.server_port}/answer?signature=1"
    deployment.answer({"RequestType": request, "ResponseURL": url, **IDS})
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
