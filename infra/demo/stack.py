"""The Waybill that the city is on: one that serves already, or one that is started for it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from chalicelib.settings import BadSetting
from infra.deploy.errors import DeployError
from infra.deploy.smoke import find_secret, url_of
from infra.harness.stack_process import StackProcess, is_serving
from infra.local.options import LocalOptions
from infra.local.tokens import mint_token

OWN_OFFER_TTL_S = "4"  # a minute should see offers lapse
_REFUSED = (401, 403)


@dataclass(frozen=True)
class DemoStack:
    """Where the city is, and who makes its people's tokens: of a role, an id and a name."""

    url: str
    make_token: Callable[[str, str, str], str]

    @property
    def console(self) -> str:
        """The address of the console."""
        return f"{self.url}/api/console"

    def check_tokens(self) -> None:
        """Raise BadSetting where tokens that are made here are none there."""
        token = self.make_token("courier", "demo-nobody", "Nobody")
        request = urllib.request.Request(
            f"{self.url}/api/v1/courier/active-order", headers={"Authorization": f"Bearer {token}"}
        )
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in _REFUSED:
                raise BadSetting(
                    f"The Waybill at {self.url} takes other tokens than are made here: start this "
                    "with its JWT_SECRET or STATE_DIR, or give SECRET=…, STAGE=… or TOKENS=command."
                ) from error
            raise


@contextmanager
def use_stack(given: argparse.Namespace, console: Console) -> Iterator[DemoStack]:
    """Yield the Waybill at the given URL, else the one that serves on PORT, else one that is
    started for this. Raises BadSetting, StackProcessError."""
    local = LocalOptions.from_env(os.environ)
    url = url_of(given.url) if given.url else local.url
    if is_serving(url):
        stack = DemoStack(url, _choose_signer(given, os.environ))
        stack.check_tokens()
        console.print(
            f"Using the Waybill at {url}. Watch it at {stack.console}, by the link that `make run` "
            "has printed.",
            highlight=False,
            soft_wrap=True,
        )
        yield stack
        return
    if given.url:
        raise BadSetting(f"Nothing serves at {url}.")
    with _start_stack(local.url, console) as stack:
        yield stack


@contextmanager
def _start_stack(nothing_at: str, console: Console) -> Iterator[DemoStack]:
    ttl_s = os.environ.get("DELIVERY_OFFER_TTL_S") or OWN_OFFER_TTL_S
    with StackProcess(DELIVERY_OFFER_TTL_S=ttl_s) as child:
        stack = DemoStack(child.options.url, _sign_with(child.secret, os.environ))
        console.print(
            f"Nothing serves at {nothing_at}: started a Waybill at {stack.url}, offers lapse after "
            f"{ttl_s} s, and its data is thrown away at the end. Watch it, signed in, at\n"
            f"{stack.console}#token={stack.make_token('admin', 'ada', 'Ada')}",
            highlight=False,
            soft_wrap=True,
        )
        yield stack


def _choose_signer(
    given: argparse.Namespace, env: Mapping[str, str]
) -> Callable[[str, str, str], str]:
    """Choose what makes tokens, as `make smoke` does. Raises BadSetting."""
    if given.tokens:
        return lambda role, id_, name: _ask_for_token(given.tokens, role, id_, name)
    try:
        return _sign_with(find_secret(given.stage, env), env)
    except (DeployError, BotoCoreError, ClientError) as error:
        raise BadSetting(str(error)) from error


def _sign_with(secret: str, env: Mapping[str, str]) -> Callable[[str, str, str], str]:
    issuer, audience = env.get("JWT_ISSUER", ""), env.get("JWT_AUDIENCE", "")
    return lambda role, id_, name: mint_token(
        secret, role, id_, name=name, issuer=issuer, audience=audience
    )


def _ask_for_token(command: str, role: str, id_: str, name: str) -> str:
    words = [each.format(role=role, id=id_) for each in shlex.split(command)]
    environment = {**os.environ, "CLAIMS": json.dumps({"name": name})}
    try:
        asked = subprocess.run(
            words, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise BadSetting(f"TOKENS: {error}") from error
    return asked.stdout.strip()
