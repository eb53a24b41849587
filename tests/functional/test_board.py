"""The board, read from the tables as the flows leave them."""

from __future__ import annotations

from chalicelib.domain.ops.board import Board
from chalicelib.domain.orders.model import Status
from tests.functional import rides
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.kitchen import Kitchen
from tests.functional.world import World


def read(world: World) -> Board:
    return world.waybill.board.read(world.clock.now)


def test_the_board_has_what_is_unfinished_and_who_is_on_duty(engine: Engine) -> None:
    world = World(engine)
    dan, cara = world.courier("dan"), world.customer()
    world.courier("eve", at=None)
    world.courier("off", available=False)
    first = int(world.place(cara)["id"])
    board = read(world)
    row = board.orders[first]
    assert (row.state, row.offered_to, row.courier_id) == (Status.OFFERED, "dan", None)
    assert set(board.couriers) == {"dan", "eve"}
    assert board.couriers["dan"].order_id == first
    world.step("accept", str(first), dan)
    assert read(world).orders[first].courier_id == "dan"
    for verb in ("arrived", "picked", "delivered"):
        world.step(verb, str(first), dan)
    board = read(world)
    assert not board.orders
    assert board.couriers["dan"].order_id is None


def test_all_who_are_asked_at_once_stay_on_the_board(make_world: MakeWorld) -> None:
    """Whoever is asked is in no index of the free; an order names the first of them alone."""
    world = make_world(settings={"dispatch_waves": ((1500, 3, 15),)})
    for id_ in ("dan", "eve", "fay"):
        world.courier(id_)
    order_id = int(world.place(world.customer())["id"])
    couriers = read(world).couriers
    assert {id_: row.order_id for id_, row in couriers.items()} == dict.fromkeys(
        ("dan", "eve", "fay"), order_id
    )


def test_an_offer_means_the_same_in_a_row_as_in_figures(world: World) -> None:
    """One to all drivers near by, however many; a ready meal, to all of the pool."""
    rider = rides.a_rider(world)
    for id_ in ("dan", "eve", "fay"):
        rides.a_driver(world, id_)
    ride_id = int(rides.request(rider))
    world.pump()
    kitchen = Kitchen(world)
    meal_id = int(kitchen.place())
    assert read(world).orders[meal_id].offers == 0
    kitchen.update(meal_id, "confirmed", "preparing", "ready_for_pickup")
    rows = read(world).orders
    assert (rows[ride_id].offers, rows[meal_id].offers) == (1, 1)
    total = world.get("/v1/admin/figures", world.admin()).body["total"]
    assert total["offers_per_order"] == 1


def test_what_is_read_once_keeps_nobody_waiting(engine: Engine) -> None:
    """A process reads the lists of days as it begins; were they counted, the next tick would come
    minutes later, where a week has many orders."""
    world = World(engine)
    for n in range(3):
        world.place(world.customer(f"cara-{n}"))
    world.courier("dan")
    ended = world.place(world.customer())["id"]
    world.post(f"/v1/orders/{ended}/cancel", by=world.customer())
    assert read(world).rows_read == 3 + 1
    # Later looks read the newest rows of the lists, many at the price of one.
    assert read(world).rows_read == 3 + 1 + 1
