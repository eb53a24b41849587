"""The application over stores in memory: its own domain and services, in its own wiring."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from itertools import count
from typing import Any, TypeVar

from chalicelib.contracts.renderer import ContractRenderer
from chalicelib.domain.events import Event
from chalicelib.domain.ids import find_first_id
from chalicelib.domain.measures import Sample
from chalicelib.domain.messaging.connections import Subscriber
from chalicelib.domain.people import Person
from chalicelib.domain.retries import Retries
from chalicelib.edge.app_services import Services
from chalicelib.edge.recorder import Recorder
from chalicelib.services.request_keys import RequestKeys
from chalicelib.services.webhooks.known_endpoints import KnownEndpoints
from chalicelib.settings import Settings
from chalicelib.wiring.application import build_rooms, build_services
from chalicelib.wiring.parts import Parts
from infra.simulate.agenda import Agenda, MemoryQueue
from infra.simulate.stores.bill import Bill
from infra.simulate.stores.couriers import MemoryCouriers
from infra.simulate.stores.mailboxes import MemoryMailboxes
from infra.simulate.stores.orders import CommitListener, MemoryOrders
from infra.simulate.stores.others import (
    MemoryConnections,
    MemoryCounters,
    MemoryHistories,
    MemoryKeys,
    MemoryListings,
    MemoryPayments,
    MemoryPeople,
    MemoryWallets,
    Missing,
    NoEndpointsStore,
)

Hear = Callable[[str, Event], None]
"""Hears of each event that is delivered to a connection: whose it is, and the event."""

T = TypeVar("T")


class CityApplication:
    """The services, and what a city needs of the stores beside them. `hear` is called for each
    event that is delivered to a courier, `on_committed` for each version of each order."""

    def __init__(
        self, settings: Settings, agenda: Agenda, hear: Hear, on_committed: CommitListener
    ) -> None:
        self._agenda = agenda
        self.bill = Bill()
        self.couriers = MemoryCouriers(
            agenda, self.bill, settings.courier_max_orders, settings.ranks_by_time
        )
        self.mailboxes = MemoryMailboxes(self.bill)
        self.people = MemoryPeople(self.bill)
        self.queue = MemoryQueue(agenda)
        resolution = settings.ops_zone_resolution if settings.batch_window else None
        orders = MemoryOrders(self.couriers, self.mailboxes, self.bill, on_committed, resolution)
        parts = self._build_parts(orders)
        rooms = build_rooms(settings, parts, _EventListener(hear))
        self.services: Services = build_services(settings, parts, rooms)
        self.queue.handle_wakeup = self.services.wakeup_handler.handle_wakeup

    def _build_parts(self, orders: MemoryOrders) -> Parts:
        bill, clock = self.bill, self._agenda
        endpoints: Any = NoEndpointsStore("endpoints")
        threads = InlineThreads()
        missing: Any = Missing
        return Parts(
            clock=clock,
            ids=_count_ids(clock),
            pause=_skip_pause,
            sleep=_skip_pause,
            retries=Retries(_skip_pause, clock, dice=lambda: 0.5),
            recorder=_NoSamples("city", clock),
            threads=threads,
            relay_threads=threads,
            gateway=missing("gateway"),
            queue=self.queue,
            webhook_queue=missing("webhook_queue"),
            orders=orders,
            listings=MemoryListings(bill),
            histories=MemoryHistories(bill),
            request_keys=RequestKeys(MemoryKeys(), clock),
            links=missing("links"),
            watchers=missing("watchers"),
            ticks=missing("ticks"),
            couriers=self.couriers,
            courier_histories=missing("courier_histories"),
            people=self.people,
            restaurants=missing("restaurants"),
            ratings=missing("ratings"),
            chats=missing("chats"),
            allowances=missing("allowances"),
            connections=MemoryConnections(self.mailboxes),
            mailboxes=self.mailboxes,
            counters=MemoryCounters(bill),
            wallets=MemoryWallets(bill),
            payments=MemoryPayments(bill),
            endpoints=endpoints,
            deliveries=missing("deliveries"),
            webhook_client=missing("webhook_client"),
            known_endpoints=KnownEndpoints(endpoints, clock),
            proof_bucket=None,
        )

    def connect_courier(self, person: Person, ends_at: datetime) -> None:
        """Let a courier have a profile, and a socket that stays open."""
        self.people.save_person(person)
        self.couriers.set_vehicle_type(person.id, person.vehicle_type)
        socket = Subscriber(f"socket-{person.id}", person.id, "courier")
        self.mailboxes.subscribe(person.id, socket, ends_at)
        self.couriers.add_socket(person.id, socket.connection_id, ends_at)


class _NoSamples(Recorder):
    """Keeps no samples: the city counts by itself."""

    def record(self, sample: Sample) -> None:
        """Forget a sample."""


class _EventListener(ContractRenderer):
    """Passes each event on instead of rendering it: the phone hears the event, in no words."""

    def __init__(self, hear: Hear) -> None:
        super().__init__({}, keepalive_every=Settings().heartbeat)
        self._hear = hear

    def render_event(
        self, listener: Subscriber, event: Event, positions: tuple[str, str] | None = None
    ) -> Sequence[str]:
        """Let a listener hear of an event. There are no frames of it."""
        self._hear(listener.person_id, event)
        return ()


class InlineThreads(ThreadPoolExecutor):
    """Does each task at once, on the thread that submits it: nothing waits for a network here, and
    the order of things must not depend on the machine."""

    def __init__(self) -> None:
        super().__init__(1)

    def submit(self, task: Callable[..., T], /, *args: Any, **fields: Any) -> Future[T]:
        """Run a task; return its result as a future that is done."""
        future: Future[T] = Future()
        try:
            future.set_result(task(*args, **fields))
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            future.set_exception(error)
        return future

    def map(
        self,
        task: Callable[..., T],
        *given: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[T]:
        """Run a task for each of some arguments."""
        return iter([task(*each) for each in zip(*given, strict=False)])


def _count_ids(clock: Agenda) -> Callable[[], int]:
    """Make ids that grow with time, and are no accident."""
    numbers = count()
    return lambda: find_first_id(clock.now) + next(numbers) % 4096


def _skip_pause(seconds: float) -> None:
    """Let no time pass within a step: between two of them, others would go on."""
