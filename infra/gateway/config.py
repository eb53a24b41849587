"""Settings of the gateway, with AWS's quotas as defaults."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class GatewayConfig:
    """Settings of one gateway. Times are seconds, sizes are bytes.

    Quotas default to AWS's; the last block holds the choices that AWS's documents do not settle.
    Raises ValueError for a setting that can't work.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    stage: str = "api"
    api_id: str = "local00000"

    # AWS quotas, none of which can be raised there.
    idle_timeout_s: float = 600.0
    max_duration_s: float = 7200.0
    integration_timeout_s: float = 29.0
    message_limit_bytes: int = 128 * KIB
    frame_limit_bytes: int = 32 * KIB
    payload_limit_bytes: int = 128 * KIB
    url_limit: int = 4096
    head_limit_bytes: int = 10240
    body_limit_bytes: int = 10 * MIB

    lambda_timeout_s: float = 60.0
    lambda_memory_mb: int = 128

    workers: int = 32
    max_workers: int = 512
    max_queue: int = 10_000
    send_buffer_bytes: int = MIB
    keep_alive_s: float = 75.0
    close_timeout_s: float = 2.0
    stop_timeout_s: float = 1.5
    sweep_interval_s: float = 1.0

    # First segments of REST paths that the edge serves without the stage too. What is in such a
    # folder may be a secret: the log calls it by its route.
    rest_folders: tuple[str, ...] = ()
    # Whether the edge serves the REST API's own root at `/`, too.
    rest_root: bool = False
    # CloudFront in front of the gateway ends a socket to which the server has sent nothing for so
    # long (600 there), whatever its client says. None: there is no CloudFront.
    edge_idle_s: float | None = None
    route_response: bool = False
    ping_counts: bool = False
    connect_rate: float | None = None

    def __post_init__(self) -> None:
        if not self.stage or "/" in self.stage or self.stage != self.stage.strip():
            raise ValueError(f"stage must be one path segment, like 'api', not {self.stage!r}")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port must be 0 to 65535 (0 picks a free one), not {self.port}")
        if not 1 <= self.workers <= self.max_workers:
            raise ValueError("workers must be at least 1 and at most max_workers")
        for name in ("idle_timeout_s", "max_duration_s", "integration_timeout_s"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be more than 0")
        if self.edge_idle_s is not None and self.edge_idle_s <= 0:
            raise ValueError("edge_idle_s must be more than 0")
        if self.connect_rate is not None and self.connect_rate <= 0:
            raise ValueError("connect_rate must be more than 0")
