"""CloudFront: one host for REST and for the contracts' literal WebSocket paths."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from chalicelib.edge.rest.front import describe_front
from infra.gateway.paths import PathRule, stage_rules
from infra.resources.stage import API_STAGE, REST_FOLDERS
from infra.resources.websocket_paths import PATHS
from infra.template.intrinsics import Value, att, ref, stage_name, sub, when
from infra.template.rewrite import rewrite_function

# CloudFront's managed policies; the ids are the same in every account.
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER_EXCEPT_HOST = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
REST_PATHS = f"/{API_STAGE}/*"
ROOT = "/"
# Where a link is made: what is asked there must know by which host, which API Gateway never learns.
LINK_PATH = f"/{API_STAGE}/v1/orders/*/tracking"
_HOST_CODE = """\
function handler(event) {
  var request = event.request;
  request.headers['x-forwarded-host'] = {value: request.headers.host.value};
  return request;
}
"""
# Whatever CloudFront can be told of. Without a word it keeps an error for 10 s, and its key is the
# path alone: one person's 404 or 502 would be everybody's (CloudFront, "HTTP 4xx and 5xx status
# codes that CloudFront caches").
ERRORS = (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)


def make_resources() -> Value:
    """Return the distribution and its function.

    No access log here: who wants one takes that of template/watch.py, which holds no path and no
    query, and so no token.
    """
    return {
        "PathsFunction": _make_function(
            "paths",
            "The contracts' literal WebSocket paths, as the stage's query.",
            rewrite_function(list_rules(), API_STAGE),
        ),
        "HostFunction": _make_function(
            "host", "Tell the REST API by which host it is asked.", _HOST_CODE
        ),
        "Distribution": {
            "Type": "AWS::CloudFront::Distribution",
            # CertificateArn may be empty; then the condition leaves it out.
            "Metadata": {"cfn-lint": {"config": {"ignore_checks": ["W1030"]}}},
            "Properties": {"DistributionConfig": _distribution_config()},
        },
    }


def _make_function(name: str, comment: str, code: str) -> Value:
    return {
        "Type": "AWS::CloudFront::Function",
        "Properties": {
            # These names are one space for all regions.
            "Name": sub("waybill-${Stage}-${AWS::Region}-" + name),
            "AutoPublish": True,
            "FunctionConfig": {"Comment": comment, "Runtime": "cloudfront-js-2.0"},
            "FunctionCode": code,
        },
    }


def make_outputs() -> Value:
    """Return the host that clients use, and the id that template/watch.py asks for."""
    host = when("HasDomain", ref("Domain"), att("Distribution", "DomainName"))
    return {
        "Host": {"Description": "The host of every literal path of the contracts.", "Value": host},
        "DistributionId": {"Description": "CloudFront's id of it.", "Value": ref("Distribution")},
    }


def list_rules() -> tuple[PathRule, ...]:
    """List the rules of the function. The stage's own path is the WebSocket API's and, for whoever
    asks for no WebSocket, the front door's: who does not follow has the same words in the body."""
    *rules, stage = stage_rules(API_STAGE, PATHS)
    front = json.dumps(describe_front(), separators=(",", ":"))
    return (*rules, replace(stage, otherwise=(302, front), location=ROOT))


def websocket_patterns(rules: Sequence[PathRule]) -> list[str]:
    """Return CloudFront's patterns for the WebSocket paths which the REST pattern would swallow.

    All others are the default behaviour's. What matches a pattern and no rule, the function
    refuses.
    """
    found: list[str] = []
    for rule in rules:
        path = rule.pattern.rstrip("/")
        if not f"{path}/".startswith(f"/{API_STAGE}/"):
            continue
        before, captures, _ = path.partition("{")
        found += [f"{before}*"] if captures else [path, f"{path}/"]
    return list(dict.fromkeys(found))


def _distribution_config() -> Value:
    socket = websocket_patterns(list_rules())
    return {
        "Enabled": True,
        "Comment": stage_name("edge"),
        "HttpVersion": "http2",
        "IPV6Enabled": True,
        "WebACLId": when("HasWebAcl", ref("WebAclArn")),
        "CustomErrorResponses": [{"ErrorCode": code, "ErrorCachingMinTTL": 0} for code in ERRORS],
        "Aliases": when("HasDomain", [ref("Domain")]),
        "ViewerCertificate": when(
            "HasDomain",
            {
                "AcmCertificateArn": ref("CertificateArn"),
                "MinimumProtocolVersion": "TLSv1.2_2021",
                "SslSupportMethod": "sni-only",
            },
        ),
        "Origins": [
            _make_origin("rest", "RestAPI"),
            {**_make_origin("rest-stage", "RestAPI"), "OriginPath": f"/{API_STAGE}"},
            _make_origin("websocket", "WebsocketAPI"),
        ],
        "DefaultCacheBehavior": _route_to_websocket(),
        "CacheBehaviors": [
            *({"PathPattern": pattern, **_route_to_websocket()} for pattern in socket),
            {"PathPattern": LINK_PATH, **_route_to("rest"), **_call_function("HostFunction")},
            *(
                {"PathPattern": f"/{folder}/*", **_route_to("rest-stage")}
                for folder in REST_FOLDERS
            ),
            {"PathPattern": ROOT, **_route_to("rest-stage")},
            {"PathPattern": REST_PATHS, **_route_to("rest")},
        ],
    }


def _make_origin(name: str, api: str) -> Value:
    return {
        "Id": name,
        "DomainName": sub(f"${{{api}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}"),
        "CustomOriginConfig": {
            "OriginProtocolPolicy": "https-only",
            "OriginSSLProtocols": ["TLSv1.2"],
            "OriginReadTimeout": 35,  # API Gateway gives up at 29 s
        },
    }


def _route_to(origin: str) -> Value:
    return {
        "TargetOriginId": origin,
        "ViewerProtocolPolicy": "https-only",  # a redirect would invite tokens in the clear
        "AllowedMethods": ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"],
        "CachePolicyId": CACHING_DISABLED,
        "OriginRequestPolicyId": ALL_VIEWER_EXCEPT_HOST,
    }


def _route_to_websocket() -> Value:
    return {**_route_to("websocket"), **_call_function("PathsFunction")}


def _call_function(name: str) -> Value:
    """Return what has a function see each request before anything else does."""
    function = {"EventType": "viewer-request", "FunctionARN": att(name, "FunctionARN")}
    return {"FunctionAssociations": [function]}
