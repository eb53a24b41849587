"""Plain AWS clients for the local tools: one session each, short timeouts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from botocore.config import Config
from botocore.loaders import Loader
from botocore.session import get_session

REGION = "us-east-1"


def make_client(
    service: str, endpoint: str | None, region: str = REGION, *, wait_s: int = 0
) -> Any:
    """Return a botocore client that may be shared by threads; `wait_s` is its longest poll.

    It does not retry: whoever calls it is a loop, or wants the failure now.
    """
    session = get_session()
    session.register_component("data_loader", _get_loader())
    return session.create_client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=2,
            read_timeout=5 + wait_s,
            retries={"total_max_attempts": 1},
            max_pool_connections=50,  # all tables are made at once
        ),
    )


@lru_cache(maxsize=1)
def _get_loader() -> Loader:
    """Return what reads the services' descriptions, once for all sessions: else each client parses
    the list of all endpoints anew, a tenth of a second."""
    found: Loader = get_session().get_component("data_loader")
    return found
