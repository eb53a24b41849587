"""The parts, put together for `chalice package --merge-template`."""

from __future__ import annotations

from infra.resources.stage import API_STAGE
from infra.template import (
    alarms,
    apis,
    dashboard,
    edge,
    functions,
    guard,
    methods,
    parameters,
    proof,
    queues,
    tables,
)
from infra.template.intrinsics import Value


def overlay(*, with_jwks: bool = False) -> Value:
    """Return what is merged into Chalice's template.

    `with_jwks`: the package can check public keys.
    """
    return {
        "Description": "Waybill, a serverless realtime dispatch backend.",
        "Parameters": parameters.make_parameters(),
        "Rules": parameters.make_rules(with_jwks=with_jwks),
        "Conditions": parameters.make_conditions(),
        "Globals": {"Function": {"Environment": {"Variables": parameters.make_environment()}}},
        "Resources": {
            **tables.make_resources(),
            **queues.make_resources(),
            **proof.make_resources(),
            **functions.make_resources(),
            **apis.make_resources(),
            **edge.make_resources(),
            **alarms.make_resources(),
            **dashboard.make_resources(),
            **guard.make_resources(),
        },
        "Outputs": {**apis.make_outputs(), **proof.make_outputs(), **edge.make_outputs()},
    }


def finish(merged: Value, package: str) -> Value:
    """Do what a merge can't, which only ever adds and replaces. `package`: the zip's digest.

    Everything waits for the guard. Each path of the REST API has ANY. A WebSocket stage deploys
    itself (AutoDeploy); Chalice's own deployment would be made once and later changes of routes
    would never be deployed. It waits for the routes: without one its first deployment fails.
    """
    resources = dict(merged["Resources"])
    del resources["WebsocketAPIDeployment"]
    stage = resources["WebsocketAPIStage"]
    kept = {k: v for k, v in stage["Properties"].items() if k != "DeploymentId"}
    assert kept["StageName"] == API_STAGE
    routes = [n for n, each in resources.items() if each["Type"] == "AWS::ApiGatewayV2::Route"]
    resources["WebsocketAPIStage"] = {**stage, "Properties": kept, "DependsOn": routes}
    return {**merged, "Resources": guard.add_guard(methods.with_any(resources), package)}
