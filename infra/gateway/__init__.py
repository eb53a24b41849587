"""An API Gateway for one Chalice app on this machine: REST and WebSockets on one port.

README.md in this folder has the table of behaviours with their evidence, the choices that AWS's
documents leave open, and the known limitations.
"""

from infra.gateway.application import AppLoadError, export_endpoint, load_app
from infra.gateway.config import GatewayConfig
from infra.gateway.gateway import Gateway, PortError, bind
from infra.gateway.paths import PathRule
from infra.gateway.responses import GatewayResponse

__all__ = [
    "AppLoadError",
    "Gateway",
    "GatewayConfig",
    "GatewayResponse",
    "PathRule",
    "PortError",
    "bind",
    "export_endpoint",
    "load_app",
]
