"""Erasing a person: nothing of them is left in any table, the books still add up, others keep what
is theirs, and whoever is stopped in between goes on where it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from chalicelib.contracts.webhooks.body import render_body
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.people import Role
from chalicelib.domain.webhooks.endpoint import name_endpoint_mailbox
from chalicelib.store.compression import unpack_json
from chalicelib.store.tables import (
    MODELS,
    ChatRow,
    HistoryRow,
    ListingRow,
    MailboxRow,
    OrderRow,
    RatingRow,
)
from chalicelib.store.wallets import WalletTable
from infra.erase.__main__ import run_eraser
from infra.erase.eraser import CannotEraseYet, ErasedRows, Eraser
from infra.erase.writer import Busy
from tests.builders import DEPOT, north_of
from tests.faults import WRITES, Crash
from tests.functional.conftest import MakeWorld
from tests.functional.endpoints import Sends
from tests.functional.feeds import a_feed, a_profile
from tests.functional.kitchen import Kitchen, Plain, an_owner, placed
from tests.functional.kitchen import a_driver as a_food_driver
from tests.functional.rides import Client, a_driver, a_ride, a_rider, locate
from tests.functional.test_feed_delivery import deliver
from tests.functional.test_history import history_of
from tests.functional.test_money import SECRET as PROVIDER
from tests.functional.test_money import pay, webhook
from tests.functional.world import Someone, World, log_of
from tests.ledgers import list_bookings

LONG = 20 * 60  # past the last wakeup of an order
PICTURE = "https://pictures.test/pia-lindqvist.png"
PIA = {"name": "Pia Lindqvist", "phone": "+4915199887766", "profile_picture": PICTURE}
HERE = north_of(DEPOT, 123.4567)
HERS = {
    "pickup_address": "7 Pia's Yard",
    "pickup_lat": HERE[0],
    "pickup_lng": HERE[1],
    "dropoff_address": "8 Pia's Aunt",
    "dropoff_lat": 13.0123457,
    "dropoff_lng": 77.6123457,
    "receiver_phone": "+4915111111111",
    "notes": "ring at Lindqvist",
}
# Whatever tells of Pia, in any role.
TRACES = (
    "pia-77",
    "Lindqvist",
    "4915199887766",
    "Pia's",
    "4915111111111",
    "0123457",
    str(HERE[0]),
    str(round(HERE[0], 5)),  # as histories have it
    "pia@bank",
    "DE89 PIA",
    "said by pia",
    "said to pia",
    "thought by pia",
    "thought of pia",
    "pia was late",
    "Pia's Volvo",
)


@pytest.fixture
def stage(make_world: MakeWorld) -> World:
    """A world whose payment provider has a secret."""
    return make_world(settings={"payment_webhook_secret": PROVIDER}, webhook_queue=Sends())


def plain(value: Any) -> Any:
    """A row's attribute as it can be read, whatever it is packed in."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return unpack_json(value).decode() if isinstance(value, bytes) and value[:1] == b"a" else value


def stored(world: World) -> dict[str, list[str]]:
    """All that is in any table, as text: an engine's own copy, not what a store makes of it."""
    client = world.engine.connection.client
    found = {}
    for model in MODELS:
        items = client.scan(TableName=model.Meta.table_name)["Items"]
        found[str(model.Meta.table_name)] = sorted(repr(plain(item)) for item in items)
    return found


def traces(world: World, *more: str) -> list[tuple[str, str]]:
    """What is left of Pia, and where."""
    return [
        (table, trace)
        for table, rows in stored(world).items()
        for trace in (*TRACES, *more)
        for row in rows
        if trace in row
    ]


def eraser(world: World, person_id: str = "pia-77", **given: Any) -> Eraser:
    """The tool on a world's tables, with its clock."""
    return Eraser(
        person_id,
        given.pop("close", world.gateway.close_connection),
        world.clock,
        given.pop("sleep", world.clock.advance),
        **given,
    )


