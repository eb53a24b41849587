"""Limits of a connection's life and of new connections a second: pure, on a given time."""

from __future__ import annotations

from dataclasses import dataclass

from infra.gateway.config import GatewayConfig


@dataclass
class Lifetime:
    """When a connection was made and last active, in seconds since the epoch.

    `written` is how many writes there had been when that was last looked at, at `written_at_s`.
    """

    connected_at_s: float
    last_active_at_s: float
    written: int = 0
    written_at_s: float = 0.0

    def __post_init__(self) -> None:
        self.written_at_s = self.connected_at_s

    def touch(self, now_s: float) -> None:
        """Count a message, in or out, as activity."""
        self.last_active_at_s = now_s

    def is_over(self, now_s: float, config: GatewayConfig) -> bool:
        """Tell whether the idle timeout or the maximum duration has passed."""
        return (
            now_s - self.last_active_at_s >= config.idle_timeout_s
            or now_s - self.connected_at_s >= config.max_duration_s
        )

    def note_silence(self, written: int, now_s: float, config: GatewayConfig) -> bool:
        """Tell whether an edge in front has waited too long for a byte. `written` counts the
        writes to the client so far: counting them costs a post less than asking for the time."""
        if config.edge_idle_s is None:
            return False
        if written != self.written:
            self.written, self.written_at_s = written, now_s
        return now_s - self.written_at_s >= config.edge_idle_s


class ConnectRate:
    """A token bucket for new connections: `per_s` a second, bursts of one second's worth."""

    def __init__(self, per_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._capacity = max(per_s, 1.0)
        self._tokens = self._capacity
        self._at_s = now_s

    def take_token(self, now_s: float) -> bool:
        """Take a token if there is one; False means answer 429."""
        gained = max(0.0, now_s - self._at_s) * self._per_s
        self._tokens = min(self._capacity, self._tokens + gained)
        self._at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
