"""A city at work, made up: what a console shows, without anything that has happened."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

Row = dict[str, Any]

CITY = (52.52, 13.405)
ZONE = "851f1d4bfffffff"
_STATES = (
    ("in_transit", 34),
    ("accepted", 22),
    ("at_pickup", 10),
    ("searching", 9),
    ("offered", 7),
    ("preparing", 8),
    ("returning", 3),
    ("unserved", 3),
    ("pending", 4),
)
_HELD = ("in_transit", "accepted", "at_pickup", "returning")
_NAMES = ("Ben Amara", "Caro Blum", "Dan Ortiz", "Edda Falk", "Femi Ade", "Gus Hall", "Hana Sato")
_STREETS = ("Mill Lane", "Oak Street", "Harbour Road", "Station Square", "Church Row", "Canal Side")
_SHOPS = ("noodle-bar", "bakery-9", "la-piazza", None, None)


def make_city(
    orders: int, couriers: int, now: datetime, seed: int = 7
) -> tuple[list[Row], list[Row]]:
    """Make orders and couriers of a city, each with its place; the same ones for the same seed."""
    dice = random.Random(seed)
    riders = [_make_courier(number, now, dice) for number in range(couriers)]
    free = list(riders)
    dice.shuffle(free)
    rows = []
    for number in range(orders):
        row = _make_order(1041 + number, now, dice)
        if row["state"] in _HELD and free:
            _hand_over(row, free.pop())
        elif row["state"] in _HELD:
            row["state"] = "searching"
        rows.append(row)
    return rows, riders


def count_figures(orders: Sequence[Row], couriers: Sequence[Row], now: datetime) -> Row:
    """Count what a frame says of them."""
    searching = [row for row in orders if row["state"] in ("searching", "offered")]
    idle = [row for row in couriers if not row["order_id"] and not row["paused"]]
    ages = [(now - datetime.fromisoformat(row["since"])).total_seconds() for row in searching]
    unserved = [row for row in orders if row["state"] == "unserved"]
    return {
        "orders": len(orders) - len(unserved),
        "searching": len(searching),
        "unassigned": sum(not row["courier_id"] for row in orders) - len(unserved),
        "late": sum(row["late"] for row in orders),
        "unserved": len(unserved),
        "oldest_searching_s": int(max(ages)) if ages else None,
        "couriers": len(couriers),
        "couriers_idle": len(idle),
        "couriers_idle_percent": round(100 * len(idle) / len(couriers), 1) if couriers else None,
    }


def make_week(now: datetime, hours: int, seed: int = 7) -> Row:
    """Make the figures of some hours, with a rush at noon and one in the evening."""
    dice = random.Random(seed)
    top = now.replace(minute=0, second=0, microsecond=0)
    rows = [_make_hour(top - timedelta(hours=back), dice) for back in range(hours - 1, -1, -1)]
    busy = [row for row in rows if row["orders"]]
    return {"hours": rows, "total": {**busy[-1], "orders": sum(row["orders"] for row in rows)}}


def _make_hour(hour: datetime, dice: random.Random) -> Row:
    rush = math.exp(-((hour.hour - 12) ** 2) / 5) + 1.3 * math.exp(-((hour.hour - 19) ** 2) / 6)
    orders = int((8 + 130 * rush) * dice.uniform(0.8, 1.2)) if 6 <= hour.hour <= 23 else 0
    row: Row = {"hour": hour.isoformat(), "orders": orders}
    if not orders:
        return row
    load = 1 + rush * dice.uniform(0.2, 0.9)
    accepted = 88 - 9 * load + dice.uniform(-3, 3)
    declined = (100 - accepted) * 0.55
    return {
        **row,
        "first_offer_ms": {"p50": 240 * load, "p95": 900 * load},
        "assign_ms": {"p50": 6200 * load, "p95": 21_000 * load},
        "offers_per_order": round(1 + 0.28 * load, 2),
        "accepted_percent": accepted,
        "declined_percent": declined,
        "ignored_percent": 100 - accepted - declined,
        "unserved_percent": max(0.0, 0.7 * load - 0.5),
        "pickup_wait_s": {"p50": 190 * load, "p95": 480 * load},
        "door_wait_s": {"p50": 70 * load, "p95": 200 * load},
        "on_time_percent": 97 - 3.5 * load,
        "couriers_idle_percent": 62 - 14 * load,
        "ends": {"done": orders},
        "reasons": {},
    }


def _place(dice: random.Random, spread_km: float) -> tuple[float, float]:
    north, east = dice.gauss(0, spread_km), dice.gauss(0, spread_km * 1.4)
    return round(CITY[0] + north / 111.2, 6), round(CITY[1] + east / 67.7, 6)


def _make_courier(number: int, now: datetime, dice: random.Random) -> Row:
    lat, lng = _place(dice, 3.2)
    name = _NAMES[number % len(_NAMES)]
    return {
        "id": f"c-{number:04d}",
        "name": name if number < len(_NAMES) else f"{name} {number // len(_NAMES) + 1}",
        "lat": lat,
        "lng": lng,
        "zone": ZONE,
        "fix_at": _ago(now, dice.uniform(1, 40)),
        "fix_age_s": 5,
        "on_duty": True,
        "paused": dice.random() < 0.06,
        "order_id": None,
        "idle_since": _ago(now, dice.uniform(20, 2400)),
        "vehicle_type": dice.choice(("bicycle", "scooter", None)),
    }


def _make_order(number: int, now: datetime, dice: random.Random) -> Row:
    state = dice.choices([s for s, _ in _STATES], [weight for _, weight in _STATES])[0]
    age_s = dice.uniform(30, 2700)
    lat, lng = _place(dice, 2.6)
    to_lat, to_lng = _place(dice, 4.0)
    held = state in _HELD
    due = now + timedelta(seconds=dice.uniform(-500, 2400))
    return {
        "id": str(number),
        "flow": "food" if state in ("preparing", "pending") else dice.choice(("delivery", "food")),
        "state": state,
        "since": _ago(now, age_s * dice.uniform(0.05, 0.6)),
        "created_at": _ago(now, age_s),
        "age_s": int(age_s),
        "offers": dice.choice((1, 1, 1, 2, 3)) if state not in ("preparing", "pending") else 0,
        "customer_id": f"u-{dice.randrange(9000)}",
        "courier_id": None,
        "courier_name": None,
        "offered_to": "c-0003" if state == "offered" else None,
        "merchant_id": dice.choice(_SHOPS),
        "external_id": None,
        "eta": (now + timedelta(seconds=dice.uniform(120, 1500))).isoformat() if held else None,
        "due": due.isoformat(),
        "late": due < now,
        "zone": ZONE,
        "lat": lat,
        "lng": lng,
        "pickup": {"lat": lat, "lng": lng, "address": _address(dice)},
        "dropoff": {"lat": to_lat, "lng": to_lng, "address": _address(dice)},
        "reason": "no_courier" if state == "unserved" else None,
    }


def _hand_over(order: Row, courier: Row) -> None:
    """Give an order to a courier, who is somewhere on the way."""
    order.update(courier_id=courier["id"], courier_name=courier["name"])
    courier.update(order_id=order["id"], idle_since=None, paused=False)
    end: Mapping[str, Any] = order["dropoff" if order["state"] == "in_transit" else "pickup"]
    share = 0.0 if order["state"] == "at_pickup" else 0.15
    courier["lat"] = end["lat"] + (courier["lat"] - end["lat"]) * share
    courier["lng"] = end["lng"] + (courier["lng"] - end["lng"]) * share


def _address(dice: random.Random) -> str:
    return f"{dice.choice(_STREETS)} {dice.randrange(1, 90)}"


def _ago(now: datetime, seconds: float) -> str:
    return (now - timedelta(seconds=seconds)).isoformat()


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(timezone.utc)


def make_story(
    orders: Mapping[str, Row],
    history: dict[str, list[Row]],
    messages: dict[str, list[Row]],
    now: datetime,
) -> str:
    """Make the history and the messages of one order that is late and at its pickup; its id."""
    order = next(
        row for row in orders.values() if row["state"] == "at_pickup" and row["courier_name"]
    )
    order["late"] = True
    order["offers"] = 2
    customer = {"role": "customer", "id": order["customer_id"]}
    courier = {"role": "courier", "id": order["courier_id"]}
    steps: Sequence[tuple[float, Row | None, str, str, Row]] = (
        (1500, customer, "place", "searching", {}),
        (1498, None, "offer", "offered", {"offer": {"courier_id": "c-0031", "answer": "declined"}}),
        (1440, None, "offer", "offered", {"offer": {"courier_id": "c-0004", "answer": "expired"}}),
        (
            1390,
            {"role": "admin", "id": "ada"},
            "assign",
            "offered",
            {"reason": "late", "note": "by phone"},
        ),
        (1380, courier, "accept", "accepted", {}),
        (400, courier, "arrive", "at_pickup", {}),
    )
    history[order["id"]] = [
        {"at": _ago(now, ago_s), "actor": actor, "from": None, "to": to, "step": step, **more}
        for ago_s, actor, step, to, more in steps
    ]
    messages[order["id"]] = [
        {"at": _ago(now, 60), "from": courier, "text": "Kitchen says five more minutes."},
        {"at": _ago(now, 140), "from": customer, "text": "Is it on its way?"},
    ]
    return str(order["id"])
