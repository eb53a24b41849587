"""A town: Waybill, wired as in production, among clients and in the middle of all that fails."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pynamodb.exceptions import PynamoDBException

from chalicelib import wiring
from chalicelib.contracts.base import Contract
from chalicelib.domain.money.payments import Payment
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.people import Actor, Role
from chalicelib.edge import sockets
from chalicelib.edge import sqs as wakes
from chalicelib.errors import CourierTaken, Overdue, PostFailed, Stale, WaybillError
from chalicelib.settings import Settings
from chalicelib.store.database import bind_tables
from chalicelib.store.wallets import WalletTable
from infra.local.tokens import mint_token
from tests.conftest import SECRET
from tests.faults import Crash
from tests.simulation.boundary import DynamoClient
from tests.simulation.dynamo import Dynamo
from tests.simulation.endpoints import Endpoints, KnownByProcess
from tests.simulation.faults import RATES, Fate, Faults
from tests.simulation.gateway import Gateway
from tests.simulation.history import History
from tests.simulation.queue import Queue
from tests.simulation.scheduler import Invocation, Scheduler
from tests.simulation.secrecy import secrets_of
from tests.simulation.threads import pools_on
from tests.simulation.wording import Poison, attribute_contract

if TYPE_CHECKING:
    from tests.simulation.phones import Phone

T = TypeVar("T")

PREFIX = "waybill"
PROVIDER_SECRET = "what-the-provider-and-we-know"
NO_ANSWER = 0
_PROCESSES = 5  # where they matter: each has a clock, and knows what it has read
_CONFIGURED = Path(__file__).resolve().parents[2] / ".chalice" / "config.json"


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    id: str
    role: Role
    restaurant_ids: tuple[str, ...] = ()

    @property
    def actor(self) -> Actor:
        """Who the services see."""
        return Actor(self.id, self.role, restaurant_ids=self.restaurant_ids)

    @property
    def token(self) -> str:
        """What their clients show."""
        return mint_token(
            SECRET, self.role.value, self.id, restaurant_ids=list(self.restaurant_ids)
        )


@dataclass(frozen=True)
class Plan:
    """What one history is made of; the same plan gives the same history."""

    seed: int
    faults: str = "many"
    skew_s: float = 0.0
    without: tuple[str, ...] = ()  # kinds of faults
    active_s: float = 45.0
    quiet_s: float = 1800.0
    with_endpoints: bool = False
    # Two couriers are asked at once, each may have two orders, and their positions tell arrivals.
    in_waves: bool = False
    with_positions: bool = False  # every other phone holds its own position
    with_hands: bool = False  # dispatchers lend a hand, and orders wait to be matched at once


@dataclass(frozen=True)
class Answer:
    """What a client was answered: NO_ANSWER where the process died, else an HTTP status."""

    status: int
    body: Any = None

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def try_again(self) -> bool:
        """Whether a client would ask again: no answer, or one that says so."""
        return self.status == NO_ANSWER or self.status >= 500


class Town:
    """See the module. It lasts as long as `lasting` does."""

    def __init__(
        self, plan: Plan, over: Callable[[Dynamo], Dynamo] = lambda dynamo: dynamo
    ) -> None:
        """`over` puts something else in front of DynamoDB."""
        self.plan = plan
        self.dice = Random(f"{plan.seed} {plan.faults} {plan.skew_s:g}")
        self.scheduler = Scheduler(self.dice)
        self.history = History(lambda: self.scheduler.now_s, most_orders=2 if plan.in_waves else 1)
        rates = replace(RATES[plan.faults], **dict.fromkeys(plan.without, 0.0))
        self.faults = Faults(rates, plan.skew_s, self.dice)
        fate = Fate(self.scheduler, self.faults, self.history)
        self.dynamo = Dynamo(PREFIX, self.history.wrote)
        self.gateway = Gateway(self.scheduler, self.faults, fate, self.history.trace)
        self.queue = Queue(
            self.scheduler, self.faults, fate, self.history.trace, wakes.BATCH_SIZE, self._wake
        )
        self.engine = over(self.dynamo)
        client = DynamoClient(self.engine, self.scheduler, self.faults, fate)
        self.settings = _settings(plan)
        self.database = bind_tables(PREFIX, self.settings.aws_region, None, client)
        self.ledger = WalletTable(self.database)
        self.people: dict[str, Person] = {}
        self.phones: list[Phone] = []
        self.payments: list[Payment] = []  # that customers know of
        self.payouts: list[Payout] = []  # that couriers wait for
        self._ids, self._invocations = 10**12, 0
        self._limits_s = _limits_s()
        self._skews_s = (
            [self.faults.skew() for _ in range(_PROCESSES)] if plan.with_endpoints else []
        )
        self.endpoints = (
            Endpoints(self.scheduler, self.faults, fate) if plan.with_endpoints else None
        )
        self.waybill = wiring.build(
            self.settings,
            endpoints=self.endpoints,
            known_endpoints=KnownByProcess(self.endpoints) if self.endpoints else None,
            webhook_queue=self.endpoints,
            clock=self.scheduler.clock,
            ids=self.new_id,
            gateway=self.gateway,
            queue=self.queue,
            database=self.database,
            pause=self.scheduler.sleep,
        )
        self.contracts = dict(self.waybill.contracts)
        self.poison = Poison(self.faults, sorted(self.contracts))
        served = cast("dict[str, Contract]", self.waybill.contracts)
        for name, contract in self.contracts.items():
            served[name] = attribute_contract(name, contract, self.poison)

    @contextmanager
    def lasting(self) -> Iterator[None]:
        """Let thread pools be the town's own, and all chance the seed's, while it lasts."""
        state = random.getstate()
        random.seed(self.plan.seed)
        try:
            with pools_on(self.scheduler, self.dice), secrets_of(self.plan.seed):
                yield
        finally:
            self.scheduler.close()
            random.setstate(state)

    def new_id(self) -> int:
        """Return an id that nothing else has."""
        self._ids += 1
        return self._ids

    # Lambdas

    def ask(self, what: str, run: Callable[[], T]) -> Answer:
        """Answer a REST request of the client whose strand this is."""
        return self._invoke("api_handler", what, lambda: Answer(200, run()))

    def connect(self, socket_id: str, query: Mapping[str, str], token: str | None) -> Answer:
        """Answer a handshake ($connect)."""
        event = {
            "requestContext": {
                "connectionId": socket_id,
                "connectedAt": int((self.scheduler.now.timestamp() + self.faults.skew()) * 1000),
            },
            "queryStringParameters": dict(query),
            "headers": {"authorization": f"Bearer {token}"} if token else {},
        }
        return self._invoke(
            "websocket_connect",
            socket_id,
            lambda: Answer(sockets.handle_connect(self.waybill, event)),
        )

    def say(self, socket_id: str, message: Any) -> Answer:
        """Handle a message on a socket ($default)."""
        text = message if isinstance(message, str) else json.dumps(message)

        def run() -> Answer:
            sockets.handle_message(self.waybill, socket_id, text)
            return Answer(200)

        return self._invoke("websocket_message", f"{socket_id} {text[:40]}", run)

    def disconnect(self, socket_id: str) -> Answer:
        """Handle the end of a socket ($disconnect)."""

        def run() -> Answer:
            sockets.handle_disconnect(self.waybill, socket_id)
            return Answer(200)

        return self._invoke("websocket_disconnect", socket_id, run)

    def sweep(self, once: bool) -> None:
        """Run the sweep, or only the whole pass of it."""
        sweeper = self.waybill.sweeper

        def run() -> Answer:
            if once:
                sweeper.run_pass()
            else:
                out_of_time = wakes.make_time_check(_Context(self.scheduler), reserve=0.1)
                sweeper.run_minute(out_of_time)
            return Answer(200)

        self._invoke("sweep", "", run)

    def _wake(self, records: list[dict[str, Any]]) -> set[str] | None:
        """Give a batch to the Lambda behind the queue."""

        def run() -> Answer:
            answer = wakes.handle_batch(
                self.waybill, {"Records": records}, _Context(self.scheduler)
            )
            return Answer(200, {one["itemIdentifier"] for one in answer["batchItemFailures"]})

        found = self._invoke("wake", " ".join(record["body"] for record in records), run)
        return found.body if found.ok else None

    def _invoke(self, function: str, what: str, run: Callable[[], Answer]) -> Answer:
        """Run one invocation on this strand."""
        self._invocations += 1
        name, now_s = f"{function}#{self._invocations}", self.scheduler.now_s
        skew_s, process = self.faults.skew(), 0
        if self.endpoints:
            process = self.dice.randrange(len(self._skews_s))
            skew_s = self._skews_s[process]
        invocation = Invocation(
            name, now_s, self._limits_s[function], skew_s=skew_s, process=process
        )
        self.history.trace(name, what)
        answer = self._answer_of(invocation, function, run)
        if answer.status == 503 and not invocation.hurt:
            self.history.violate("nobody_is_refused_for_others", f"{function} {what[:60]}: 503")
        invocation.answered = True
        self.history.trace(name, "answers", answer.status)
        self.history.outcomes[f"{function} {answer.status}"] += 1
        return answer

    def _answer_of(
        self, invocation: Invocation, function: str, run: Callable[[], Answer]
    ) -> Answer:
        try:
            return self.scheduler.invoke(invocation, lambda: _answering(run))
        except Crash:
            return Answer(NO_ANSWER)
        except Exception as error:  # noqa: BLE001 - what Lambda would log
            if not _is_documented(function, error, invocation.hurt):
                others = isinstance(error, PostFailed)
                check = "nobody_is_refused_for_others" if others else "nothing_is_uncaught"
                self.history.violate(check, f"{invocation.name}: {error!r}")
            return Answer(500)


class _Context:
    """Lambda's context: how much time the invocation that runs has left."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def get_remaining_time_in_millis(self) -> int:
        invocation = self._scheduler.invocation
        assert invocation is not None, "a handler runs in an invocation"
        spent_s = self._scheduler.now_s - invocation.began_s
        return int((invocation.limit_s - spent_s) * 1000)


