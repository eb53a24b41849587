"""An API Gateway for one Chalice app on this machine: REST and WebSockets on one port.

README.md in this folder has the table of behaviours with their evidence, the choices that AWS's
documents leave open, and the known limitations.
"""

from infra.gateway.application import AppLoadError, export_endpoint, load_app
from infra.gateway.config import GatewayConfig
from infra.gateway.gateway import Gateway, PortError, bind
from infra.gateway.paths import Demand, PathRule
from infra.gateway.responses import GatewayResponse
from infra.gateway.stage import export_stage

__all__ = [
    "AppLoadError",
    "Demand",
    "Gateway",
    "GatewayConfig",
    "GatewayResponse",
    "PathRule",
    "PortError",
    "bind",
    "export_endpoint",
    "export_stage",
    "load_app",
]