def pseudonym_in(tool: Eraser) -> str:
    """What it says that the person is called from now on."""
    (found,) = re.findall(r"erased-[0-9a-f]{12}", tool.notes[0])
    return str(found)


def counts(done: list[ErasedRows]) -> dict[str, int]:
    """Rows by table."""
    found: dict[str, int] = {}
    for one in done:
        found[one.table] = found.get(one.table, 0) + one.rows
    return found


def a_customers_life(world: World) -> None:
    """Pia orders parcels, rides and meals; pays, rates, writes, cancels; and is connected."""
    pia = a_profile(world, world.customer("pia-77"), **PIA)
    dan, cara = world.courier("dan"), world.customer("cara")
    world.connect(dan)
    order_id = deliver(world, pia, dan, **HERS)
    paid = pay(world, pia, order_id, upi_id="pia@bank").body
    webhook(world, paid["id"], status="completed", transaction_id="t1")
    world.pass_time(5)
    own = {"external_id": "thought by pia", "metadata": {"for": "pia was late"}}
    cancelled = world.place(pia, **HERS, **own)["id"]
    answer = world.post(f"/v1/orders/{cancelled}/cancel", {"reason": "pia was late"}, pia)
    assert answer.status == 200
    world.pass_time(5)
    world.post("/v1/courier/availability", {"available": False}, dan)
    dora = a_driver(world, "dora")
    a_ride_of(a_rider(world, "pia-77", **PIA), dora, by_pia="rider")
    dora.did("go_offline")
    kitchen = Kitchen(world)
    kitchen.customer = pia
    owner = Plain(world, kitchen.owner)
    meal = kitchen.ready()
    driver = Plain(world, a_food_driver(world))
    driver.emit("accept-order", {"orderId": meal})
    driver.emit("update-order-status", {"orderId": meal, "status": "delivered"})
    assert owner.heard()
    deliver_to_others(world, cara)
    by_hand(world, world.place(pia, **HERS)["id"], "cancel")
    world.connect(pia)
    a_feed(world, pia, "order_created")


def by_hand(world: World, order_id: str, hand: str, **body: str) -> None:
    """A dispatcher gives an order to Eve, and then does something with it, with words on it."""
    world.courier("eve")
    words = {"reason": "late", "note": "pia was late"}
    for step, more in (("assign", {"courier_id": "eve"}), (hand, body)):
        path = f"/v1/admin/orders/{order_id}/{step}"
        assert world.post(path, {**words, **more}, world.admin()).status == 200
    world.pass_time(5)


def a_couriers_life(world: World) -> None:
    """Pia delivers, drives, earns, is paid out, is rated, writes; and is connected."""
    pia = a_profile(world, world.courier("pia-77"), **PIA, vehicle="Pia's Volvo")
    cara = a_profile(world, world.customer("cara"))
    socket = world.connect(pia)
    a_feed(world, cara, "delivery_started")
    world.connect(cara)
    order_id = str(world.place(cara)["id"])
    for verb in ("accept", "arrived", "picked"):
        assert world.step(verb, order_id, pia).status == 200
    world.clock.advance(2)
    fix = {"lat": HERE[0], "lng": HERE[1]}
    socket.say({"event": "location.update", "data": fix})
    for verb in ("reached", "delivered"):
        assert world.step(verb, order_id, pia).status == 200
    world.pass_time(5)
    asked = world.post("/v1/payouts", {"amount": 10, "bank_account": "DE89 PIA"}, pia)
    path, ada = f"/v1/admin/payouts/{asked.body['id']}", world.admin()
    world.post(f"{path}/approve", {}, ada)
    world.post(f"{path}/complete", {"transaction_id": "txn_1"}, ada)
    socket.close()
    profile: dict[str, Any] = {**PIA, "vehicle": "Pia's Volvo"}
    driver = a_driver(world, "pia-77", **profile)
    a_ride_of(a_rider(world, "rita"), driver, by_pia="driver")
    for step in ("pause", "resume"):
        body = {"note": "pia was late"}
        path = f"/v1/admin/couriers/pia-77/{step}"
        assert world.post(path, body, world.admin("pia-77")).status == 200
    lapsed = world.place(cara)["id"]  # offered to her, and to nobody else
    world.pass_time(20)
    assert not world.get(f"/v1/orders/{lapsed}", cara).body.get("courier_id")


