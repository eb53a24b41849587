"""Where clients reach us: what a link that is sent to somebody begins with."""

from __future__ import annotations

import re

from chalice.app import Request

# As the edge says it (infra/template/edge.py): API Gateway itself is asked by another name.
EDGE_HOST = "x-forwarded-host"
_HOST = re.compile(r"([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")
_GATEWAY = ".execute-api."
_LOCAL = re.compile(r":\d+$|^\[|^[\d.]+$|^[^.]+$")  # a port, an address, a name without a domain


def find_link_base(request: Request, public_url: str) -> str:
    """Find the URL under which `/t/…` stands: the one of the settings, else the host that the
    client has asked. API Gateway's own host has it under its stage only."""
    if public_url:
        return public_url
    forwarded = request.headers.get(EDGE_HOST, "")
    if _HOST.fullmatch(forwarded):
        return f"https://{forwarded}"
    context = request.to_original_event()["requestContext"]
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        host = context["domainName"]
    if _GATEWAY in host:
        return f"https://{host}/{context['stage']}"
    # API Gateway says https of each request, and so does the local one, which has none.
    return f"{'http' if _LOCAL.search(host) else 'https'}://{host}"
