"""The board, read from the tables as the flows leave them."""

from __future__ import annotations

from chalicelib.domain.ops.board import Board
from chalicelib.domain.orders.model import Status
from tests.functional.conftest import Engine
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
