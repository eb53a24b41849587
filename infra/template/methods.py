"""The REST API's methods: each path has ANY beside its own; API Gateway itself refuses none.

API Gateway says 403 to what it does not know, and to whoever sends `Authorization` that it is no
signature. With ANY everything reaches the application, which answers 404, and 405 with `Allow`.
"""

from __future__ import annotations

import re

from infra.template.intrinsics import Value

ANY = "x-amazon-apigateway-any-method"
_CAPTURE = re.compile(r"\{(\w+)\+?\}")


def with_any(resources: Value) -> Value:
    """Return the resources, with ANY on each path of the REST API."""
    api = resources["RestAPI"]
    body = api["Properties"]["DefinitionBody"]
    paths = {path: {**item, ANY: _any_method(path, item)} for path, item in body["paths"].items()}
    properties = {**api["Properties"], "DefinitionBody": {**body, "paths": paths}}
    return {**resources, "RestAPI": {**api, "Properties": properties}}


def _any_method(path: str, item: Value) -> Value:
    """Return a path's ANY: all methods invoke the one function."""
    method = next(iter(item.values()))
    kept = {name: method[name] for name in ("responses", "x-amazon-apigateway-integration")}
    parameters = [
        {"name": name, "in": "path", "required": True, "type": "string"}
        for name in _CAPTURE.findall(path)
    ]
    return {**kept, "produces": ["application/json"], "parameters": parameters}
