"""What is said of an account's quotas before a stage is deployed."""

from __future__ import annotations

import pytest

from infra.deploy.account import find_shortages
from infra.deploy.stack import Stack
from infra.package.build import Package
from tests.unit.deploy.clouds import Cloud

DEFAULTS = {"RequestsPerSecond": "1000", "MessagesPerSecond": "5000"}


def shortages(cloud: Cloud, **parameters: str) -> str:
    return "\n".join(find_shortages(cloud, DEFAULTS | parameters))


def test_an_account_of_some_age_in_a_large_region_has_enough(cloud: Cloud) -> None:
    assert shortages(cloud) == ""


def test_a_new_account_is_told_to_ask_for_concurrency(cloud: Cloud) -> None:
    cloud.account.concurrency = 10
    assert "Lambda runs 10 functions at once" in shortages(cloud)
    assert "--service-code lambda --quota-code L-B99A9384 --desired-value 1000" in shortages(cloud)


def test_a_small_region_takes_fewer_messages(cloud: Cloud) -> None:
    """2,500 a second, 1,250 at once: the template's burst is its rate."""
    cloud.account.rate, cloud.account.burst = 2500.0, 1250
    told = shortages(cloud)
    assert 'PARAMETERS="MessagesPerSecond=1250"' in told
    assert "RequestsPerSecond=" not in told
    assert shortages(cloud, MessagesPerSecond="1250") == ""


def test_too_few_new_sockets_a_second_are_named(cloud: Cloud) -> None:
    cloud.account.connections = 50.0
    cloud.account.is_default = True
    assert "50 sockets a second" in shortages(cloud)


@pytest.mark.parametrize("service", ["lambda", "apigateway", "service-quotas"])
def test_what_may_not_be_read_is_said_and_the_rest_is_looked_at(cloud: Cloud, service: str) -> None:
    cloud.account.denied = {service}
    told = shortages(cloud)
    assert told.count("can't be read (AccessDeniedException)") == 1
    assert told.count("\n") == 0


def test_a_deployment_says_it_and_goes_on(cloud: Cloud, package: Package) -> None:
    cloud.account.concurrency = 10
    told: list[str] = []
    clock = cloud.clock
    stack = Stack(cloud, "prod", say=told.append, sleep=clock.sleep, now=clock.now)
    assert stack.deploy(package, "bucket", {"MessagesPerSecond": "6000"}) == {"Host": "host of 1"}
    assert any("Lambda runs 10" in line for line in told)
    assert any("MessagesPerSecond=6000 is more" in line for line in told)
