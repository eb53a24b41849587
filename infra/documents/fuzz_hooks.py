"""What Schemathesis is told of Waybill: who may ask what. It runs without Waybill's packages."""

import json
import os
import random
from typing import Any

import schemathesis

TOKENS = json.loads(os.environ["WAYBILL_TOKENS"])
IDS = ("order_id", "ride_id", "payment_id", "payout_id", "endpoint_id")
_found: dict[str, list[str]] = {name: [] for name in IDS}


def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Ask with a token of somebody who may, most of the time, and of what there is."""
    definition = case.operation.definition.raw
    if definition.get("security") != []:
        roles = definition.get("x-roles") or sorted(TOKENS)
        if random.random() < 0.1:
            roles = sorted(TOKENS)
        case.headers["Authorization"] = f"Bearer {TOKENS[random.choice(roles)]}"
    for name in IDS:
        if name in case.path_parameters and _found[name] and random.random() < 0.7:
            case.path_parameters[name] = random.choice(_found[name])


def after_call(context: Any, case: Any, response: Any) -> None:
    """Remember the ids of what was created."""
    if response.status_code != 201:
        return
    body = response.json()
    kind = case.operation.path.split("/")[3]
    name = {"payments": "payment_id", "payouts": "payout_id", "webhooks": "endpoint_id"}.get(kind)
    id_ = body.get("id") or body.get("ride_id")
    if id_ is not None:
        _found[name or "order_id"].append(str(id_))
        _found["ride_id"] += [str(id_)] if "ride_id" in body else []


schemathesis.hook(before_call)
schemathesis.hook(after_call)
