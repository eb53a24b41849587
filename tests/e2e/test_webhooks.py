"""Webhooks to a receiver on this machine, which verifies each request as receivers do: by PyPI's
standardwebhooks and by npm's. Both must agree."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from chalicelib.domain.webhooks.endpoint import make_secret
from tests.documents import check_webhook
from tests.e2e.conftest import DEPLOYED, REMOTE, Stack, wait_for
from tests.e2e.courier.town import Town, a_town

PACKAGE = "standardwebhooks@1"
SCRIPT = Path(__file__).with_name("verify.cjs")
INSTALL_WITHIN_S = 120.0
HANGS_S = 6.0  # more than is slow
TYPES = {
    f"order.{state}"
    for state in ("placed", "offered", "accepted", "arrived", "picked_up", "delivered")
}


class Server(ThreadingHTTPServer):
    """Lets in whoever comes: many may come at once."""

    daemon_threads = True
    request_queue_size = 128


class Receiver:
    """Keeps what comes. `answer` says how a path is answered, after how many seconds."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], str]] = []  # path, headers, body
        self.came_at: dict[str, list[float]] = defaultdict(list)
        self.answer: Callable[[str], tuple[int, float]] = lambda path: (204, 0)
        self.answering = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                receiver.requests.append((self.path, dict(self.headers.items()), body))
                receiver.came_at[self.path].append(time.monotonic())
                with receiver.answering:
                    status, after_s = receiver.answer(self.path)
                time.sleep(after_s)
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Be silent."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, path: str) -> list[tuple[dict[str, str], Any]]:
        """What came for a path: headers, and the body's JSON."""
        return [(headers, json.loads(body)) for at, headers, body in self.requests if at == path]

    def types(self, path: str) -> list[str]:
        """The types of the events that came for a path."""
        return [body["type"] for _, body in self.of(path)]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver, where Waybill may post to one that is here."""
    if DEPLOYED is not None or REMOTE:
        pytest.skip("a stage posts to no loopback")
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()
    for _, _, body in made.requests:
        check_webhook(body)


@pytest.fixture
def town(stack: Stack) -> Iterator[Town]:
    """A town on the shared stack."""
    with a_town(stack) as found:
        yield found


def verify_by_pypi(secret: str, headers: dict[str, str], body: str) -> str:
    """Verify; "ok" or why not."""
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError as error:
        return str(error)
    return "ok"


@pytest.fixture(scope="session")
def verify_by_npm(request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """The same by npm's package, installed once and kept among pytest's own files."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are needed to verify as npm's package does")
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("standardwebhooks")
    if not (folder / "node_modules" / "standardwebhooks").is_dir():
        (folder / "package.json").write_text('{"private": true}')
        command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", PACKAGE]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_WITHIN_S
        )
        if done.returncode:
            pytest.skip(f"npm could not install {PACKAGE}: {done.stderr.strip()[-200:]}")
    shutil.copy(SCRIPT, folder)
    node = subprocess.Popen(
        ["node", SCRIPT.name],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    )

    def verify(secret: str, headers: dict[str, str], body: str) -> str:
        assert node.stdin
        assert node.stdout
        node.stdin.write(json.dumps({"secret": secret, "headers": headers, "body": body}) + "\n")
        return node.stdout.readline().strip()

    with node:
        yield verify
        node.kill()


@pytest.fixture
def create(town: Town, receiver: Receiver) -> Iterator[Callable[..., dict[str, Any]]]:
    """Create an endpoint for everything, of an admin; all are deleted in the end."""
    ada, made = town.person("admin", "ada"), []

    def create_endpoint(path: str) -> dict[str, Any]:
        answer = ada.post("webhooks", {"url": receiver.url + path, "events": ["*"]})
        assert answer.status == 201, answer.body
        made.append(answer.json)
        return dict(answer.json)

    yield create_endpoint
    for one in made:
        assert ada.delete(f"webhooks/{one['id']}").status in (200, 204)


