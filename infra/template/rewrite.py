"""The CloudFront function, made from the same rules as the local gateway's rewrite."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict

from infra.gateway.paths import PathRule
from infra.resources.gateway_responses import GATEWAY_RESPONSES

_CAPTURE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")

_CODE = """\
// Generated from infra/resources/websocket_paths.py by infra/template/rewrite.py.
var STAGE = %(stage)s;
var RULES = %(rules)s;
var NOT_FOUND = %(not_found)s;

// A query name as the service behind reads it.
function plain(text) {
  try {
    return decodeURIComponent(text.replace(/\\+/g, ' '));
  } catch (error) {
    return text;
  }
}

// Whether a client gives a query name another value than the one it must.
function refused(demand, querystring) {
  for (var name in querystring) {
    if (plain(name) !== demand.name) continue;
    var all = querystring[name].multiValue || [querystring[name]];
    if (plain(all[all.length - 1].value) !== demand.value) return true;
  }
  return false;
}

function answer(status, body, location) {
  var headers = {
    'content-type': {value: 'application/json'},
    'cache-control': {value: 'no-store'},
    'access-control-allow-origin': {value: '*'}
  };
  if (location) headers.location = {value: location};
  return {statusCode: status, headers: headers, body: body};
}

function handler(event) {
  var request = event.request;
  for (var i = 0; i < RULES.length; i++) {
    var found = new RegExp(RULES[i].path).exec(request.uri);
    if (found === null) continue;
    var demand = RULES[i].demand;
    if (demand && refused(demand, request.querystring)) {
      return answer(demand.refusal[0], demand.refusal[1]);
    }
    if (RULES[i].otherwise && !request.headers['sec-websocket-key']) {
      return answer(RULES[i].otherwise[0], RULES[i].otherwise[1], RULES[i].location);
    }
    var added = {};
    for (var name in RULES[i].query) added[name] = RULES[i].query[name];
    for (var n = 0; n < RULES[i].captures.length; n++) {
      try {
        added[RULES[i].captures[n]] = encodeURIComponent(decodeURIComponent(found[n + 1]));
      } catch (error) {
        return answer(404, NOT_FOUND);
      }
    }
    for (var given in request.querystring) {
      if (Object.prototype.hasOwnProperty.call(added, plain(given))) {
        delete request.querystring[given];
      }
    }
    for (var key in added) request.querystring[key] = {value: added[key]};
    request.uri = '/' + STAGE;
    return request;
  }
  return answer(404, NOT_FOUND);
}
"""


def rewrite_function(rules: Sequence[PathRule], stage: str) -> str:
    """Return the function's source: a literal path becomes `/{stage}?…`, any other one 404.

    It does as `infra.gateway.paths.rewrite_path` does, except that a captured text whose percent
    encoding is broken is refused here, at once.
    """
    status, body = GATEWAY_RESPONSES["MISSING_AUTHENTICATION_TOKEN"]
    assert status == 404
    return _CODE % {
        "stage": json.dumps(stage),
        "rules": json.dumps([_rule_as_data(rule) for rule in rules], indent=2),
        "not_found": json.dumps(body),
    }


def _rule_as_data(rule: PathRule) -> dict[str, object]:
    parts = _CAPTURE.split(rule.pattern.rstrip("/"))
    path = "".join("([^/]+)" if n % 2 else _escape_literal(part) for n, part in enumerate(parts))
    return {
        "path": f"^{path}/?$",
        "captures": parts[1::2],
        "query": dict(rule.query),
        "otherwise": rule.otherwise,
        "location": rule.location,
        "demand": asdict(rule.demand) if rule.demand else None,
    }


def _escape_literal(text: str) -> str:
    """Escape what means something in a JavaScript pattern; `re.escape` would escape more."""
    return re.sub(r"[.*+?^${}()|\[\]\\]", r"\\\g<0>", text)