def a_ride_of(rider: Client, driver: Client, by_pia: str) -> None:
    """A ride with words on both sides, and one that its driver calls off."""
    ride_id = a_ride(rider, driver, "accepted")
    said = {by_pia: "said by pia"}
    for side, who in (("rider", rider), ("driver", driver)):
        who.did("send_chat_message", ride_id=ride_id, message=said.get(side, "said to pia"))
    locate(driver, DEPOT)
    driver.did("start_ride", ride_id=ride_id)
    locate(driver, HERE if by_pia == "driver" else north_of(DEPOT, 77))
    driver.did("complete_ride", ride_id=ride_id)
    comment = "thought by pia" if by_pia == "rider" else "thought of pia"
    rider.did("rate_driver", ride_id=ride_id, rating=4, comment=comment)
    rider.world.pass_time(5)
    again = a_ride(rider, driver, "accepted")
    driver.did("cancel_ride", ride_id=again, reason="pia was late")
    rider.world.pass_time(5)


def deliver_to_others(world: World, cara: Someone) -> None:
    """An order that is none of Pia's."""
    eve = world.courier("eve")
    deliver(world, cara, eve)
    world.pass_time(5)


LIVES: dict[str, Callable[[World], None]] = {
    "customer": a_customers_life,
    "courier": a_couriers_life,
}


@pytest.mark.parametrize("life", sorted(LIVES))
def test_nothing_is_left_of_whoever_is_erased(stage: World, life: str) -> None:
    # Whose log tells more of everybody than any person's.
    form = {"url": "https://93.184.215.14/hook", "events": ["*", "courier.position"]}
    assert stage.post("/v1/webhooks", form, stage.admin()).status == 201
    LIVES[life](stage)
    stage.pass_time(LONG)
    before = {table for table, _ in traces(stage)}
    assert {"waybill-orders", "waybill-events", "waybill-mailboxes", "waybill-chats"} <= before
    assert {"waybill-people", "waybill-connections", "waybill-ratings"} <= before
    assert "waybill-histories" in before or life == "customer"
    tool = eraser(stage)
    done = counts(list(tool.run()))
    assert traces(stage) == []
    (endpoint,) = stage.waybill.webhooks.list_endpoints(stage.admin().actor)
    bodies = [render_body(event) for event in log_of(name_endpoint_mailbox(endpoint.id))]
    assert len(bodies) >= 10
    assert done["orders"] >= 3
    assert done["histories"] >= 1
    assert done["people"] == 1
    assert done["courierhistories"] >= 1
    assert sum(pseudonym_in(tool) in row for row in stored(stage)["waybill-orders"]) >= 3
    assert list(ChatRow.scan()) == []
    (row,) = RatingRow.scan()  # its stars are in an average
    rating = msgspec.json.decode(row.doc)
    assert (rating["stars"], rating.get("comment")) == (4, None)
    erased = stored(stage)
    assert set(counts(list(eraser(stage).run())).values()) == {0}  # once more: nobody is there
    assert stored(stage) == erased


def test_lists_go_on_under_the_pseudonym_and_own_numbers_lead_nowhere(stage: World) -> None:
    pia = stage.customer("pia-77")
    meal = placed(stage, pia, external_id="thought by pia")["id"]
    stage.post(f"/v1/orders/{meal}/cancel", {}, pia)
    stage.pass_time(LONG)
    numbered = [row for row in ListingRow.scan() if row.list_name.startswith("external#")]
    expires = OrderRow.get(meal).expires
    tool = eraser(stage)
    list(tool.run())
    lists = {row.list_name.partition("#")[0]: row.list_name for row in ListingRow.scan()}
    assert len(numbered) == 1
    assert lists.keys() == {"customer", "merchant", "day", "days"}
    assert lists["customer"] == f"customer#{pseudonym_in(tool)}"
    assert OrderRow.get(meal).expires == expires
    assert stage.get("/v1/orders", pia).body == {"orders": []}
    owner = stage.get("/v1/orders", an_owner(stage)).body["orders"]
    assert [order["id"] for order in owner] == [meal]


