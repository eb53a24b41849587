"""The contracts, made with the defaults of their settings."""

from __future__ import annotations

from chalicelib.contracts.base import Contract
from chalicelib.contracts.registry import build_contracts
from chalicelib.settings import Settings

CONTRACTS: dict[str, Contract] = build_contracts(Settings(jwt_secret="s" * 32))
FEED = CONTRACTS["feed"]
