"""A Chalice app is loaded by name and made ready for threads."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from chalice.app import Chalice

from infra.gateway.application import (
    ENDPOINT_VARIABLE,
    AppLoadError,
    export_endpoint,
    load_app,
    make_thread_safe,
)
from infra.gateway.invocation import LambdaContext
from infra.gateway.stage import export_stage


def test_the_endpoint_is_exported_for_aws_sdks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENDPOINT_VARIABLE, "before")
    assert export_endpoint("127.0.0.1", 8080, "api") == "http://127.0.0.1:8080/api"
    assert os.environ[ENDPOINT_VARIABLE] == "http://127.0.0.1:8080/api"
    assert export_endpoint("::1", 8080, "api") == "http://[::1]:8080/api"


def test_the_current_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gateway_sample.py").write_text("import chalice; app = chalice.Chalice('here')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/elsewhere"])
    assert load_app("gateway_sample:app").app_name == "here"


@pytest.mark.parametrize("target", ["", "app", ":app", "app:", "gateway_nowhere:app", "os:sep"])
def test_a_target_that_is_no_app_is_told(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(AppLoadError):
        load_app(target)


def test_an_app_that_needs_a_feature_flag_is_refused_as_chalice_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ("import chalice", "app = chalice.Chalice('x')", "app.on_ws_message()(lambda e: None)")
    (tmp_path / "gateway_flagless.py").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(AppLoadError, match="experimental features without explicitly opting in"):
        load_app("gateway_flagless:app")


def a_config(folder: Path, monkeypatch: pytest.MonkeyPatch, found: object) -> None:
    (folder / ".chalice").mkdir()
    text = found if isinstance(found, str) else json.dumps(found)
    (folder / ".chalice" / "config.json").write_text(text)
    monkeypatch.chdir(folder)
    for name in ("APP", "STAGE", "BOTH"):
        monkeypatch.setenv(name, "before")


def of_stage(name: str, **more: object) -> dict[str, object]:
    return {"environment_variables": {"STAGE": name, "BOTH": name}, **more}


@pytest.mark.parametrize(
    ("stage", "set_to"),
    [
        ("api", ("app", "by-default", "by-default")),
        ("v1", ("app", "named", "named")),
        ("dev", ("app", "before", "app")),  # Chalice's name of a stage is not API Gateway's
    ],
)
def test_a_stage_s_variables_go_over_the_app_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, set_to: tuple[str, str, str]
) -> None:
    stages = {"dev": of_stage("by-default"), "prod": of_stage("named", api_gateway_stage="v1")}
    everywhere = {"environment_variables": {"APP": "app", "BOTH": "app"}}
    a_config(tmp_path, monkeypatch, {"version": "2.0", **everywhere, "stages": stages})
    export_stage(stage)
    assert tuple(os.environ[name] for name in ("APP", "STAGE", "BOTH")) == set_to


def test_without_a_configuration_nothing_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = dict(os.environ)
    export_stage("api")
    assert os.environ == before


@pytest.mark.parametrize(
    "found", ["{", "[]", {"stages": {"dev": []}}, {"environment_variables": {"APP": 1}}]
)
def test_a_configuration_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: object
) -> None:
    a_config(tmp_path, monkeypatch, found)
    with pytest.raises(AppLoadError, match=r"config\.json"):
        export_stage("api")


def test_threads_see_their_own_lambda_context() -> None:
    app = Chalice("small", configure_logs=False)
    make_thread_safe(app)
    seen: list[Any] = []
    mine: Any = LambdaContext("mine")
    app.lambda_context = mine
    thread = threading.Thread(target=lambda: seen.append(app.lambda_context))
    thread.start()
    thread.join()
    assert app.lambda_context is mine
    assert seen == [None]


def test_making_an_app_ready_twice_changes_nothing() -> None:
    app = Chalice("small", configure_logs=False)
    make_thread_safe(app)
    ready = app.__class__
    make_thread_safe(app)
    assert app.__class__ is ready
    assert isinstance(app, Chalice)


def test_every_thread_finds_the_middleware() -> None:
    app = Chalice("small", configure_logs=False)

    @app.middleware("all")
    def pass_on(event: Any, get_response: Any) -> Any:
        return get_response(event)

    @app.on_ws_message()
    def on_message(event: Any) -> None:
        pass

    make_thread_safe(app)
    handler: Any = app.handler_map["on_message"]
    assert list(handler.middleware_handlers) == list(handler.middleware_handlers) == [pass_on]


def test_a_lambda_context_counts_down() -> None:
    context = LambdaContext("small-api", timeout_s=5.0)
    assert 0 < context.get_remaining_time_in_millis() <= 5000
    assert LambdaContext("small-api", timeout_s=0.0).get_remaining_time_in_millis() == 0
    assert context.aws_request_id != LambdaContext("small-api").aws_request_id
    assert context.invoked_function_arn.endswith(":function:small-api")
