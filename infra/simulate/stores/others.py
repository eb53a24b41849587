"""The smaller stores in memory: histories, keys, people, connections, counters, money."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, NoReturn

from chalicelib.domain.due import Due
from chalicelib.domain.messaging.connections import Connection, Subscriber, parse_mailbox_room
from chalicelib.domain.messaging.event_stats import DayCounts, EventCount, ReasonCount
from chalicelib.domain.money.payments import Payment
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.money.wallets import Wallet
from chalicelib.domain.ops.summary import ListedOrder, OrderSummary
from chalicelib.domain.orders.changes import History
from chalicelib.domain.people import Person
from chalicelib.domain.request_keys import RequestKey, UsedKey
from chalicelib.domain.webhooks.registry import EndpointRegistry
from chalicelib.errors import NotFound, Stale
from chalicelib.store.tables import SHARDS
from infra.simulate.stores.bill import Bill
from infra.simulate.stores.mailboxes import MemoryMailboxes


class NotSimulated(Exception):
    """Something was asked of a part that the city does not have."""


class Missing:
    """Stands in for a part that the city does not have: chats, ratings, proofs, webhooks."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> NoReturn:
        raise NotSimulated(f"{self._name}.{attribute}")


class MemoryHistories:
    """Implements services.ports.HistoryStore. Tokens count up."""

    def __init__(self, bill: Bill) -> None:
        self._bill = bill
        self._histories: dict[tuple[int, str], History] = {}

    def save_history(self, order_id: int, history: History, expires_at: datetime) -> str:
        """Put a history; return its token."""
        self._bill.charge_write("histories")
        token = f"{len(self._histories):x}"
        self._histories[order_id, token] = history
        return token

    def find_history(
        self, order_id: int, token: str, now: datetime, is_consistent: bool = True
    ) -> History | None:
        """Read a history; None if there is none."""
        self._bill.charge_read("histories", 1 + is_consistent)
        return self._histories.get((order_id, token))

    def list_histories(self, keys: Sequence[tuple[int, str]], now: datetime) -> dict[int, History]:
        """Refuse: nobody asks for figures."""
        raise NotSimulated("list_histories")


class MemoryListings:
    """Implements services.ports.ListingStore, as far as it is written: nobody asks for a list."""

    def __init__(self, bill: Bill) -> None:
        self._bill = bill

    def list_ids(
        self, names: Sequence[str], limit: int, below: int = 0, from_: int = 0
    ) -> list[int]:
        """Refuse."""
        raise NotSimulated("list_ids")

    def list_rows(self, names: Sequence[str], from_: int = 0) -> list[ListedOrder]:
        """Refuse."""
        raise NotSimulated("list_rows")

    def find_summaries(self, rows: Sequence[tuple[str, int]]) -> dict[int, OrderSummary]:
        """Refuse."""
        raise NotSimulated("find_summaries")

    def save_summary(self, name: str, order_id: int, summary: OrderSummary) -> None:
        """Keep what is counted of an order: a write."""
        self._bill.charge_write("lists")


class MemoryKeys:
    """Implements services.ports.KeyStore for requests that have no keys."""

    def find_key(self, name: str, now: datetime) -> UsedKey | None:
        """Find nothing."""
        return None

    def insert_key(self, key: RequestKey, target: str, now: datetime) -> bool:
        """Take any key."""
        return True

    def replace_target(self, name: str, before: str, after: str) -> bool:
        """Replace any target."""
        return True


class MemoryPeople:
    """Implements services.ports.PeopleStore."""

    def __init__(self, bill: Bill) -> None:
        self._bill = bill
        self._people: dict[str, Person] = {}

    def get_person(self, person_id: str) -> Person | None:
        """Read a profile."""
        self._bill.charge_read("people")
        return self._people.get(person_id)

    def list_people(self, person_ids: Sequence[str]) -> list[Person]:
        """Refuse: nobody watches the board."""
        raise NotSimulated("list_people")

    def save_person(self, wanted: Person) -> Person:
        """Write a profile."""
        self._people[wanted.id] = wanted
        return wanted


