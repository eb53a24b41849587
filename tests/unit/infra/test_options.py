from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.settings import BadSetting
from infra.local.options import LocalOptions, export_environment


def test_nothing_set_means_ministack_on_the_documented_ports() -> None:
    options = LocalOptions.from_env({})
    assert (options.port, options.engine_port, options.engine) == (8000, 4566, "ministack")
    assert options.endpoint is None
    assert options.state_dir == Path(".local").absolute()


def test_an_endpoint_is_used_as_given() -> None:
    assert LocalOptions.from_env({"ENDPOINT": "http://h:1/"}).endpoint == "http://h:1"


def test_localstack_host_leads_to_an_endpoint_unless_endpoint_does() -> None:
    host = {"LOCALSTACK_HOST": "stack.test:4999"}
    assert LocalOptions.from_env(host).endpoint == "http://stack.test:4999"
    assert LocalOptions.from_env({**host, "ENDPOINT": "http://h:1"}).endpoint == "http://h:1"


def test_moto_needs_no_endpoint() -> None:
    assert LocalOptions.from_env({"ENGINE": "moto", "ENDPOINT": "http://h:1"}).endpoint is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "eighty"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("ENGINE_PORT", "-1"),
        ("ENGINE", "dynamo"),
        ("ENDPOINT", "localhost:4566"),
    ],
)
def test_a_bad_value_is_named_with_what_it_takes(name: str, value: str) -> None:
    with pytest.raises(BadSetting, match=rf"^{name} takes .* not '{value}'\.$"):
        LocalOptions.from_env({name: value})


def test_the_application_is_led_to_the_local_engine_only() -> None:
    env = {"AWS_PROFILE": "work", "AWS_ENDPOINT_URL_SQS": "https://sqs.amazonaws.com"}
    export_environment(LocalOptions(port=8001), "http://127.0.0.1:4566", "s" * 32, env)
    assert env["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert env["AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"] == "http://127.0.0.1:8001/api"
    assert env["AWS_DEFAULT_REGION"] == "us-east-1"
    assert env["AWS_ACCESS_KEY_ID"]
    assert env["JWT_SECRET"] == "s" * 32
    assert not env.keys() & {"AWS_PROFILE", "AWS_ENDPOINT_URL_SQS"}


def test_a_secret_or_key_set_of_the_users_own_is_kept() -> None:
    own = {"JWT_SECRET": "mine"}
    export_environment(LocalOptions(), None, "s" * 32, own)
    assert own["JWT_SECRET"] == "mine"
    keys = {"JWT_JWKS_URL": "https://issuer.test/keys"}
    export_environment(LocalOptions(), None, "s" * 32, keys)
    assert "JWT_SECRET" not in keys


def test_a_local_run_keeps_sockets_open_as_a_stage_does_unless_told_otherwise() -> None:
    env: dict[str, str] = {}
    export_environment(LocalOptions(), None, "s" * 32, env)
    assert env["HEARTBEAT_S"] == "480"
    own = {"HEARTBEAT_S": "0"}
    export_environment(LocalOptions(), None, "s" * 32, own)
    assert own["HEARTBEAT_S"] == "0"


def test_without_an_endpoint_none_is_left_over() -> None:
    env = {"AWS_ENDPOINT_URL": "http://old:1", "LOCALSTACK_HOST": "old"}
    export_environment(LocalOptions(engine="moto"), None, "s" * 32, env)
    assert not env.keys() & {"AWS_ENDPOINT_URL", "LOCALSTACK_HOST"}
