"""Stories whose rows and messages are kept as samples: what a version leaves to the next one.

`python -m tests.functional.row_stories FOLDER` tells them on moto and writes what is in the tables
and in the queue afterwards. It is run with the code of the version that the samples are of, never
with a newer one: tests/functional/test_saved_rows.py then reads what they left, and goes on.

Every story has people and a place of its own; the names of its people say how it ended.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.messaging.wakeups import Wakeup, encode_wakeup
from chalicelib.domain.people import Role
from chalicelib.errors import PostFailed
from chalicelib.services.messaging.fanout import MAX_POSTS
from chalicelib.store.tables import MODELS
from tests.builders import DEPOT, north_of
from tests.functional.conftest import PREFIX, _on_moto
from tests.functional.feeds import a_feed, a_profile
from tests.functional.kitchen import Kitchen, Packets, Plain, an_owner
from tests.functional.rides import a_driver, a_rider, enter, locate
from tests.functional.world import Someone, World, log_of

PROVIDER = "what-the-provider-and-we-know"
SETTINGS = {"payment_webhook_secret": PROVIDER}
TO_THE_END = ("accept", "arrived", "picked", "delivered")


class Killed(BaseException):
    """The process is gone."""


def place_of(n: int) -> tuple[float, float]:
    """A place so far from the others that nobody there is asked for what is here."""
    return north_of(DEPOT, 20_000 * n)


# Deliveries


def delivery(world: World, n: int, name: str, *verbs: str, door_m: int = 2000) -> str:
    """An order of customer cara-NAME, offered to courier dan-NAME, and some steps with it."""
    at = place_of(n)
    dan = world.courier(f"dan-{name}", at)
    order = world.place(world.customer(f"cara-{name}"), **_between(at, door_m))
    for verb in verbs:
        assert world.step(verb, order["id"], dan).status == 200, verb
    return str(order["id"])


def _between(at: tuple[float, float], door_m: int = 2000) -> dict[str, float]:
    door = north_of(at, door_m)
    return {
        "pickup_lat": at[0],
        "pickup_lng": at[1],
        "dropoff_lat": door[0],
        "dropoff_lng": door[1],
    }


def tell_deliveries(world: World) -> None:
    delivery(world, 1, "accepted", "accept")
    delivery(world, 2, "at-pickup", "accept", "arrived")
    delivery(world, 3, "in-transit", "accept", "arrived", "picked")
    moved = {"lat": north_of(place_of(3), 900)[0], "lng": place_of(3)[1]}
    world.clock.advance(2)
    dan = world.someone(Role.COURIER, "dan-in-transit")
    assert world.post("/v1/courier/location", moved, dan).status == 200
    delivery(world, 4, "reached", "accept", "arrived", "picked", "reached")
    delivery(world, 5, "done", *TO_THE_END, door_m=5000)
    cancelled = delivery(world, 6, "cancelled", "accept")
    assert world.post(f"/v1/orders/{cancelled}/cancel", None, world.customer("cara-cancelled"))
    world.place(world.customer("cara-unserved"), **_between(place_of(7)))
    delivery(world, 8, "declined", "decline")
    delivery(world, 9, "lapsed")
    world.pass_time(20)


def tell_hands(world: World) -> None:
    """A dispatcher's hands: a courier is paused, and another is given an order."""
    order_id = delivery(world, 31, "by-hand")
    ada, eve = world.admin(), world.courier("eve-by-hand", place_of(30))
    given = {"courier_id": eve.id, "reason": "late", "note": "Asked for it"}
    assert world.post(f"/v1/admin/orders/{order_id}/assign", given, ada).status == 200
    paused = world.post("/v1/admin/couriers/dan-by-hand/pause", {"reason": "break"}, ada)
    assert paused.status == 200


# Hails


def tell_hails(world: World) -> None:
    hail(world, 11, "searching")
    for n, name, steps in (
        (12, "hail-accepted", ("accept",)),
        (13, "hail-offered", ()),
    ):
        dan = world.courier(f"dan-{name}", place_of(n))
        world.connect(dan, "drivers")
        order_id = hail(world, n, name.removeprefix("hail-"))
        for step in steps:
            done = world.post(f"/v1/driver/orders/{order_id}/{step}", None, dan)
            assert done.status == 200, done


def hail(world: World, n: int, name: str) -> str:
    at = place_of(n)
    body = {
        "address_from": "1 Depot Road",
        "address_to": "2 Door Street",
        "latitude_from": at[0],
        "longitude_from": at[1],
        "latitude_to": north_of(at, 3000)[0],
        "longitude_to": at[1],
    }
    placed = world.post("/v1/driver-orders", body, world.customer(f"cara-hail-{name}"))
    assert placed.status == 201, placed
    return str(placed.body["order_id"] if "order_id" in placed.body else placed.body["id"])


# Rides


