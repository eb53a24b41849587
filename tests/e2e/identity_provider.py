"""A small identity provider on loopback: OpenID Connect's code flow, held to PKCE, with RS256.

Who comes to its authorization endpoint is signed in at once, as who is named here, and sent back.
It takes a code once, from the client that began, with the verifier that hashes to the challenge.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import RSAAlgorithm

CLIENT = "waybill-console"
API = "waybill"


class IdentityProvider:
    """What it knows and does. `lasts_s` is for how long access tokens are good."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.person, self.role = "ada", "admin"
        self.lasts_s = 300
        self.gives_refresh_tokens = True
        self.changes: dict[str, str] = {}  # of what is sent back: for an attacker's answer
        self.asked: list[dict[str, str]] = []  # at the authorization endpoint
        self.grants: list[str] = []  # by which tokens were given
        self.refused: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh: set[str] = set()
        self._key = generate_private_key(65537, 2048)

    def describe(self) -> dict[str, Any]:
        """Its discovery document."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }

    def list_keys(self) -> dict[str, Any]:
        """Its public keys."""
        key = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": "1", "use": "sig", "alg": "RS256"}]}

    def authorize(self, query: dict[str, str]) -> str:
        """Sign the one person in; return where the browser goes on."""
        self.asked.append(query)
        answer = {"state": query["state"], "iss": self.url}
        right = query["client_id"] == CLIENT and query["response_type"] == "code"
        if not right or query.get("code_challenge_method") != "S256" or not query.get("nonce"):
            answer["error"] = "invalid_request"
        elif not self.person:
            answer["error"] = "login_required" if query.get("prompt") == "none" else "access_denied"
        else:
            answer["code"] = secrets.token_urlsafe(16)
            self._codes[answer["code"]] = query
        return f"{query['redirect_uri']}?{urlencode({**answer, **self.changes})}"

    def give_tokens(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Give tokens for a code or a refresh token: a status and a body."""
        kind = form.get("grant_type", "")
        nonce = ""
        if kind == "refresh_token" and form["refresh_token"] in self._refresh:
            self._refresh.remove(form["refresh_token"])
        elif kind == "authorization_code" and self._is_right(form):
            nonce = self._codes.pop(form["code"])["nonce"]
        else:
            self.refused.append(kind)
            return 400, {"error": "invalid_grant", "error_description": "no such grant"}
        self.grants.append(kind)
        return 200, self._make_tokens(nonce)

    def _is_right(self, form: dict[str, str]) -> bool:
        begun = self._codes.get(form.get("code", ""))
        digest = sha256(form.get("code_verifier", "").encode()).digest()
        return (
            begun is not None
            and urlsafe_b64encode(digest).decode().rstrip("=") == begun["code_challenge"]
            and form["redirect_uri"] == begun["redirect_uri"]
            and form["client_id"] == begun["client_id"]
        )

    def _make_tokens(self, nonce: str) -> dict[str, Any]:
        now = int(time.time())
        common = {"iss": self.url, "sub": self.person, "iat": now, "exp": now + self.lasts_s}
        found: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": self.lasts_s,
            "access_token": self._sign({**common, "aud": API, "role": self.role}),
        }
        if nonce:
            found["id_token"] = self._sign({**common, "aud": CLIENT, "nonce": nonce})
        if self.gives_refresh_tokens:
            found["refresh_token"] = secrets.token_urlsafe(16)
            self._refresh.add(found["refresh_token"])
        return found

    def _sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._key, "RS256", headers={"kid": "1"})


@contextmanager
def serve_provider() -> Iterator[IdentityProvider]:
    """Serve one while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = urlsplit(self.path)
            if place.path == "/.well-known/openid-configuration":
                self._say(200, provider.describe())
            elif place.path == "/keys":
                self._say(200, provider.list_keys())
            elif place.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorize(_flatten(place.query)))
                self.end_headers()
            else:
                self._say(404, {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            self._say(*provider.give_tokens(_flatten(body)))

        def _say(self, status: int, body: dict[str, Any]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = IdentityProvider(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _flatten(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(query).items()}
