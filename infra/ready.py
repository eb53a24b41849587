"""What is printed when the local run is ready: one line, then commands to paste."""

from __future__ import annotations

from collections.abc import Mapping

from infra.options import Options


def ready_text(
    options: Options, endpoint: str | None, started_in_s: float, env: Mapping[str, str]
) -> str:
    """Return the lines. They hold no token: what is printed ends up in logs."""
    engine = f"engine at {endpoint}" if endpoint else "moto in this process; data ends with it"
    return "\n".join(
        [
            f"Waybill is ready at {options.url} after {started_in_s:.1f} s ({engine}).",
            "",
            *_commands(options, env),
            "",
            "Ctrl-C ends it.",
        ]
    )


def _commands(options: Options, env: Mapping[str, str]) -> list[str]:
    url, socket_url = options.url, options.url.replace("http", "ws", 1)
    as_json = "-H 'Content-Type: application/json'"
    return [
        "Try it in another terminal:",
        *_tokens(options, env),
        f"  curl -X POST {url}/api/v1/courier/availability "
        f'-H "Authorization: Bearer $COURIER" {as_json} '
        """-d '{"available": true, "lat": 52.52, "lng": 13.40}'""",
        f'  .venv/bin/python -m websockets "{socket_url}/api/v1/ws/courier?token=$COURIER" &',
        f"  curl -X POST {url}/api/v1/orders "
        f'-H "Authorization: Bearer $CUSTOMER" {as_json} '
        """-d '{"pickup_address": "Mill 1", "dropoff_address": "Lane 2", """
        """"receiver_phone": "+4930123456", "pickup_lat": 52.52, "pickup_lng": 13.41}'""",
    ]


def _tokens(options: Options, env: Mapping[str, str]) -> list[str]:
    if env.get("JWT_JWKS_URL"):
        return ["  # put your issuer's tokens into CUSTOMER and COURIER"]
    needed = [f"{name}={env[name]}" for name in ("STATE_DIR",) if env.get(name)]
    hint = ["  # with the same JWT_SECRET"] if env.get("JWT_SECRET") else []
    make = " ".join([*needed, "make -s token"])
    return [
        *hint,
        f"  export CUSTOMER=$({make} ROLE=customer ID=ana)",
        f"  export COURIER=$({make} ROLE=courier ID=ben)",
    ]