def _answering(run: Callable[[], Answer]) -> Answer:
    """Answer what services raise as edge.rest does."""
    try:
        return run()
    except WaybillError as error:
        return Answer(error.http_status, error.details)
    except (Stale, CourierTaken):
        return Answer(503)


def _is_documented(function: str, error: Exception, hurt: bool) -> bool:
    """Tell whether an invocation may fail so. A socket's handler, as API Gateway tells the client
    then: its own socket can't be posted to, or the engine did not answer. The sweep, so that an
    alarm rings."""
    if function == "sweep":
        return isinstance(error, Overdue)
    if not function.startswith("websocket_"):
        return False
    return isinstance(error, PostFailed) or (hurt and isinstance(error, PynamoDBException))


def _settings(plan: Plan) -> Settings:
    """Make production's settings, but that searches and waits are short, feeds seldom give a sign,
    and whatever may cost something does."""
    waves = ((5000, 2, 12), (5000, 3, 15)) if plan.in_waves else ()
    return Settings(
        dispatch_waves=waves,
        hail_waves=waves,
        courier_max_orders=2 if plan.in_waves else 1,
        ranks_by_time=plan.in_waves,
        auto_arrive="do" if plan.in_waves else "off",
        batch_window=timedelta(seconds=6 if plan.with_hands else 0),
        jwt_secret=SECRET,
        payment_webhook_secret=PROVIDER_SECRET,
        table_prefix=PREFIX,
        hail_offer_ttl=timedelta(seconds=20),
        hail_search_ttl=timedelta(seconds=60),
        ride_search_ttl=timedelta(seconds=60),
        feed_stale=timedelta(minutes=10),
        no_show_after_pickup=timedelta(seconds=5),
        no_show_after_dropoff=timedelta(seconds=6),
        free_waiting=timedelta(seconds=3),
        waiting_per_minute=1_00,
        cancel_fees=tuple((flow, 2_00, 5_00) for flow in FLOWS),
        no_show_fees=tuple((flow, 4_00) for flow in FLOWS),
    )


def _limits_s() -> dict[str, float]:
    """Read how long each Lambda function may take."""
    stage = json.loads(_CONFIGURED.read_text())["stages"]
    functions: dict[str, Any] = {}
    for one in stage.values():
        functions |= one.get("lambda_functions", {})
    return {name: float(given["lambda_timeout"]) for name, given in functions.items()}
