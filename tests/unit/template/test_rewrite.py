"""The CloudFront function in node, against the rewrite of the local gateway."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.gateway.paths import PathRule, rewrite_path, stage_rules
from infra.resources.stage import API_STAGE
from infra.resources.websocket_paths import PATHS
from infra.template.edge import websocket_patterns
from infra.template.rewrite import rewrite_function
from tests.conftest import PATIENCE_S

# Besides the contracts' own paths: two captures, a capture in the middle, signs of patterns.
ODD = (
    PathRule("/odd/{first}/{second}", {"contract": "two"}),
    PathRule("/mid/{name}/end/", {"contract": "mid"}),
    PathRule("/a.b+c(d)$", {"contract": "signs"}),
)
RULES = stage_rules(API_STAGE, (*PATHS, *ODD))

# Reads one event a line, as CloudFront gives them, and writes what the function returns.
DRIVER = """
require('readline').createInterface({input: process.stdin}).on('line', function (line) {
  console.log(JSON.stringify(handler(JSON.parse(line))));
});
"""

Query = list[tuple[str, str]]
Refusal = tuple[int, str]


class Edge:
    """The function, running."""

    def __init__(self) -> None:
        code = rewrite_function(RULES, API_STAGE) + DRIVER
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(["node", "-e", code], text=True, **pipes)  # type: ignore[call-overload]

    def asked(self, path: str, query: str = "", upgrade: bool = True) -> Any:
        """What it returns for a path and a query as they came."""
        pairs: dict[str, list[str]] = {}
        for part in filter(None, query.split("&")):
            name, _, value = part.partition("=")
            pairs.setdefault(name, []).append(value)
        strings = {
            name: {"value": values[-1], "multiValue": [{"value": v} for v in values]}
            for name, values in pairs.items()
        }
        request = {"method": "GET", "uri": path, "querystring": strings}
        request["headers"] = {"sec-websocket-key": {"value": "x"}} if upgrade else {}
        self.process.stdin.write(json.dumps({"request": request}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="module")
def edge() -> Iterator[Edge]:
    """The function in node."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed: nothing here can run the CloudFront function")
    running = Edge()
    yield running
    running.process.stdin.close()
    running.process.stdout.close()
    running.process.wait(PATIENCE_S)


def sent_on(returned: Any) -> tuple[str, dict[str, list[str]]] | Refusal | None:
    """Path and decoded query of the request that goes on; what is said instead; None for a 404."""
    if returned.get("statusCode") == 400:
        return 400, returned["body"]
    if returned.get("statusCode"):
        assert returned["statusCode"] == 404
        assert json.loads(returned["body"])["error"] == "not_found"
        return None
    parts = [
        f"{name}={one['value']}"
        for name, value in returned["querystring"].items()
        for one in value.get("multiValue", [value])
    ]
    return returned["uri"], parse_qs("&".join(parts), keep_blank_values=True)


def expected(path: str, query: str) -> tuple[str, dict[str, list[str]]] | Refusal | None:
    """The same, by the local gateway."""
    found = rewrite_path(RULES, path, parse_qs(query, keep_blank_values=True))
    if found and found.refusal:
        return found.refusal
    return (f"/{API_STAGE}", found.query) if found else None


SEGMENTS = st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=12).map(
    lambda text: quote(text, safe="")
)
PATHS_TRIED = st.one_of(
    st.sampled_from([rule.pattern for rule in RULES]),
    st.builds(
        lambda rule, a, b, end: rule.pattern.replace("{first}", a).replace("{second}", b) + end,
        st.sampled_from(RULES),
        SEGMENTS,
        SEGMENTS,
        st.sampled_from(["", "/", "//", "x"]),
    ),
    st.builds(
        lambda rule, a: "/".join(
            a if part.startswith("{") else part for part in rule.pattern.split("/")
        ),
        st.sampled_from(RULES),
        SEGMENTS,
    ),
    st.lists(SEGMENTS, max_size=4).map(lambda parts: "/" + "/".join(parts)),
)
NAMES = st.sampled_from(["contract", "token", "first", "name", "x", "EIO"])
QUERIES = st.lists(st.tuples(NAMES, st.text(st.characters(codec="utf-8"), max_size=8)), max_size=5)