def tell_rides(world: World) -> None:
    ride(world, 21, "searching")
    accepted = ride(world, 22, "accepted", "accepted")
    ride(world, 23, "started", "started")
    done = ride(world, 24, "done", "completed")
    rider, driver = world.customer("rita-accepted"), world.someone(Role.COURIER, "dora-accepted")
    for n in range(3):
        world.clock.advance(1)
        for person in (rider, driver):
            client = enter(world, person)
            client.did("send_chat_message", ride_id=accepted, message=f"message {n}")
            client.socket.close()
    rita = world.customer("rita-done")
    rated = {"ride_id": done, "rating": 4, "comment": "Fast."}
    assert world.post("/v1/riders/rate/driver", rated, rita).status in (200, 201)


def ride(world: World, n: int, name: str, until: str = "") -> str:
    at = place_of(n)
    rider, driver = a_rider(world, f"rita-{name}"), a_driver(world, f"dora-{name}", at)
    door = north_of(at, 5000)
    wish = {
        "pickup": {"latitude": at[0], "longitude": at[1]},
        "destination": {"latitude": door[0], "longitude": door[1]},
        "vehicle_type": "standard",
    }
    ride_id = str(rider.did("request_ride", **wish)["ride_id"])
    if until:
        driver.did("accept_ride", ride_id=ride_id)
    if until in ("started", "completed"):
        locate(driver, at)
        driver.did("start_ride", ride_id=ride_id)
        locate(driver, north_of(at, 400))
    if until == "completed":
        driver.did("complete_ride", ride_id=ride_id)
    return ride_id


# Meals


def tell_meals(world: World) -> None:
    kitchen = Kitchen(world)
    described = {"name": "Soupery", "address": "Kitchen Lane", "latitude": 12.9, "longitude": 77.5}
    assert world.call("PUT", "/v1/restaurants/789", described, kitchen.owner).status == 200
    steps = ("confirmed", "preparing", "ready_for_pickup")
    for done in range(4):
        meal(kitchen, 1000 + done, *steps[:done])
    driver = Packets(world, world.someone(Role.COURIER, "456"))
    for customer, status in (("1005", "delivered"), ("1004", "")):
        order_id = meal(kitchen, int(customer), *steps)
        assert driver.emit("accept-order", {"orderId": order_id})
        if status:
            driver.emit("update-order-status", {"orderId": order_id, "status": status})
    a_profile(world, world.someone(Role.COURIER, "457"))
    assigned = meal(kitchen, 1006, *steps)
    given = world.post(f"/v1/admin/orders/{assigned}/assign", {"courier_id": "457"}, world.admin())
    assert given.status == 200, given
    rejected = meal(kitchen, 1007)
    Plain(world, kitchen.owner).emit(
        "update-order-status", {"orderId": rejected, "status": "cancelled"}
    )


def meal(kitchen: Kitchen, customer: int, *statuses: str) -> int:
    kitchen.customer = kitchen.world.customer(str(customer))
    order_id = kitchen.place()
    kitchen.update(order_id, *statuses)
    return order_id


# Money


def tell_money(world: World) -> None:
    for n, name in enumerate(("initiated", "completed", "failed")):
        order_id = delivery(
            world, 31 + n, f"pay-{name}", "accept", "arrived", "picked", "delivered"
        )
        cara = world.customer(f"cara-pay-{name}")
        a_profile(world, cara)
        payment_id = pay(world, cara, order_id)
        if name != "initiated":
            said = {"transaction_id": "t-1"} if name == "completed" else {"error": "No funds."}
            hear_provider(world, payment_id, status=name, **said)
    admin, wanted = world.admin(), {"amount": 10, "bank_account": "1234567890"}
    for n, name in enumerate(("requested", "approved", "completed")):
        delivery(world, 35 + n, f"payout-{name}", *TO_THE_END)
        dan = world.someone(Role.COURIER, f"dan-payout-{name}")
        asked = world.post("/v1/payouts", wanted, dan)
        assert asked.status in (200, 201), asked
        path = f"/v1/admin/payouts/{asked.body['id']}"
        if name != "requested":
            assert world.post(f"{path}/approve", None, admin).status == 200
        if name == "completed":
            done = world.post(f"{path}/complete", {"transaction_id": "t-2"}, admin)
            assert done.status == 200, done


def pay(world: World, by: Someone, order_id: str) -> str:
    body = {"order_id": order_id, "method": "upi", "upi_id": "cara@bank"}
    began = world.post("/v1/payments", body, by)
    assert began.status in (200, 201), began
    return str(began.body["id"])


def hear_provider(world: World, payment_id: str, **said: str) -> None:
    """What the provider says, signed."""
    raw = json.dumps({"payment_id": payment_id, **said}).encode()
    signed_at = int(world.clock.now.timestamp())
    mac = hmac.new(PROVIDER.encode(), b"%d." % signed_at + raw, hashlib.sha256).hexdigest()
    header = {"X-Waybill-Signature": f"t={signed_at},v1={mac}"}
    answer = world.call("POST", f"/v1/payments/{payment_id}/webhook", raw, headers=header)
    assert answer.status == 200, answer


# Mailboxes


