"""The contracts' literal WebSocket paths. API Gateway has none: each becomes a query.

The local gateway applies the table, and the CloudFront function for AWS is made from it.
"""

from infra.gateway.paths import Demand, PathRule

# A Socket.IO client begins with long-polling unless told otherwise, and API Gateway can't do that.
# The words and the code are those of a Socket.IO server without that transport, and what to do.
_NO_POLLING = (
    '{"code":0,"message":"Transport unknown: '
    "there is no long-polling here; connect with transports: ['websocket']\"}"
)

# Clients of older protocols say so, by any transport, and know this answer: a Socket.IO server's.
_PROTOCOL = Demand("EIO", "4", (400, '{"code":5,"message":"Unsupported protocol version"}'))

PATHS: tuple[PathRule, ...] = (
    PathRule("/api/v1/ws/courier", {"contract": "courier"}),
    PathRule("/api/v1/ws/customer", {"contract": "customer"}),
    PathRule("/api/websocket/ws", {"contract": "feed"}),
    PathRule("/api/v1/ws/rides", {"contract": "rides"}),
    PathRule("/ws/driver/orders/", {"contract": "drivers"}),
    PathRule("/ws/driver/orders/{token}", {"contract": "drivers"}),
    PathRule("/orders", {"contract": "food"}),
    PathRule(
        "/socket.io", {"contract": "socketio"}, otherwise=(400, _NO_POLLING), demand=_PROTOCOL
    ),
)
