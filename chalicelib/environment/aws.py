"""Settings of AWS: its region, and another endpoint that takes its place on this machine."""

from __future__ import annotations

from chalicelib.environment.values import Environment


def read_region(env: Environment, default: str) -> str:
    """Read the region, as Lambda names it or as the AWS command line does."""
    return env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or default


def find_endpoint(env: Environment) -> str | None:
    """Find the LocalStack-compatible endpoint that is named, if any; AWS itself needs none."""
    if env.get("AWS_ENDPOINT_URL"):
        return env["AWS_ENDPOINT_URL"]
    if env.get("LOCALSTACK_HOST"):
        from localstack_client.config import get_service_endpoint  # local runs only: not shipped

        return str(get_service_endpoint("dynamodb"))
    return None
