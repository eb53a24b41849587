"""Settings that are addresses of the web: whose pages may call us, where we are, a map's style."""

from __future__ import annotations

import re

from chalicelib.environment.values import BadSetting, Environment

_STYLE_PATTERN = re.compile(
    r"(https?://[A-Za-z0-9.:\[\]_-]+)?/[A-Za-z0-9._~!$&()*+:@/?=%-]*", re.ASCII
)
_ORIGIN_PATTERN = re.compile(
    r"[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE | re.ASCII,
)


def parse_origins(env: Environment, default: tuple[str, ...]) -> tuple[str, ...]:
    """Parse the origins whose pages may call us, written as browsers do; `*`: all. Raises
    BadSetting."""
    given = env.get("CORS_ORIGINS") or ",".join(default)
    origins = [part.strip() for part in given.split(",")]
    if origins == ["*"]:
        return ("*",)
    for origin in origins:
        if not is_origin(origin):
            raise BadSetting(
                "CORS_ORIGINS takes * or origins with commas between them, without a path, as "
                f"https://app.example.com,http://localhost:3000, not {origin!r}."
            )
    return tuple(dict.fromkeys(normalize_origin(origin) for origin in origins))


def parse_public_url(env: Environment) -> str:
    """Parse the origin at which clients reach us; "" where it is not given. Raises BadSetting."""
    given = env.get("PUBLIC_URL", "").strip().removesuffix("/")
    if given and not (given.startswith(("http://", "https://")) and is_origin(given)):
        raise BadSetting(
            "PUBLIC_URL takes an origin without a path, as https://go.example.com, "
            f"not {env['PUBLIC_URL']!r}."
        )
    return normalize_origin(given)


def parse_map_style(env: Environment) -> tuple[str, ...]:
    """Parse the URL of a map's style, and origins after it. Raises BadSetting."""
    style, *origins = env.get("MAP_STYLE_URL", "").split() or [""]
    if not style:
        return ()
    # They become part of a header: nothing may end a directive of it, or begin another.
    if not _STYLE_PATTERN.fullmatch(style) or not all(map(is_origin, origins)):
        raise BadSetting(
            "MAP_STYLE_URL takes a style's URL, or its path on this host, and after it the other "
            "origins that its tiles come from, separated by spaces, as "
            f"https://maps.example.com/style.json, not {env['MAP_STYLE_URL']!r}."
        )
    return (style, *origins)


def is_origin(text: str) -> bool:
    """Say whether a text is an origin: a scheme, a host and maybe a port, and no path."""
    found = _ORIGIN_PATTERN.fullmatch(text)
    return found is not None and int(found["port"] or 1) in range(1, 65536)


def normalize_origin(origin: str) -> str:
    """Write an origin as browsers do: in lower case, without its scheme's usual port."""
    lower = origin.lower()
    for scheme, port in (("http://", ":80"), ("https://", ":443")):
        if lower.startswith(scheme):
            return lower.removesuffix(port)
    return lower
