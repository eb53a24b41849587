"""Look at what an account and its Region allow a stage: the role that logs, the quotas.

Quotas differ by Region and by the account's age. They are read where that is allowed; nothing is
refused for them, as a small stage is well off with little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infra.deploy.errors import DeployError, code_of
from infra.deploy.secret import Clients

LOG_ROLE = "GatewayLogRole"
# Below this a quota is named: the sweep holds one execution for most of each minute, SQS's pollers
# up to five, and each request, message and wakeup another for tens of milliseconds.
CONCURRENCY = 100
CONNECTIONS_PER_S = 500  # API Gateway's default: after an outage everybody comes back at once
_RATES = ("RequestsPerSecond", "MessagesPerSecond")

_RAISE = (
    "aws service-quotas request-service-quota-increase "
    "--service-code {0} --quota-code {1} --desired-value {2}"
)
_CONCURRENT_EXECUTIONS = ("lambda", "L-B99A9384")
_THROTTLE_RATE = ("apigateway", "L-8A5B8E43")
_NEW_CONNECTIONS = ("apigateway", "L-9ED1E49A")


def choose_log_role(clients: Clients) -> str:
    """Return what `GatewayLogRole` is to be where nobody says: never replace what is there.

    Raises DeployError if that can't be seen.
    """
    try:
        account = clients("apigateway").get_account()
    except (ClientError, BotoCoreError) as error:
        raise DeployError(
            f"Whether this Region's API Gateway has a role to log with can't be seen ({error}). "
            f'Say it: PARAMETERS="{LOG_ROLE}=existing", or =create, which replaces it.'
        ) from error
    return "existing" if account.get("cloudwatchRoleArn") else "create"


def find_shortages(clients: Clients, parameters: Mapping[str, str]) -> Iterator[str]:
    """Say which quotas are too low for these parameters, and which of them can't be read."""
    for look in (_check_concurrency, _check_rates, _check_connections):
        try:
            yield from look(clients, parameters)
        except (ClientError, BotoCoreError) as error:
            why = code_of(error) if isinstance(error, ClientError) else type(error).__name__
            yield f'{_ABOUT[look]} can\'t be read ({why}): docs/deploy.md, "How it scales".'


def _check_concurrency(clients: Clients, parameters: Mapping[str, str]) -> Iterator[str]:
    limit = clients("lambda").get_account_settings()["AccountLimit"]
    free = limit.get("UnreservedConcurrentExecutions", limit["ConcurrentExecutions"])
    if free < CONCURRENCY:
        yield (
            f"Lambda runs {free} functions at once here, new accounts get so few: the sweep and "
            "the queue take up to six of them, then clients are throttled. Ask for 1,000:\n  "
            + _RAISE.format(*_CONCURRENT_EXECUTIONS, 1000)
        )


def _check_rates(clients: Clients, parameters: Mapping[str, str]) -> Iterator[str]:
    allowed = clients("apigateway").get_account()["throttleSettings"]
    rate, burst = allowed["rateLimit"], allowed["burstLimit"]
    for name in _RATES:
        # The template's burst is its rate.
        if (wanted := float(parameters.get(name) or 0)) > min(rate, burst):
            yield (
                f"{name}={wanted:.0f} is more than API Gateway gives this account and Region, "
                f"{rate:.0f} a second and {burst} at once, for all APIs together: "
                f'PARAMETERS="{name}={min(rate, burst):.0f}", or ask for more:\n  '
                + _RAISE.format(*_THROTTLE_RATE, 10_000)
            )


def _check_connections(clients: Clients, parameters: Mapping[str, str]) -> Iterator[str]:
    service, code = _NEW_CONNECTIONS
    found = _read_quota(clients("service-quotas"), ServiceCode=service, QuotaCode=code)
    if found < CONNECTIONS_PER_S:
        yield (
            f"{found:.0f} sockets a second may be opened here: after an outage everybody comes "
            "back at once. Ask for more:\n  " + _RAISE.format(service, code, CONNECTIONS_PER_S)
        )


def _read_quota(quotas: Any, **which: str) -> float:
    try:
        return float(quotas.get_service_quota(**which)["Quota"]["Value"])
    except ClientError as error:
        if code_of(error) != "NoSuchResourceException":  # never asked for another value
            raise
    return float(quotas.get_aws_default_service_quota(**which)["Quota"]["Value"])


_ABOUT = {
    _check_concurrency: "How many functions may run at once",
    _check_rates: "API Gateway's rate for this account and Region",
    _check_connections: "How many sockets a second may be opened",
}