def test_their_webhook_endpoints_go_and_others_stay(stage: World) -> None:
    for who in (stage.admin("pia-77"), stage.admin("bea")):
        form = {"url": "https://93.184.215.14/hook", "events": ["*"], "description": "Lindqvist"}
        assert stage.post("/v1/webhooks", form, who).status == 201
    tool = eraser(stage)
    assert counts(list(tool.run()))["webhooks"] == 1
    assert [
        one.owner_id for one in stage.waybill.webhooks.list_endpoints(stage.admin("bea").actor)
    ] == ["bea"]
    assert not [row for row in stored(stage)["waybill-webhooks"] if "pia-77" in row]
    assert counts(list(eraser(stage).run()))["webhooks"] == 0


def test_a_dry_run_counts_the_same_and_writes_nothing(
    stage: World, capsys: pytest.CaptureFixture[str]
) -> None:
    a_couriers_life(stage)
    stage.pass_time(LONG)
    before = stored(stage)
    said = counts(list(eraser(stage, dry=True).run()))
    assert run_eraser(eraser(stage, dry=True), dry=True) == 0
    assert "Nothing was written." in capsys.readouterr().out
    assert stored(stage) == before
    assert counts(list(eraser(stage).run())) == said


def test_a_courier_is_taken_out_of_others_histories(make_world: MakeWorld) -> None:
    """Of an order that they declined the ids go; of one that they handed back, what was said, too.
    What is nobody's business but others' stays."""
    world = make_world(settings={"reallocate_on_driver_cancel": True})
    pia, cara = world.courier("pia-77"), world.customer("cara")
    declined = world.place(cara)["id"]
    world.step("decline", declined, pia)
    world.post("/v1/courier/availability", {"available": False}, pia)
    dan = world.courier("dan")
    kept = world.place(cara)["id"]
    for verb in ("accept", "arrived", "picked", "delivered"):
        world.step(verb, kept, dan)
    profile: dict[str, Any] = dict(PIA)
    rider, hers = a_rider(world, "rita"), a_driver(world, "pia-77", **profile)
    ride_id = a_ride(rider, hers, "accepted")
    hers.did("cancel_ride", ride_id=ride_id, reason="pia was late")
    world.pass_time(400)
    assert len(HistoryRow.get(int(ride_id), world.order(ride_id).history_token).doc) > 20
    before = history_of(world, kept)
    tool = eraser(world)
    assert counts(list(tool.run()))["histories"] >= 2
    assert traces(world) == []
    assert history_of(world, kept) == before
    name = pseudonym_in(tool)
    assert history_of(world, declined)[2]["actor"] == {"role": "courier", "id": name}
    back = next(one for one in history_of(world, ride_id) if one["step"] == "hand_back")
    assert (back["actor"]["id"], "reason" in back, "position" in back) == (name, False, False)


@contextmanager
def dying_at(world: World, nth: int) -> Iterator[None]:
    """The process ends before its `nth` write."""
    events = world.engine.connection.client.meta.events
    writes = 0

    def die(model: Any, **_: Any) -> None:
        nonlocal writes
        writes += model.name in WRITES
        if writes == nth:
            raise Crash

    events.register("before-call.dynamodb", die)
    try:
        yield
    finally:
        events.unregister("before-call.dynamodb", die)


@pytest.mark.parametrize("life", sorted(LIVES))
def test_whoever_was_stopped_goes_on_with_the_same_pseudonym(stage: World, life: str) -> None:
    LIVES[life](stage)
    stage.pass_time(LONG)
    entries = len(stored(stage)["waybill-ledger"])
    deaths = 0
    while True:
        with dying_at(stage, 1 + deaths % 9):
            try:
                list(eraser(stage).run())
            except Crash:
                deaths += 1
                assert deaths < 500
                continue
        break
    assert deaths > 10
    assert traces(stage) == []
    assert len(set(re.findall(r"erased-[0-9a-f]{12}", repr(stored(stage))))) == 1
    assert len(stored(stage)["waybill-ledger"]) == entries