class MemoryConnections:
    """Implements what dispatch needs of services.ports.ConnectionStore: who is in a person's room.
    Connections never break here."""

    def __init__(self, mailboxes: MemoryMailboxes) -> None:
        self._mailboxes = mailboxes

    def list_subscribers(self, room: str, now: datetime) -> list[Subscriber]:
        """List a room's subscribers: those of a mailbox."""
        person_id = parse_mailbox_room(room)
        return [] if person_id is None else self._mailboxes.list_subscribers(person_id, now)

    def has_subscriber(self, room: str, now: datetime) -> bool:
        """Tell whether anybody is in a room."""
        return bool(self.list_subscribers(room, now))

    def get_connection(self, connection_id: str, now: datetime) -> Connection | None:
        """Find nothing: connections have no rows here."""
        return None

    def get_at_any_age(self, connection_id: str) -> Connection | None:
        """Find nothing, likewise."""
        return None

    def count_connections(self) -> int:
        """Refuse: nobody asks for figures."""
        raise NotSimulated("count_connections")

    def insert_connection(self, connection: Connection) -> NoReturn:
        """Refuse: nobody connects after the beginning."""
        raise NotSimulated("insert_connection")

    def update_connection(self, before: Connection, after: Connection) -> NoReturn:
        """Refuse, likewise."""
        raise NotSimulated("update_connection")

    def delete_connection(self, connection_id: str) -> None:
        """Do nothing."""

    def add_to_room(self, room: str, connection: Connection) -> NoReturn:
        """Refuse, likewise."""
        raise NotSimulated("add_to_room")

    def remove_from_room(self, room: str, connection_id: str) -> None:
        """Do nothing."""

    def list_due(self, now: datetime, since: datetime | None = None) -> Iterator[Due[str]]:
        """Find nothing that is due."""
        return iter(())


class MemoryCounters:
    """Implements services.ports.CounterStore: a write for each shard and day, and no more."""

    def __init__(self, bill: Bill) -> None:
        self._bill = bill

    def add_counts(self, counts: Iterable[EventCount], reasons: Iterable[ReasonCount] = ()) -> None:
        """Charge for what is counted."""
        rows = {(one.day, one.shard % SHARDS) for one in counts}
        rows |= {(one.day, one.shard % SHARDS) for one in reasons}
        self._bill.charge_write("counters", len(rows))

    def list_counts(self, day: date) -> DayCounts:
        """Find nothing."""
        return DayCounts([], [])


class MemoryWallets:
    """Implements services.ports.WalletStore, without payouts."""

    def __init__(self, bill: Bill) -> None:
        self._bill = bill
        self._wallets: dict[str, Wallet] = {}
        self._ledger: set[tuple[str, str]] = set()

    def get_wallet(self, courier_id: str) -> Wallet:
        """Read a wallet; an empty one if there is none yet."""
        self._bill.charge_read("wallets")
        return self._wallets.get(courier_id) or Wallet(courier_id)

    def has_booking(self, wallet: Wallet, key: str) -> bool:
        """Tell whether a key is booked."""
        if any(booking.key == key for booking in wallet.latest_bookings):
            return True
        self._bill.charge_read("wallets")
        return (wallet.courier_id, key) in self._ledger

    def commit_wallet(
        self,
        before: Wallet,
        after: Wallet,
        payout: Payout | None = None,
        key: RequestKey | None = None,
    ) -> None:
        """Write a wallet; its bookings of before become rows of the ledger. Raises Stale."""
        current = self._wallets.get(after.courier_id) or Wallet(after.courier_id)
        if current.version != before.version:
            raise Stale
        for booking in before.latest_bookings:
            self._ledger.add((before.courier_id, booking.key))
        self._bill.charge_write("wallets", 1 + len(before.latest_bookings))
        self._wallets[after.courier_id] = after

    def get_payout(self, payout_id: str) -> Payout:
        """Find nothing. Raises NotFound."""
        raise NotFound("There is no such payout.")

    def update_payout(self, before: Payout, after: Payout) -> NoReturn:
        """Refuse: nobody is paid out."""
        raise NotSimulated("update_payout")


class MemoryPayments:
    """Implements services.ports.PaymentStore: everybody pays in cash."""

    def __init__(self, bill: Bill) -> None:
        self._bill = bill

    def get_attempt(self, order_id: int, attempt: int) -> Payment | None:
        """Find nothing."""
        return None

    def get_latest(self, order_id: int) -> Payment | None:
        """Find nothing, for a read."""
        self._bill.charge_read("payments")
        return None

    def list_attempts(self, order_id: int) -> list[Payment]:
        """Find nothing."""
        return []

    def commit_payment(self, *args: Any, **fields: Any) -> NoReturn:
        """Refuse: nobody pays."""
        raise NotSimulated("commit_payment")


class NoEndpointsStore(Missing):
    """Implements what a commit asks of services.ports.EndpointStore: there is no endpoint."""

    def get_registry(self) -> EndpointRegistry:
        """Return an empty registry."""
        return EndpointRegistry()