def test_an_order_is_told_and_both_libraries_verify_every_request(
    town: Town,
    receiver: Receiver,
    create: Callable[..., dict[str, Any]],
    verify_by_npm: Callable[..., str],
) -> None:
    """One receiver takes all; one fails at first; one hangs, and delays neither."""
    failures = [500, 302]

    def answer(path: str) -> tuple[int, float]:
        if path == "/fails" and failures:
            return failures.pop(), 0.0
        return 200, HANGS_S if path == "/hangs" else 0.0

    receiver.answer = answer
    secrets = {path: create(path)["secret"] for path in ("/good", "/fails", "/hangs")}
    ana, ben = town.customer(), town.on_duty()
    ana_placed = town.order(ana)
    for verb in ("accept", "arrived", "picked", "delivered"):
        assert ben.step(verb, ana_placed["id"]).status == 200

    order_id = ana_placed["id"]

    def of_ana(path: str) -> list[tuple[dict[str, str], Any]]:
        """The requests of this order: others of the stack may still end meanwhile."""
        requests = receiver.of(path)
        return [one for one in requests if one[1]["data"].get("order", {}).get("id") == order_id]

    def ids_of(path: str) -> set[str]:
        return {headers["webhook-id"] for headers, _ in receiver.of(path)}

    wait_for(lambda: {body["type"] for _, body in of_ana("/good")} == TYPES)
    first_at, *_ = receiver.came_at["/hangs"]
    together = [at for at in receiver.came_at["/hangs"] if at < first_at + HANGS_S - 1]
    assert len(together) <= 4 + 1  # a few at a time: none of them was answered by then
    told = [body for _, body in of_ana("/good")]
    versions = {body["type"]: body["data"]["order"]["version"] for body in told}
    assert versions["order.placed"] < versions["order.accepted"] < versions["order.delivered"]
    wait_for(lambda: len({h["webhook-id"] for h, _ in of_ana("/fails")}) == len(told))
    wait_for(lambda: len(receiver.of("/fails")) == len(ids_of("/fails")) + 2)  # failed, after 5 s
    for path, headers, body in list(receiver.requests):
        assert verify_by_pypi(secrets[path], headers, body) == "ok"
        assert verify_by_npm(secrets[path], headers, body) == "ok"
        for secret, sent in ((make_secret(), body), (secrets[path], body + " ")):
            assert verify_by_pypi(secret, headers, sent) != "ok"
            assert verify_by_npm(secret, headers, sent) != "ok"
        assert len(body) < 20_000
    bodies = {(h["webhook-id"], json.dumps(body)) for h, body in receiver.of("/fails")}
    assert len(bodies) == len(ids_of("/fails"))  # a resend carries the first id and body


def test_a_rotated_secret_signs_beside_the_new_one_and_attempts_are_shown(
    town: Town,
    receiver: Receiver,
    create: Callable[..., dict[str, Any]],
    verify_by_npm: Callable[..., str],
) -> None:
    made = create("/good")
    ada = town.person("admin", "ada")
    rotated = ada.post(f"webhooks/{made['id']}/rotate").json
    assert ada.post(f"webhooks/{made['id']}/test").status < 300
    wait_for(lambda: receiver.requests)
    _, headers, body = receiver.requests[0]
    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (made["secret"], rotated["secret"]):
        assert verify_by_pypi(secret, headers, body) == verify_by_npm(secret, headers, body) == "ok"
    shown = wait_for(lambda: ada.get(f"webhooks/{made['id']}/attempts").json["attempts"])
    assert (shown[0]["event_id"], shown[0]["status"]) == (headers["webhook-id"], 204)


def test_addresses_that_lead_inside_are_refused(town: Town) -> None:
    ada = town.person("admin", "ada")
    for url in (
        "http://169.254.169.254/latest/meta-data/",
        "https://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
        "https://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "https://localhost/",
    ):
        refused = ada.post("webhooks", {"url": url, "events": ["*"]})
        assert (refused.status, refused.json["error"]) == (400, "invalid_input"), url
