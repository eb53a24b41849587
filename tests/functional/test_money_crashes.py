"""Tips, refunds and what is still due, where a process dies at each of their writes: nothing is
lost, nothing is there twice. Clients and the provider ask again until they have an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.domain.money.payments import PaymentStatus
from chalicelib.store.orders import OrderTable
from chalicelib.store.payments import PaymentTable
from tests.faults import Crash, CrashingProxy
from tests.functional.conftest import Engine, MakeWorld
from tests.functional.memory import AFTER, BEFORE, MortalWorld
from tests.functional.test_fees import SETTINGS as CANCEL_FEES
from tests.functional.test_history import history_of
from tests.functional.test_money import balance_of, webhook
from tests.functional.test_refunds import a_quoted_order
from tests.functional.world import Answer, World, log_of

SETTINGS = {**CANCEL_FEES, "waiting_per_minute": 2_00}
EARNED = 75_00


class DyingAt:
    """Lets one write, counted from 0, be the last of its process."""

    def __init__(self, nth: int, when: str) -> None:
        self._nth = nth
        self._when = when
        self.writes = 0

    def __call__(self) -> str:
        nth, self.writes = self.writes, self.writes + 1
        return self._when if nth == self._nth else ""


class Scene:
    """cara has a priced order that dan has accepted, in a world where one write may be the last."""

    def __init__(self, world: World, begin: Callable[[], None] = lambda: None) -> None:
        self.world = world
        self.begin = begin  # from here on somebody may die
        self.dan, self.cara = world.courier("dan"), world.customer("cara")
        self.order_id = a_quoted_order(world, self.cara, self.dan)
        self.price = world.get(f"/v1/orders/{self.order_id}", self.cara).body["price"]["total"]
        world.pass_time(60)

    def insist(self, ask: Callable[[], Answer], *statuses: int) -> Any:
        """Ask until there is an answer; let what follows from it happen."""
        for _ in range(3):
            try:
                answer = ask()
            except Crash:
                continue
            assert answer.status in (statuses or (200, 201)), answer
            self.world.pass_time(60)
            return answer.body
        raise AssertionError("It dies again and again.")

    def ask(self, path: str, body: Any, key: str) -> Any:
        headers = {"Idempotency-Key": key}
        return self.insist(lambda: self.world.call("POST", path, body, self.cara, headers))

    def pay(self, key: str) -> Any:
        """Pay, and let the provider say that it is done."""
        payment = self.ask("/v1/payments", {"order_id": self.order_id, "method": "upi"}, key)
        self.hear(payment["id"], "completed")
        return payment

    def hear(self, payment_id: str, status: str) -> None:
        self.insist(lambda: webhook(self.world, payment_id, status=status))

    def cancel(self) -> None:
        path = f"/v1/orders/{self.order_id}/cancel"
        self.insist(lambda: self.world.post(path, {}, self.cara))

    def step(self, *verbs: str) -> None:
        for verb in verbs:
            self.insist(partial(self.world.step, verb, self.order_id, self.dan))

    def view(self) -> Any:
        return self.world.get(f"/v1/orders/{self.order_id}", self.cara).body

    def told(self, *types: str) -> dict[str, int]:
        """How often cara or dan has each of these events in the log."""
        logs = [*log_of("cara"), *log_of("dan")]
        return {type_: Counter(event.type for event in logs)[type_] for type_ in types}


def tip(scene: Scene) -> None:
    scene.step("arrived", "picked", "delivered")
    scene.begin()
    scene.ask(f"/v1/orders/{scene.order_id}/tip", {"amount": 5}, "tip")
    assert [one.amount_minor for one in scene.world.order(scene.order_id).tips] == [5_00]
    entries = history_of(scene.world, scene.order_id, scene.dan)
    assert [one["price"] for one in entries if one["step"] == "tip"] == [5]
    assert balance_of(scene.world, "dan") == EARNED + 5_00
    assert scene.told("wallet_updated") == {"wallet_updated": 2}


def refund(scene: Scene) -> None:
    scene.begin()
    payment = scene.pay("first")
    scene.cancel()
    due = {"payment_id": payment["id"], "amount": round(scene.price - 20, 2)}
    assert scene.view()["refund_due"] == due
    scene.hear(payment["id"], "refunded")
    assert {name: scene.view()["refunded"][name] for name in due} == due
    assert balance_of(scene.world, "dan") == 20_00
    names = ("payment_initiated", "payment_completed", "refund_due", "wallet_updated")
    assert scene.told(*names) == dict.fromkeys(names, 1)


def due(scene: Scene) -> None:
    scene.pay("first")
    scene.step("arrived")
    scene.world.pass_time(200)
    scene.step("picked")
    scene.begin()
    scene.step("delivered")
    assert scene.view()["due"] == {"amount": 4}
    assert scene.pay("rest")["amount"] == 4
    assert not {"due", "refund_due"} & set(scene.view())
    paid = PaymentTable(scene.world.engine.connection).list_attempts(int(scene.order_id))
    assert [one.status for one in paid] == [PaymentStatus.COMPLETED] * 2
    assert balance_of(scene.world, "dan") == EARNED + 4_00
    names = ("payment_initiated", "payment_completed", "payment_due", "wallet_updated")
    assert scene.told(*names) == dict(zip(names, (2, 2, 1, 2), strict=True))


# After a write is before the next, but for what is queued or posted between them.
STORIES: dict[Callable[[Scene], None], tuple[str, ...]] = {
    tip: (BEFORE, AFTER),
    refund: (BEFORE, AFTER),
    due: (BEFORE,),
}


@pytest.fixture
def forget_wiring() -> Iterator[None]:
    yield
    wiring.use(None)


@pytest.mark.usefixtures("forget_wiring")
@pytest.mark.parametrize("story", STORIES)
def test_who_dies_at_any_write_loses_no_money_and_makes_none(
    story: Callable[[Scene], None],
) -> None:
    writes = die_in(story, -1, BEFORE)
    for nth in range(writes):
        for when in STORIES[story]:
            try:
                die_in(story, nth, when)
            except AssertionError as error:
                raise AssertionError(f"{when} write {nth} of {writes}") from error


def die_in(story: Callable[[Scene], None], nth: int, when: str) -> int:
    """Tell a story in which somebody dies at the nth write; return how many there were."""
    world, dying = MortalWorld(SETTINGS), DyingAt(nth, when)

    def begin() -> None:
        world.memory.choose_fault = dying

    story(Scene(world, begin))
    assert world.queue.dead == []
    return dying.writes


@pytest.mark.parametrize("which", ["orders", "payments"])
@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_a_refund_survives_a_death_on_each_engine(
    make_engine_world: MakeWorld, engine: Engine, which: str, when: str
) -> None:
    parts: dict[str, Any] = {
        "orders": CrashingProxy(OrderTable(engine.connection)),
        "payments": CrashingProxy(PaymentTable(engine.connection)),
    }
    scene = Scene(make_engine_world(settings=SETTINGS, **parts))
    parts[which].crash_at(when, "commit_order" if which == "orders" else "commit_payment")
    refund(scene)
