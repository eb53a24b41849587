"""The contracts' literal WebSocket paths. API Gateway has none: each becomes a query.

The local gateway applies the table, and the CloudFront function for AWS is made from it.
"""

from infra.gateway.paths import PathRule

PATHS: tuple[PathRule, ...] = (
    PathRule("/api/v1/ws/courier", {"contract": "courier"}),
    PathRule("/api/v1/ws/customer", {"contract": "customer"}),
    PathRule("/api/websocket/ws", {"contract": "feed"}),
    PathRule("/api/v1/ws/rides", {"contract": "rides"}),
    PathRule("/ws/driver/orders/", {"contract": "drivers"}),
    PathRule("/ws/driver/orders/{token}", {"contract": "drivers"}),
    PathRule("/orders", {"contract": "food"}),
    PathRule("/socket.io", {"contract": "socketio"}),
)
