"""URLs of webhook endpoints: one way to write each, and all others are refused.

Parsers differ about what is odd: where a host ends at a backslash, what 0x7f.1 is, whether a tab
counts. So nothing odd gets as far as a parser that might read it otherwise than the one that
connects. What is accepted is ASCII, and the host is a name of letters, digits, hyphens, or an
address as everybody writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from chalicelib.errors import InvalidInput

MAX_URL_LENGTH = 2048
LOOPBACK_HOSTS = {
    "127.0.0.1": ("127.0.0.1",),
    "localhost": ("127.0.0.1", "::1"),
    "[::1]": ("::1",),
}
# No space, no control character, no quote, no backslash, and no # for a fragment.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][!$-;=?-\[\]^_`a-z{|}~]*)?",
    re.ASCII | re.IGNORECASE,
)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# The last label begins with a letter: so it is no number, in whatever notation.
_NAME = re.compile(rf"(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?", re.ASCII)
_MAX_NAME_LENGTH = 253


@dataclass(frozen=True)
class Target:
    """Where a request goes. `addresses` is given where the host is no name to be resolved."""

    host: str  # of the certificate, without brackets
    port: int
    path: str  # with the query
    host_header: str
    is_tls: bool = True
    addresses: tuple[str, ...] = ()


def parse_url(url: str, to_loopback: bool = False) -> Target:
    """Read the URL of an endpoint: https on port 443; where `to_loopback`, plain http to this
    machine's loopback as well. Raises InvalidInput for everything else."""
    match = _URL.fullmatch(url) if len(url) <= MAX_URL_LENGTH else None
    if match is None:
        raise _refuse(
            "The URL must be https://host/path, in ASCII, without credentials and fragment."
        )
    host = match["host"].lower()
    path = match["target"] or "/"
    path = path if path.startswith("/") else f"/{path}"
    if match["scheme"].lower() == "http":
        return _make_loopback_target(host, match["port"], path, to_loopback)
    if match["port"] not in (None, "443"):
        raise _refuse("The URL must be on port 443.")
    if address := _parse_address(host):
        return Target(address, 443, path, host, addresses=(address,))
    if len(host) > _MAX_NAME_LENGTH or not _NAME.fullmatch(host):
        raise _refuse("The URL's host must be a domain name.")
    return Target(host, 443, path, host)


def _make_loopback_target(host: str, given_port: str | None, path: str, allowed: bool) -> Target:
    port = int(given_port or 80)
    if not allowed or host not in LOOPBACK_HOSTS or not 1 <= port <= 65535:
        raise _refuse("The URL must be https.")
    header = host if given_port is None else f"{host}:{port}"
    return Target(host.strip("[]"), port, path, header, False, LOOPBACK_HOSTS[host])


def _parse_address(host: str) -> str | None:
    """Read a host that is an address: four decimal numbers without leading zeros, or an IPv6
    address in brackets, which may have no zone. None for anything else."""
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1]))
        return str(IPv4Address(host))
    except AddressValueError:
        return None


def _refuse(why: str) -> InvalidInput:
    return InvalidInput(why, field="url")
