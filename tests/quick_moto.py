"""moto, several times as fast: the same answers, found in fewer steps.

Most of what the functional tests take is moto's own work, and most of that is done over again at
every call: all members of a shape are looked for under all their names, a traverser is asked at
each node what it looks for, a request is taken for a web form. What is put in the place of that
here gives the same: tests/functional/test_quick_moto.py compares.
"""

from __future__ import annotations

import base64
import functools
import io
import re
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from moto.core import request as requests
from moto.core import responses, serialize
from moto.dynamodb import comparisons
from moto.dynamodb.parsing import ast_nodes

Parser = comparisons.ConditionExpressionParser


def speed_up() -> None:
    """Put the quicker parts in the place of moto's. Repeating it changes nothing."""
    responses.method_names_from_class = functools.cache(responses.method_names_from_class)
    responses.gen_amzn_requestid_long = _request_id
    responses._decode_dict = dict
    requests.Request.from_primitives = classmethod(_request)
    serialize.ResponseSerializer._serialize_type_structure = _serialize_structure
    ast_nodes.DepthFirstTraverser.nodes_to_be_processed = _processed
    Parser._lex_condition_expression = _lex


def _request_id(headers: dict[str, Any] | None = None) -> str:
    """Any will do."""
    if headers is not None:
        headers["x-amzn-requestid"] = "0" * 52
    return "0" * 52


def _request(cls: Any, method: str, url: str, headers: Any, body: Any = None) -> Any:
    """A request of the SDK's, without werkzeug's builder for tests."""
    at = urlsplit(url)
    sent = body.encode() if isinstance(body, str) else body or b""
    host, _, port = at.netloc.partition(":")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": at.path,
        "QUERY_STRING": at.query,
        "SERVER_NAME": host,
        "SERVER_PORT": port or "443",
        "HTTP_HOST": at.netloc,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": at.scheme,
        "wsgi.input": io.BytesIO(sent),
        requests.PRESERVED_HEADER_NAMES_ENVIRON_KEY: {},
    }
    for name, value in headers.items():
        text = value.decode() if isinstance(value, bytes) else value
        environ[requests.environ_key_for_header(name)] = text
    environ["CONTENT_LENGTH"] = str(len(sent))
    return cls(environ)


_serialize_all = serialize.ResponseSerializer._serialize_type_structure


def _serialize_structure(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    """Write the members that are there, instead of looking for those that could be."""
    if shape.name == "AttributeValue" and isinstance(value, dict):
        serialized[key] = _attribute(value)
        return
    if not isinstance(value, dict) or not value.keys() <= shape.members.keys():
        _serialize_all(self, serialized, value, shape, key)
        return
    wrapper = self.MAP_TYPE() if key else serialized
    for name, member in value.items():
        if member is not None:
            of = shape.members[name]
            of.parent = shape
            self._serialize(wrapper, member, of, name)
    if key:
        self._default_serialize(serialized, wrapper, shape, key)


def _attribute(value: dict[str, Any]) -> dict[str, Any]:
    [(kind, content)] = value.items()
    if kind == "M":
        return {kind: {name: _attribute(each) for name, each in content.items()}}
    if kind == "L":
        return {kind: [_attribute(each) for each in content]}
    if kind == "B":
        return {kind: base64.b64encode(content).decode()}
    if kind == "BS":
        return {kind: [base64.b64encode(each).decode() for each in content]}
    return value


def _processed(self: Any) -> tuple[Any, ...]:
    """The kinds of nodes that a traverser looks for, asked of it once."""
    try:
        return self._kinds
    except AttributeError:
        self._kinds = tuple(self._processing_map())
        return self._kinds


_TOKENS = re.compile(
    r"(?P<WHITESPACE> +)|(?P<COMPARATOR><>|<=|>=|=|<|>)"
    r"|(?P<OPERAND>(?::|#)?[A-z0-9\-_]+(?:\.(?::|#)?[A-z0-9\-_]+|\[[0-9]\])*)"
    r"|(?P<COMMA>,)|(?P<LEFT_PAREN>\()|(?P<RIGHT_PAREN>\))"
)


def _lex(self: Any) -> Any:
    return deque(_tokens(self.condition_expression))


@functools.lru_cache(maxsize=1000)
def _tokens(expression: str) -> list[Any]:
    nodes, at = [], 0
    while at < len(expression):
        found = _TOKENS.match(expression, at)
        if found is None:
            raise ValueError(f"Cannot parse condition starting at:{expression[at:]}")
        at = found.end()
        if found.lastgroup != "WHITESPACE":
            text = found.group()
            nodes.append(Parser.Node(found.lastgroup, Parser.Kind.LITERAL, text, text, []))
    return nodes
