"""moto, twice as fast: the same answers and rows, found in fewer steps.

What tests/quick_dynamo.py leaves to moto, queues and files among it, is slow, as moto does most of
its work over again at each call: it looks for every member of a shape under all its names, asks a
traverser at each node what it looks for, and takes a request of the SDK for a web form. `speed_up`
puts quicker functions in the place of these, and of the one that reads an item in botocore.
tests/functional/test_quick_moto.py compares them with moto's and botocore's.
"""

from __future__ import annotations

import base64
import functools
import io
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import botocore.parsers
import moto.core.models
import moto.core.request
import moto.core.responses
import moto.core.serialize
import moto.dynamodb.comparisons
import moto.dynamodb.parsing.ast_nodes
import moto.dynamodb.parsing.expressions

_core: Any = moto.core
_dynamodb: Any = moto.dynamodb
JSONParser: Any = botocore.parsers.JSONParser
Request = _core.request.Request
Serializer = _core.serialize.ResponseSerializer
Conditions = _dynamodb.comparisons.ConditionExpressionParser
Updates = _dynamodb.parsing.expressions.UpdateExpressionParser
Node = _dynamodb.parsing.ast_nodes.Node
Traverser = _dynamodb.parsing.ast_nodes.DepthFirstTraverser


def speed_up() -> None:
    """Put the quicker functions in place. Repeating it changes nothing."""
    for owner, name, quicker in _QUICKER:
        setattr(owner, name, quicker)


@contextmanager
def as_installed() -> Iterator[None]:
    """Put moto's own functions back for a while."""
    for owner, name, own in _OWN:
        if own is None:
            delattr(owner, name)
        else:
            setattr(owner, name, own)
    try:
        yield
    finally:
        speed_up()


def leave_unsigned(client: Any) -> None:
    """Send a client's requests without a signature: moto never looks at it."""
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.unregister(f"request-created.{service}", client._request_signer.handler)


def keep_endpoints(client: Any) -> None:
    """Let a client work out once for each operation where it is sent, not for each call."""
    resolver, known = client._ruleset_resolver, dict[str, Any]()
    resolve = resolver.construct_endpoint

    def look_up(operation_model: Any, *given: Any, **more: Any) -> Any:
        name = operation_model.name
        if name not in known:
            known[name] = resolve(operation_model, *given, **more)
        return known[name]

    resolver.construct_endpoint = look_up


def _name_request(headers: dict[str, Any] | None = None) -> str:
    """Give a response an id; it need not be another than the last one's."""
    if headers is not None:
        headers["x-amzn-requestid"] = "0" * 52
    return "0" * 52


def _read_request(cls: Any, method: str, url: str, headers: Any, body: Any = None) -> Any:
    """Make werkzeug's request of the SDK's, without its builder for tests."""
    at = urlsplit(url)
    body = body.read() if isinstance(body, io.IOBase) else body  # a file for S3
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
        _core.request.PRESERVED_HEADER_NAMES_ENVIRON_KEY: {},
    }
    for name, value in headers.items():
        text = value.decode() if isinstance(value, bytes) else value
        environ[_core.request.environ_key_for_header(name)] = text
    environ["CONTENT_LENGTH"] = str(len(sent))
    return cls(environ)


def _write_structure(self: Any, written: Any, value: Any, shape: Any, key: str) -> None:
    """Write the members that are there, instead of looking for each that could be."""
    if shape.name == "AttributeValue" and isinstance(value, dict):
        written[key] = _attribute(value)
        return
    is_plain = isinstance(value, dict) and value.keys() <= shape.members.keys()
    if not is_plain or isinstance(self, _core.serialize.BaseXMLSerializer):  # S3's answers
        _WRITE_STRUCTURE(self, written, value, shape, key)  # some have another name
        return
    wrapper = self.MAP_TYPE() if key else written
    for name, member in value.items():
        if member is not None:
            of = shape.members[name]
            of.parent = shape
            self._serialize(wrapper, member, of, name)
    if key:
        self._default_serialize(written, wrapper, shape, key)


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


def _copy_tree(node: Any, _: Any = None) -> Any:
    """Copy the nodes of a tree; nobody changes its leaves."""
    new = object.__new__(type(node))
    new.__dict__.update(node.__dict__, parent=None)
    if node.children is not None:
        new.children = [_copy_child(child, new) for child in node.children]
    return new