@settings(max_examples=120, deadline=None)
@given(path=PATHS_TRIED, query=QUERIES.map(urlencode))
def test_it_rewrites_as_the_local_gateway_does(edge: Edge, path: str, query: str) -> None:
    assert sent_on(edge.asked(path, query)) == expected(path, query)


@pytest.mark.parametrize("rule", PATHS, ids=lambda rule: rule.pattern)
@pytest.mark.parametrize("end", ["", "/"])
def test_every_path_of_the_contracts_leads_to_its_contract(
    edge: Edge, rule: PathRule, end: str
) -> None:
    path = rule.pattern.rstrip("/").replace("{token}", "eyJ0.e30.s-_g") + end
    found = sent_on(edge.asked(path, "token=t&contract=none"))
    assert found is not None
    assert found == expected(path, "token=t&contract=none")
    assert found[0] == f"/{API_STAGE}"
    assert found[1]["contract"] == [rule.query["contract"]]


@pytest.mark.parametrize("name", ["contract", "contr%61ct", "%63ontract"])
def test_a_client_cannot_name_another_contract(edge: Edge, name: str) -> None:
    found = sent_on(edge.asked(PATHS[0].pattern, f"{name}=other"))
    assert found is not None
    assert found[1] == {"contract": [PATHS[0].query["contract"]]}


def test_a_captured_text_cannot_add_to_the_query(edge: Edge) -> None:
    path = "/odd/a&contract=x/b+c%26d=e%23"
    found = sent_on(edge.asked(path))
    assert found == expected(path, "")
    assert found is not None
    assert found[1] == {"contract": ["two"], "first": ["a&contract=x"], "second": ["b+c&d=e#"]}


def test_who_asks_for_no_socket_hears_what_the_rule_says(edge: Edge) -> None:
    said = [rule for rule in PATHS if rule.otherwise]
    assert said
    for rule in said:
        answer = edge.asked(rule.pattern, "EIO=4&transport=polling", upgrade=False)
        assert (answer["statusCode"], answer["body"]) == rule.otherwise
        assert sent_on(edge.asked(rule.pattern, "EIO=4")) is not None


@pytest.mark.parametrize("upgrade", [True, False])
@pytest.mark.parametrize("query", ["EIO=3", "EIO=2&transport=polling", "E%49O=3", "EIO=4&EIO=3"])
@pytest.mark.parametrize("path", ["/socket.io/", "/socket.io"])
def test_older_protocols_of_socket_io_hear_its_own_refusal(
    edge: Edge, path: str, query: str, upgrade: bool
) -> None:
    answer = edge.asked(path, query, upgrade=upgrade)
    assert answer["statusCode"] == 400
    assert json.loads(answer["body"]) == {"code": 5, "message": "Unsupported protocol version"}
    assert answer["headers"]["access-control-allow-origin"] == {"value": "*"}


def test_broken_encoding_in_a_capture_is_refused(edge: Edge) -> None:
    assert sent_on(edge.asked("/odd/%E0%A4%A/b")) is None


def test_every_path_below_the_rest_stage_has_a_behaviour_of_its_own() -> None:
    below = [
        rule for rule in stage_rules(API_STAGE, PATHS) if rule.pattern.startswith(f"/{API_STAGE}")
    ]
    assert below
    for rule in below:
        path = rule.pattern.rstrip("/").partition("{")[0]
        assert any(pattern.rstrip("*").startswith(path) for pattern in websocket_patterns([rule]))


def test_the_function_is_small_enough(edge: Edge) -> None:
    """CloudFront quota: 10 KB."""
    assert len(rewrite_function(stage_rules(API_STAGE, PATHS), API_STAGE).encode()) < 10_240