def test_an_unfinished_order_is_refused_on_either_side(stage: World) -> None:
    cara = stage.customer("cara")
    dan = stage.courier("dan")
    order_id = str(stage.place(cara)["id"])
    before = stored(stage)
    for person_id in ("cara", "dan"):
        with pytest.raises(CannotEraseYet, match=order_id):
            list(eraser(stage, person_id).run())
    assert stored(stage) == before
    for verb in ("accept", "arrived", "picked", "delivered"):
        stage.step(verb, order_id, dan)
    with pytest.raises(CannotEraseYet, match="just ended"):
        list(eraser(stage, "cara").run())
    stage.pass_time(LONG)
    assert counts(list(eraser(stage, "cara").run()))["orders"] == 1


def test_a_payout_that_is_owed_is_refused(stage: World) -> None:
    dan = stage.courier("dan")
    deliver(stage, stage.customer("cara"), dan)
    stage.pass_time(LONG)
    asked = stage.post("/v1/payouts", {"amount": 1, "bank_account": "DE89 DAN"}, dan).body
    with pytest.raises(CannotEraseYet, match=asked["id"]):
        list(eraser(stage, "dan").run())


def test_the_books_still_add_up(stage: World) -> None:
    a_couriers_life(stage)
    stage.pass_time(LONG)
    wallets = WalletTable(stage.engine.connection)
    balance = wallets.get_wallet("pia-77").balance_minor
    assert balance > 0
    tool = eraser(stage)
    list(tool.run())
    pseudonym = pseudonym_in(tool)
    assert wallets.get_wallet(pseudonym).balance_minor == balance
    assert sum(one.amount_minor for one in list_bookings(wallets, pseudonym, 100)) == balance
    assert any(str(balance) in note for note in tool.notes)


def test_others_keep_what_is_theirs_and_can_still_read_it(stage: World) -> None:
    """Every contract that words the log still can."""
    a_customers_life(stage)
    stage.pass_time(LONG)
    theirs = [event for event in log_of("cara") if event.type != "message_sent"]
    list(eraser(stage).run())
    assert [event for event in log_of("cara") if event.type != "message_sent"] == theirs
    for name, contract in stage.waybill.contracts.items():
        for person_id in ("dan", "dora", "cara", "restaurant#789"):
            for event in log_of(person_id):
                listener = Subscriber("x", person_id, name, role=Role.COURIER)
                for frame in contract.render_event(event, listener):
                    assert "Lindqvist" not in frame


def test_sockets_are_closed_or_hear_nothing_any_more(stage: World) -> None:
    cara = stage.customer("cara")
    one, other = stage.connect(cara), stage.connect(cara)
    list(eraser(stage, "cara").run())
    assert set(stage.gateway.closed) == {one.id, other.id}
    third = stage.connect(cara)
    tool = eraser(stage, "cara", close=None)
    list(tool.run())
    assert third.say({"event": "x"}) == []
    assert any("could not be closed" in note for note in tool.notes)


def test_a_mailbox_that_is_being_served_is_waited_for(stage: World) -> None:
    """Its writer would write back what it read."""
    a_customers_life(stage)
    stage.pass_time(LONG)
    lease_somebody_on("dan", stage, seconds=9000)
    with pytest.raises(Busy):
        list(eraser(stage).run())
    lease_somebody_on("dan", stage, seconds=9)
    list(eraser(stage).run())
    assert traces(stage) == []


def lease_somebody_on(mailbox: str, world: World, seconds: int) -> None:
    """Let somebody serve a mailbox for a while."""
    until = int((world.clock.now.timestamp() + seconds) * 1000)
    MailboxRow(mailbox).update(
        actions=[MailboxRow.lease.set("somebody"), MailboxRow.lease_until.set(until)]
    )
