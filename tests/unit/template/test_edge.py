"""What stands in front: nothing is kept that one person was told, and who came can be known."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from chalicelib.edge.rest.public_url import EDGE_HOST
from infra.template import watch
from infra.template.edge import CACHING_DISABLED, list_rules
from infra.template.parameters import make_parameters
from tests.unit.template.test_lint import CFN_LINT
from tests.unit.template.test_template import of_type, properties

Value = dict[str, Any]
# CloudFront, "HTTP 4xx and 5xx status codes that CloudFront caches": always, and where the origin
# sends max-age; and 416, which it words but does not keep.
CACHED = {400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}
TOKENS_IN = ("cs-uri-stem", "cs-uri-query", "cs(Referer)", "cs(Cookie)", "cs-headers")


def distribution(resources: Value) -> Value:
    (found,) = of_type(resources, "AWS::CloudFront::Distribution").values()
    config: Value = found["Properties"]["DistributionConfig"]
    return config


def test_no_error_is_kept_for_the_next_caller(resources: Value) -> None:
    """Its key is the path alone, so that next caller may be anybody."""
    answers = distribution(resources)["CustomErrorResponses"]
    assert {answer["ErrorCode"] for answer in answers} == CACHED
    assert all(answer["ErrorCachingMinTTL"] == 0 for answer in answers)
    # An answer that is replaced would no longer be an error of the API.
    assert all(answer.keys() == {"ErrorCode", "ErrorCachingMinTTL"} for answer in answers)


def test_nothing_else_is_kept_either(resources: Value) -> None:
    config = distribution(resources)
    for behaviour in (config["DefaultCacheBehavior"], *config["CacheBehaviors"]):
        assert behaviour["CachePolicyId"] == CACHING_DISABLED


def test_links_are_short_and_know_their_host(resources: Value) -> None:
    """`/t/…` stands without the stage; what makes a link is told by which host it was asked."""
    config = distribution(resources)
    origins = {origin["Id"]: origin for origin in config["Origins"]}
    by_path = {one["PathPattern"]: one for one in config["CacheBehaviors"]}
    assert origins[by_path["/t/*"]["TargetOriginId"]]["OriginPath"] == "/api"
    assert "FunctionAssociations" not in by_path["/t/*"]
    (called,) = by_path["/api/v1/orders/*/tracking"]["FunctionAssociations"]
    assert called["FunctionARN"] == {"Fn::GetAtt": ["HostFunction", "FunctionARN"]}
    code = properties(resources, "HostFunction")["FunctionCode"]
    assert f"request.headers['{EDGE_HOST}'] = {{value: request.headers.host.value}}" in code
    assert list(by_path).index("/api/v1/orders/*/tracking") < list(by_path).index("/api/*")


def test_the_front_door_is_on_every_name_of_it(resources: Value) -> None:
    """`/` is the REST API's root. `/api` is the sockets', whose function leads others to it."""
    config = distribution(resources)
    by_path = {one["PathPattern"]: one for one in config["CacheBehaviors"]}
    origins = {origin["Id"]: origin for origin in config["Origins"]}
    assert origins[by_path["/"]["TargetOriginId"]]["OriginPath"] == "/api"
    assert by_path["/api"]["TargetOriginId"] == by_path["/api/"]["TargetOriginId"] == "websocket"
    *_, last = list_rules()
    assert (last.pattern, last.location) == ("/api", "/")
    assert last.otherwise is not None
    assert json.loads(last.otherwise[1])["links"]["console"] == "/api/console"
    assert len(properties(resources, "PathsFunction")["FunctionCode"]) < 10_000


def test_the_gateways_own_answers_may_not_be_kept(resources: Value) -> None:
    body = properties(resources, "RestAPI")["Body"]
    for answer in body["x-amazon-apigateway-gateway-responses"].values():
        headers = answer["responseParameters"]
        assert headers["gatewayresponse.header.Cache-Control"] == "'no-store'"


def test_clients_may_come_by_ipv6(resources: Value) -> None:
    assert distribution(resources)["IPV6Enabled"] is True


def test_a_web_acl_is_an_option(resources: Value) -> None:
    assert distribution(resources)["WebACLId"]["Fn::If"][:2] == [
        "HasWebAcl",
        {"Ref": "WebAclArn"},
    ]
    assert make_parameters()["WebAclArn"]["Default"] == ""


def test_tables_can_be_protected_and_a_creation_can_be_rolled_back(resources: Value) -> None:
    """DynamoDB would refuse to delete a protected table of a stack that could not be made."""
    assert make_parameters()["DeletionProtection"]["Default"] == "off"
    for table in of_type(resources, "AWS::DynamoDB::Table").values():
        protected = table["Properties"]["DeletionProtectionEnabled"]
        assert protected == {"Fn::If": ["ProtectsTables", True, False]}


def test_a_socket_log_says_what_went_wrong_in_words_that_a_websocket_has(resources: Value) -> None:
    """API Gateway, "Configure logging for WebSocket APIs": REST's integrationErrorMessage is none
    of its variables."""
    stage = properties(resources, "WebsocketAPIStage")
    fields = json.loads(stage["AccessLogSettings"]["Format"])
    assert fields["error"] == "$context.error.message"
    assert fields["route"] == "$context.routeKey"
    assert "$context.integrationErrorMessage" not in fields.values()


def test_a_stage_beats_before_the_edge_cuts(template: Value) -> None:
    assert template["Parameters"]["HeartbeatS"]["Default"] == "480"
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["HEARTBEAT_S"] == {"Ref": "HeartbeatS"}


# What stands in us-east-1


def test_the_edges_log_tells_who_came_and_no_token() -> None:
    (delivery,) = of_type(watch.make_template()["Resources"], "AWS::Logs::Delivery").values()
    fields = delivery["Properties"]["RecordFields"]
    assert {"c-ip", "sc-status", "cache-behavior-path-pattern"} <= set(fields)
    assert not set(fields) & set(TOKENS_IN)
    assert not [field for field in fields if field.startswith("cs(")]


def test_logs_and_limits_are_off_unless_asked_for() -> None:
    made = watch.make_template()
    defaults = {name: one.get("Default") for name, one in made["Parameters"].items()}
    assert (defaults["AccessLogs"], defaults["RequestsPerAddress"]) == ("off", 0)
    for name, resource in made["Resources"].items():
        assert name == "EdgeErrorsAlarm" or resource["Condition"] in ("Logs", "Limits")


def test_the_rate_is_of_one_address_and_a_sample_shows_nothing() -> None:
    (acl,) = of_type(watch.make_template()["Resources"], "AWS::WAFv2::WebACL").values()
    found = acl["Properties"]
    assert found["Scope"] == "CLOUDFRONT"
    (rule,) = found["Rules"]
    assert rule["Statement"]["RateBasedStatement"]["AggregateKeyType"] == "IP"
    for one in (found, rule):
        assert one["VisibilityConfig"]["SampledRequestsEnabled"] is False


def test_it_is_clean(tmp_path: Path) -> None:
    path = tmp_path / "watch.json"
    path.write_text(json.dumps(watch.make_template()))
    ran = subprocess.run(
        [sys.executable, "-c", CFN_LINT, "--format", "parseable", str(path)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("", "")