def tell_mailboxes(world: World) -> None:
    """Somebody who is away, one who subscribed, one who can't be posted to, one whose holder died,
    and one with more events than a head has room for."""
    world.connect(world.customer("cara-away")).close()
    delivery(world, 41, "away", *TO_THE_END)

    cara = a_profile(world, world.customer("cara-subscribed"))
    socket = a_feed(world, cara, "order_created", "delivery_completed")
    delivery(world, 42, "subscribed", *TO_THE_END)
    socket.close()
    delivery(world, 42, "subscribed", *TO_THE_END)

    lagging = world.connect(world.customer("cara-lagging"))
    order_id = delivery(world, 43, "lagging", "accept")
    world.gateway.fail(lagging.id, *[PostFailed("429")] * 20)
    dan = world.someone(Role.COURIER, "dan-lagging")
    world.step("arrived", order_id, dan)
    world.step("picked", order_id, dan)

    for _ in range(12):
        delivery(world, 44, "busy", *TO_THE_END)

    held = world.connect(world.customer("cara-held"))
    order_id = delivery(world, 45, "held", "accept")
    dan = world.someone(Role.COURIER, "dan-held")

    def meanwhile(connection_id: str, frame: str) -> None:
        if connection_id == held.id:
            world.gateway.before_post = lambda connection_id, frame: None
            world.step("picked", order_id, dan)
            raise Killed

    world.gateway.before_post = meanwhile
    with suppress(Killed):
        world.step("arrived", order_id, dan)


# Sockets


def tell_sockets(world: World) -> dict[str, str]:
    """Open ones of each contract; their ids, by the names of those who listen on them."""
    person = world.customer
    a_profile(world, person("cara-feed"))
    open_ = {
        "cara-socket": world.connect(person("cara-socket")),
        "dan-socket": world.connect(world.courier("dan-socket", place_of(51))),
        "dave-socket": world.connect(world.courier("dave-socket", place_of(52)), "drivers"),
        "cara-feed": a_feed(world, person("cara-feed"), "order_created", "delivery_completed"),
        "rita-socket": a_rider(world, "rita-socket").socket,
        "dora-socket": a_driver(world, "dora-socket", place_of(53)).socket,
        "77": Plain(world, an_owner(world)).socket,
        "2001": Packets(world, person("2001")).socket,
        "458": Packets(world, world.someone(Role.COURIER, "458")).socket,
        "nobody": world.connect(None, "feed"),
        "cara-ends": world.connect(person("cara-ends", valid_s=90)),
        "dave-ungreeted": world.connect(
            world.courier("dave-ungreeted", place_of(54)), "drivers", greet=False
        ),
    }
    return {name: socket.id for name, socket in open_.items()}


def tell_wakeups(world: World) -> None:
    """Leave the kinds of messages that the other stories left none of."""
    silent = world.connect(None, "rides")
    world.gateway.cannot_close.add(silent.id)
    world.pass_time(11)
    often = World(world.engine, {"heartbeat": timedelta(seconds=30)}, queue=world.queue)
    often.connect(often.customer("cara-heartbeat"))
    listener = Subscriber("socket-1=", "cara-many", "customer")
    event = log_of("cara-away")[-1]
    world.waybill.fanout.post_to_subscribers([listener] * (MAX_POSTS + 1), event)
    world.clock.advance(700)
    world.waybill.sweeper.run_pass()


def tell_all(world: World) -> dict[str, str]:
    """Tell the long stories first: those that end in the middle must not be overtaken by time."""
    tell_meals(world)
    tell_rides(world)
    tell_money(world)
    tell_hails(world)
    tell_deliveries(world)
    tell_mailboxes(world)
    sockets = tell_sockets(world)
    delivery(world, 10, "offered")
    tell_hands(world)
    return sockets


def main(folder: Path) -> None:
    """Tell the stories and write what they leave."""
    folder.mkdir(parents=True, exist_ok=True)
    with _on_moto() as engine:
        world = World(engine, SETTINGS)
        sockets = tell_all(world)
        for model in MODELS:
            name = model.Meta.table_name.removeprefix(f"{PREFIX}-")
            _write(folder / f"{name}.json", map(_json, _scan(engine.connection.client, name)))
        waiting = [{"due": m.due.isoformat(), "body": m.body} for m in sorted(world.queue.waiting)]
        now = world.clock.now.isoformat()
        tell_wakeups(world)
        kinds = {json.loads(body)["type"]: body for body in map(_body, world.queue.sent)}
    _write(folder.parent / "messages" / "waiting.json", waiting)
    _write(folder.parent / "messages" / "kinds.json", (kinds[name] for name in sorted(kinds)))
    left = {"now": now, "sockets": sockets}
    (folder.parent / "messages" / "world.json").write_text(json.dumps(left, indent=2) + "\n")


def _body(sent: tuple[Wakeup, timedelta]) -> str:
    return encode_wakeup(sent[0])


def _write(file: Path, rows: Iterable[Any]) -> None:
    """Write a list, a line a row."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)
    file.write_text(f"[\n{lines}\n]\n")


def _scan(client: Any, name: str) -> Iterator[dict[str, Any]]:
    for page in client.get_paginator("scan").paginate(TableName=f"{PREFIX}-{name}"):
        yield from page["Items"]


def _json(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {key: _json(one) for key, one in value.items()}
    return [_json(one) for one in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main(Path(sys.argv[1]))
