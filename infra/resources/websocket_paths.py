"""The contracts' literal WebSocket paths. API Gateway has none: each becomes a query.

The local gateway applies the table, and the CloudFront function for AWS is made from it.
"""

from typing import Any

from chalicelib.contracts.registry import build_contracts
from chalicelib.settings import Settings
from infra.gateway.paths import Demand, PathRule

# A Socket.IO client begins with long-polling unless told otherwise, and API Gateway can't do that.
# The words and the code are those of a Socket.IO server without that transport, and what to do.
_NO_POLLING = (
    '{"code":0,"message":"Transport unknown: '
    "there is no long-polling here; connect with transports: ['websocket']\"}"
)

# Clients of older protocols say so, by any transport, and know this answer: a Socket.IO server's.
_PROTOCOL = Demand("EIO", "4", (400, '{"code":5,"message":"Unsupported protocol version"}'))

# What a path demands beyond being its contract's.
_MORE: dict[str, dict[str, Any]] = {
    "socketio": {"otherwise": (400, _NO_POLLING), "demand": _PROTOCOL},
}

PATHS: tuple[PathRule, ...] = tuple(
    PathRule(path, {"contract": name}, **_MORE.get(name, {}))
    for name, contract in build_contracts(Settings(jwt_secret="")).items()
    for path in contract.paths
)