def _copy_child(child: Any, parent: Any) -> Any:
    if not _is_node(child.__class__):
        return child
    new = _copy_tree(child)
    new.parent = parent
    return new


@functools.cache
def _is_node(kind: Any) -> bool:
    return issubclass(kind, Node)


def _traverse(self: Any, node: Any, child_id: int = -1) -> Any:
    """Go through a tree bottom up, asking the traverser only once what it looks for."""
    kinds = tuple(self._processing_map())
    is_wanted = functools.cache(lambda kind: issubclass(kind, kinds))
    looks_ahead = type(self).pre_processing_of_child is not Traverser.pre_processing_of_child

    def visit(node: Any, child_id: int) -> Any:
        if not _is_node(node.__class__):
            return node
        parent = node.parent
        for n, child in enumerate(node.children or ()):
            if looks_ahead:
                self.pre_processing_of_child(node, n)
            visit(child, n)
        if is_wanted(node.__class__):
            node = self.process(node)
            node.parent = parent
            if parent:
                parent.children[child_id] = node
        return node

    return visit(node, child_id)


def _parse_update(cls: Any, expression: str) -> Any:
    """Make a tree of an update expression, which is read once."""
    return _copy_tree(_parse_update_once(cls, expression))


@functools.lru_cache(maxsize=1000)
def _parse_update_once(cls: Any, expression: str) -> Any:
    return _PARSE_UPDATE(cls, expression)


_TOKENS = re.compile(
    r"(?P<WHITESPACE> +)|(?P<COMPARATOR><>|<=|>=|=|<|>)"
    r"|(?P<OPERAND>(?::|#)?[A-z0-9\-_]+(?:\.(?::|#)?[A-z0-9\-_]+|\[[0-9]\])*)"
    r"|(?P<COMMA>,)|(?P<LEFT_PAREN>\()|(?P<RIGHT_PAREN>\))"
)


def _lex_condition(self: Any) -> deque[Any]:
    """Split a condition into its words, once."""
    return deque(_lex_once(self.condition_expression))


@functools.lru_cache(maxsize=1000)
def _lex_once(expression: str) -> list[Any]:
    nodes, at = [], 0
    while at < len(expression):
        found = _TOKENS.match(expression, at)
        if found is None:
            raise ValueError(f"Cannot parse condition starting at:{expression[at:]}")
        at = found.end()
        if found.lastgroup != "WHITESPACE":
            text = found.group()
            nodes.append(Conditions.Node(found.lastgroup, Conditions.Kind.LITERAL, text, text, []))
    return nodes


def _read_structure(self: Any, shape: Any, value: Any) -> Any:
    """Read an item's values as what they are, instead of looking for each of ten types."""
    if shape.name == "AttributeValue" and isinstance(value, dict) and len(value) == 1:
        return _typed(value)
    return _READ_STRUCTURE(self, shape, value)


def _typed(value: dict[str, Any]) -> dict[str, Any]:
    [(kind, content)] = value.items()
    if kind == "M":
        return {kind: {name: _typed(each) for name, each in content.items()}}
    if kind == "L":
        return {kind: [_typed(each) for each in content]}
    if kind == "B":
        return {kind: base64.b64decode(content)}
    if kind == "BS":
        return {kind: [base64.b64decode(each) for each in content]}
    return value


_READ_STRUCTURE = JSONParser._handle_structure
_WRITE_STRUCTURE = Serializer._serialize_type_structure
_PARSE_UPDATE = Updates.make.__func__
_FIND_METHODS = _core.responses.method_names_from_class
_QUICKER: tuple[tuple[Any, str, Any], ...] = (
    (_core.models, "RESPONSES_METHODS", []),  # nobody here speaks to AWS by `requests`
    (Request, "from_primitives", classmethod(_read_request)),
    (_core.responses, "method_names_from_class", functools.cache(_FIND_METHODS)),
    (_core.responses, "gen_amzn_requestid_long", _name_request),
    (Serializer, "_serialize_type_structure", _write_structure),
    (JSONParser, "_handle_structure", _read_structure),
    (Node, "__deepcopy__", _copy_tree),
    (Traverser, "traverse_node_recursively", _traverse),
    (Updates, "make", classmethod(_parse_update)),
    (Conditions, "_lex_condition_expression", _lex_condition),
)
_OWN = tuple((owner, name, vars(owner).get(name)) for owner, name, _ in _QUICKER)
