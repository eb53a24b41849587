"""`python -m tests.e2e.courier.by_client`: requests in, answers out, through chalice.test.Client.

Reads a JSON list of [method, path, token, body] from standard input and prints a list of
[status, body]. A process of its own, since an app is wired to one engine for good.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from chalice.test import Client

from app import app


def main() -> None:
    with Client(app, stage_name="api") as client:
        answers = [_ask(client, *request) for request in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)


def _ask(client: Client, method: str, path: str, token: str, body: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    content = b"" if body is None else json.dumps(body).encode()
    answer = client.http.request(method, f"/v1/{path}", headers=headers, body=content)
    return answer.status_code, json.loads(answer.body)


if __name__ == "__main__":
    main()
