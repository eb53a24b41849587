"""The text that is printed when the local run is ready: one line, then commands to paste."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from infra.local.options import LocalOptions

FREE = {"available": True, "lat": 52.52, "lng": 13.4}
PARCEL = {
    "pickup_address": "Mill 1",
    "pickup_lat": 52.52,
    "pickup_lng": 13.41,
    "dropoff_address": "Lane 2",
    "receiver_phone": "+4930123456",
}


def format_banner(
    options: LocalOptions,
    endpoint: str | None,
    started_in_s: float,
    env: Mapping[str, str],
    admin_token: str = "",
) -> str:
    """Return the lines. `admin_token` is in the console's address and nowhere else; it is "" where
    tokens are another issuer's."""
    engine = f"engine at {endpoint}" if endpoint else "moto in this process; data ends with it"
    return "\n".join(
        [
            f"Waybill is ready at {options.url} after {started_in_s:.1f} s ({engine}).",
            "",
            _format_console(options, admin_token),
            f"A city at work, to watch in it: {_demo_command(options, env)}",
            f"What can be asked and heard: {options.url}/api/docs/",
            "",
            *_format_commands(options, env),
            "",
            "Ctrl-C ends it.",
        ]
    )


def _format_console(options: LocalOptions, admin_token: str) -> str:
    address = f"{options.url}/api/console"
    if not admin_token:
        return f"The console: {address}"
    return f"The console, signed in as an admin: {address}#token={admin_token}"


def _demo_command(options: LocalOptions, env: Mapping[str, str]) -> str:
    state_dir = f"STATE_DIR={shlex.quote(env['STATE_DIR'])} " if env.get("STATE_DIR") else ""
    url = "" if options.port == LocalOptions.port else f" URL={options.url}"
    if env.get("JWT_JWKS_URL"):
        return f"make demo{url} TOKENS=…  # what prints a token of your issuer"
    hint = ", with the same JWT_SECRET" if env.get("JWT_SECRET") else ""
    return f"{state_dir}make demo{url}, in another terminal{hint}"


def _format_commands(options: LocalOptions, env: Mapping[str, str]) -> list[str]:
    return [
        "A courier, in another terminal:",
        f"  COURIER={_token_command(env, 'courier', 'ben')}",
        f"  {_post_command(options, 'courier/availability', 'COURIER', json.dumps(FREE))}",
        f"  {_listen_command(options, 'courier', 'COURIER')}",
        "A customer, in a third one, within two minutes:",
        f"  CUSTOMER={_token_command(env, 'customer', 'ana')}",
        f"  {_post_command(options, 'orders', 'CUSTOMER', json.dumps(PARCEL))}",
        "The courier accepts within 15 s, there too, and the customer hears of both:",
        f"  COURIER={_token_command(env, 'courier', 'ben')}",
        f"  ORDER=$({_get_command(options, 'courier/active-order', 'COURIER')} | {_THE_ID})",
        f"  {_post_command(options, 'courier/orders/accept', 'COURIER', _THAT_ORDER)}",
        f"  {_listen_command(options, 'customer', 'CUSTOMER')}",
    ]


_THE_ID = """sed 's/.*"id":"\\([0-9]*\\)".*/\\1/'"""
_THAT_ORDER = """{"order_id": "'"$ORDER"'"}"""  # ends the quotes around the body, and begins them


def _post_command(options: LocalOptions, path: str, token: str, body: str) -> str:
    get = _get_command(options, path, token)
    return f"{get} -w '\\n' -H 'Content-Type: application/json' -d '{body}'"


def _get_command(options: LocalOptions, path: str, token: str) -> str:
    return f'curl -sS {options.url}/api/v1/{path} -H "Authorization: Bearer ${token}"'


def _listen_command(options: LocalOptions, path: str, token: str) -> str:
    url = options.url.replace("http", "ws", 1)
    return f'.venv/bin/python -m websockets "{url}/api/v1/ws/{path}?token=${token}"'


def _token_command(env: Mapping[str, str], role: str, person_id: str) -> str:
    # Tokens of another issuer can't be made here, only named.
    if env.get("JWT_JWKS_URL"):
        return f"...  # a {role}'s token of your issuer"
    state_dir = f"STATE_DIR={shlex.quote(env['STATE_DIR'])} " if env.get("STATE_DIR") else ""
    hint = "  # with the same JWT_SECRET" if env.get("JWT_SECRET") else ""
    return f"$({state_dir}make -s token ROLE={role} ID={person_id}){hint}"
