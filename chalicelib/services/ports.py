"""What services need of the outside. `store` and `edge` implement these; tests may fake them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol

from chalicelib.domain.courier_changes import CourierChange
from chalicelib.domain.due import Due
from chalicelib.domain.events import Event
from chalicelib.domain.fixes import Verdict
from chalicelib.domain.geo import Point
from chalicelib.domain.measures import Sample
from chalicelib.domain.messaging.connections import Connection, Subscriber
from chalicelib.domain.messaging.event_stats import DayCounts, EventCount, ReasonCount
from chalicelib.domain.messaging.mailboxes import Mailbox, PlannedLease
from chalicelib.domain.messaging.wakeups import Wakeup
from chalicelib.domain.messaging.watching import Watcher
from chalicelib.domain.money.payments import Payment
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.money.wallets import Wallet
from chalicelib.domain.ops.duty import DutyHours
from chalicelib.domain.ops.summary import ListedOrder, OrderSummary
from chalicelib.domain.ops.ticks import TickState
from chalicelib.domain.orders.changes import History
from chalicelib.domain.orders.chat import ChatMessage
from chalicelib.domain.orders.dispatch_policy import FreeCourierQuery
from chalicelib.domain.orders.model import Order
from chalicelib.domain.orders.proof import FoundFile, UploadForm
from chalicelib.domain.people import Courier, Fix, LastShown, Person, Rating, Restaurant
from chalicelib.domain.rate_limits import RateLimit
from chalicelib.domain.request_keys import RequestKey, UsedKey
from chalicelib.domain.webhooks.delivery import Answer, Delivery, SendDue
from chalicelib.domain.webhooks.endpoint import Endpoint
from chalicelib.domain.webhooks.registry import EndpointRegistry

Clock = Callable[[], datetime]
RecordSample = Callable[[Sample], None]
"""Keeps a sample of a metric until it is printed. Never raises, and calls nothing."""


class RenderEvent(Protocol):
    """Renders the frames of an event for a listener, with the positions before and after it, where
    its client holds them."""

    def __call__(
        self, listener: Subscriber, event: Event, positions: tuple[str, str] | None = None
    ) -> Sequence[str]: ...


class OrderStore(Protocol):
    def get_order(self, order_id: int) -> Order: ...
    def get_order_eventually(self, order_id: int) -> Order: ...
    def add_to_lists(self, stored: Order | None, order: Order) -> None: ...
    def commit_order(
        self,
        stored: Order | None,
        order: Order,
        *,
        available_only: bool = True,
        lease: PlannedLease | None = None,
    ) -> bool: ...
    def release_left(self, courier_id: str, order: Order, now: datetime) -> bool: ...
    def find_newest_active(self, customer_id: str) -> Order | None: ...
    def list_due(self, now: datetime, since: datetime | None = None) -> Iterator[Due[int]]: ...
    def list_open(self, pool: str, limit: int) -> list[Order]: ...
    def list_searching(self, pool: str, limit: int) -> list[Order]: ...
    def list_active_of_merchant(self, merchant_id: str, limit: int) -> list[Order]: ...
    def read_listed(
        self, ids: Sequence[int], now: datetime, is_consistent: bool = True
    ) -> list[Order]: ...


class ListingStore(Protocol):
    """Lists of orders, by the names of domain.orders.listing."""

    def list_ids(
        self, names: Sequence[str], limit: int, below: int = ..., from_: int = ...
    ) -> list[int]: ...
    def list_rows(self, names: Sequence[str], from_: int = 0) -> list[ListedOrder]:
        """List all rows of several lists together, from an order's id up, in no order, each as it
        is or lately was."""

    def find_summaries(self, rows: Sequence[tuple[str, int]]) -> dict[int, OrderSummary]:
        """Find the summaries that rows have, by the orders' ids; a row is a list and an id."""

    def save_summary(self, name: str, order_id: int, summary: OrderSummary) -> None:
        """Keep what is counted of an order with its row in a list; nothing, if it is in none."""


class HistoryStore(Protocol):
    """Changes of orders that are not in the orders' own rows any more."""

    def save_history(self, order_id: int, history: History, expires_at: datetime) -> str: ...
    def find_history(
        self, order_id: int, token: str, now: datetime, is_consistent: bool = True
    ) -> History | None: ...
    def list_histories(self, keys: Sequence[tuple[int, str]], now: datetime) -> dict[int, History]:
        """Read the histories of some orders by ids and tokens, as they are or lately were."""


class KeyStore(Protocol):
    def find_key(self, name: str, now: datetime) -> UsedKey | None: ...
    def insert_key(self, key: RequestKey, target: str, now: datetime) -> bool: ...
    def replace_target(self, name: str, before: str, after: str) -> bool: ...


class LinkStore(Protocol):
    """Tracking links' orders, by the hashes of the links' tokens."""

    def insert_link(self, hash_: str, order_id: int, now: datetime) -> None: ...
    def find_order_id(self, hash_: str, now: datetime) -> int | None: ...


class CourierStore(Protocol):
    def get_courier(self, courier_id: str) -> Courier | None: ...
    def get_eventually(self, courier_id: str) -> Courier | None: ...
    def set_available(self, courier_id: str, available: bool, now: datetime) -> Courier: ...
    def record_fix(
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        min_gap: timedelta | None,
        at_work: bool = False,
    ) -> Courier | None: ...
    def record_fixes(
        self, courier_id: str, fixes: Sequence[Fix], now: datetime, min_gap: timedelta | None
    ) -> tuple[Courier | None, list[Verdict]]: ...
    def record_doubtful_fix(
        self,
        courier_id: str,
        fix: Fix,
        now: datetime,
        min_gap: timedelta | None,
        at_work: bool,
        good_after: datetime | None,
    ) -> Courier | None: ...
    def set_vehicle_type(self, courier_id: str, vehicle_type: str | None) -> None: ...
    def mark_shown(self, courier: Courier, seen: LastShown) -> bool: ...
    def note_alive(self, courier: Courier, now: datetime) -> None: ...
    def add_socket(
        self, courier_id: str, connection_id: str, ends_at: datetime | None = None
    ) -> None: ...
    def remove_socket(self, courier_id: str, connection_id: str) -> None: ...
    def release_courier(self, courier_id: str, order_id: int, now: datetime) -> None: ...
    def iterate_free_near(
        self, point: Point, radius_m: float, query: FreeCourierQuery
    ) -> Iterator[tuple[list[Courier], float]]: ...
    def list_longest_idle(self, query: FreeCourierQuery) -> list[Courier]: ...
    def remove_from_cells(self, couriers: Iterable[Courier]) -> None: ...
    def remove_from_index(self, couriers: Iterable[Courier]) -> None: ...
    def find_occupied(self, courier_ids: Iterable[str]) -> frozenset[str]: ...
    def list_free_ids(self) -> list[str]:
        """List the ids of all couriers who are on duty and have no order, paused or not, a moment
        behind."""

    def list_eventually(self, courier_ids: Sequence[str]) -> list[Courier]:
        """Read couriers as they are or lately were, in no order."""


class CourierHistoryStore(Protocol):
    """What dispatchers did with couriers, and their pauses."""

    def set_paused(
        self, courier_id: str, is_paused: bool, make: Callable[[], CourierChange]
    ) -> Courier: ...
    def list_changes(
        self, courier_id: str, limit: int, below: int, now: datetime
    ) -> list[CourierChange]: ...


class PeopleStore(Protocol):
    """Profiles of people."""

    def get_person(self, person_id: str) -> Person | None: ...
    def list_people(self, person_ids: Sequence[str]) -> list[Person]:
        """Read the profiles that there are, in no order, as they are or lately were."""

    def save_person(self, wanted: Person) -> Person:
        """Write a profile, but for its ratings; return what is stored."""


class RatingStore(Protocol):
    """Ratings of couriers, one an order."""

    def insert_rating(self, rating: Rating, key: RequestKey | None = None) -> None:
        """Insert a rating, with the key of its request, and count it. Raises AlreadyRated."""


class ChatStore(Protocol):
    """Chat messages, by order."""

    def insert_message(self, message: ChatMessage, key: RequestKey | None = None) -> None:
        """Insert a message, with the key of its request. Raises Stale if its id is another's, or
        the key is used."""

    def get_message(self, order_id: int, message_id: int) -> ChatMessage | None: ...
    def list_newest(self, order_id: int, limit: int, before: int | None) -> list[ChatMessage]: ...


class AllowanceStore(Protocol):
    """How much of a rate limit somebody has used."""

    def try_use(self, name: str, limit: RateLimit, now: datetime) -> bool:
        """Use an allowance once; return False where it is used up."""


class RestaurantStore(Protocol):
    """Profiles of restaurants."""

    def get_restaurant(self, restaurant_id: str) -> Restaurant | None: ...
    def save_restaurant(self, restaurant: Restaurant) -> None: ...


class ConnectionStore(Protocol):
    def insert_connection(self, connection: Connection) -> None: ...
    def get_connection(self, connection_id: str, now: datetime) -> Connection | None: ...
    def get_at_any_age(self, connection_id: str) -> Connection | None: ...
    def update_connection(self, before: Connection, after: Connection) -> Connection: ...
    def delete_connection(self, connection_id: str) -> None: ...
    def add_to_room(self, room: str, connection: Connection) -> None: ...
    def remove_from_room(self, room: str, connection_id: str) -> None: ...
    def list_subscribers(self, room: str, now: datetime) -> list[Subscriber]: ...
    def has_subscriber(self, room: str, now: datetime) -> bool: ...
    def list_due(self, now: datetime, since: datetime | None = None) -> Iterator[Due[str]]: ...
    def count_connections(self) -> int:
        """Count all open connections, a moment behind."""


class WatcherStore(Protocol):
    """Those who watch the board."""

    def list_watchers(self, now: datetime) -> list[Watcher]:
        """List everybody who watches, strongly consistent."""

    def find_shown(self, connection_id: str) -> str:
        """Find as of which tick a connection was shown all; "" while that is to come."""

    def note_answered(self, watcher: Watcher) -> None:
        """Write that somebody was told what becomes of the position that they hold."""

    def note_shown(self, watcher: Watcher, shown: str, paused_until: datetime | None) -> None:
        """Write as of which tick somebody was shown all, and until when they are left alone.
        Nothing is written of somebody who has gone."""


class TickStore(Protocol):
    """How far the ticks have got, and what they counted of couriers."""

    def get_state(self) -> TickState | None:
        """Read the state, strongly consistent; None where nobody has ever watched."""

    def save_state(self, before: TickState | None, after: TickState) -> TickState:
        """Write a state over `before` (None: where there is none). Raises Stale."""

    def get_duty(self) -> DutyHours:
        """Read how many couriers were idle by the hour, a moment behind."""

    def save_duty(self, before: DutyHours, after: DutyHours) -> None:
        """Write what was counted over `before`. Raises Stale."""


class MailboxStore(Protocol):
    def get_mailbox(self, person_id: str) -> Mailbox: ...
    def get_eventually(self, person_id: str) -> Mailbox: ...
    def list_eventually(self, person_ids: Sequence[str]) -> list[Mailbox]: ...
    def acquire_lease(
        self,
        person_id: str,
        holder: str,
        now: datetime,
        until: datetime,
        pending_id: str | None = None,
    ) -> Mailbox | None: ...
    def give_epoch(self, person_id: str, now: datetime) -> Mailbox: ...
    def enqueue_for_holder(self, person_id: str, pending_id: str, now: datetime) -> bool: ...
    def list_events_before(self, person_id: str, seq: int | None, limit: int) -> list[Event]: ...
    def list_critical_events(self, day: date, since: datetime, limit: int) -> list[Event]: ...
    def list_events_from(self, mailbox: Mailbox, first_seq: int, limit: int) -> list[Event]: ...
    def iterate_events_from(self, mailbox: Mailbox, first_seq: int) -> Iterator[Event]: ...
    def iterate_events_since(
        self, mailbox: Mailbox, at: datetime, limit: int
    ) -> Iterator[Event]: ...
    def release_lease(self, mailbox: Mailbox, holder: str, applied: int, now: datetime) -> bool: ...
    def release_partial(
        self, mailbox: Mailbox, holder: str, applied: int, now: datetime
    ) -> None: ...


class CounterStore(Protocol):
    def add_counts(
        self, counts: Iterable[EventCount], reasons: Iterable[ReasonCount] = ()
    ) -> None: ...
    def list_counts(self, day: date) -> DayCounts: ...


class WalletStore(Protocol):
    """Wallets with their ledgers, and payouts."""

    def get_wallet(self, courier_id: str) -> Wallet: ...
    def has_booking(self, wallet: Wallet, key: str) -> bool:
        """Tell whether a key is booked, as of a wallet that was read before."""

    def commit_wallet(
        self,
        before: Wallet,
        after: Wallet,
        payout: Payout | None = None,
        key: RequestKey | None = None,
    ) -> None:
        """Write a wallet, the payout that it is for, and the key of the request for that. Raises
        Stale if it is not `before`, or the key is used."""

    def get_payout(self, payout_id: str) -> Payout:
        """Read a payout. Raises NotFound."""

    def update_payout(self, before: Payout, after: Payout) -> None:
        """Write a payout. Raises Stale if it is not `before`."""


class PaymentStore(Protocol):
    """Attempts to pay for orders."""

    def get_attempt(self, order_id: int, attempt: int) -> Payment | None: ...
    def get_latest(self, order_id: int) -> Payment | None: ...
    def list_attempts(self, order_id: int) -> list[Payment]:
        """List all attempts to pay for an order, the oldest first."""

    def commit_payment(
        self,
        before: Payment | None,
        after: Payment,
        key: RequestKey | None = None,
        order_version: int | None = None,
    ) -> None:
        """Write an attempt, with the key of its request, if its order has that version still.
        Raises Stale if it is not `before` (None: if it is there), the order has another version, or
        the key is used."""


class ProofBucket(Protocol):
    """The bucket of photos and signatures. Its calls raise Unavailable where it gives no answer."""

    def make_upload_form(self, key: str, content_type: str, within: timedelta) -> UploadForm:
        """Make a form that lets one file of a content type be posted under a key, for a while."""

    def find_file(self, key: str) -> FoundFile | None:
        """Look for a file; None if there is none."""

    def keep_file(self, key: str, etag: str, kept_key: str) -> None:
        """Copy a file that still has this ETag. Again it changes nothing. Raises Stale where it is
        another by now, or gone."""

    def make_reading_url(self, key: str, within: timedelta) -> str:
        """Make a URL by which a file may be read for a while."""


class FrameSender(Protocol):
    def post_frame(self, connection_id: str, frame: str) -> None:
        """Send a text frame. Raises Gone, PostFailed, FrameTooLarge."""

    def post_frames(self, posts: Sequence[tuple[str, str]]) -> Sequence[Exception | None]:
        """Send a text frame to each of many connections, side by side. Returns for each what
        `post_frame` would have raised, or None."""

    def is_connected(self, connection_id: str) -> bool:
        """Tell whether the connection is still there."""

    def get_last_active(self, connection_id: str) -> datetime | None:
        """Return when something last came from a connection or went to it; None where that can't
        be told. Raises Gone."""

    def close_connection(self, connection_id: str) -> None:
        """Close a connection; harmless if it is gone. Raises PostFailed if it may still be open."""


class WakeupSender(Protocol):
    def send_wakeups(self, wakeups: Iterable[tuple[Wakeup, timedelta]]) -> None:
        """Send each wakeup to arrive after its delay, at most 15 min. Raises Unavailable."""


class EndpointStore(Protocol):
    """Webhook endpoints, and the registry of them all."""

    def get_endpoint(self, endpoint_id: str) -> Endpoint:
        """Read an endpoint, strongly consistent. Raises NotFound."""

    def list_endpoints(self, owner_id: str) -> list[Endpoint]:
        """List an owner's endpoints, the oldest first, strongly consistent."""

    def get_registry(self) -> EndpointRegistry:
        """Read the registry, strongly consistent; an empty one while there is no endpoint."""

    def save_endpoint(
        self,
        endpoint: Endpoint,
        registry: EndpointRegistry | None = None,
        key: RequestKey | None = None,
    ) -> None:
        """Write an endpoint, on the condition that its version is one more than the stored one's
        (0: there is none). Where what the registry says of it changes, `registry` is that, and is
        written in the same transaction on the same condition; so is `key`, of the request that
        creates it. Raises Stale; then nothing is written. Raises TooManyEndpoints where the
        registry takes no more."""

    def delete_endpoint(self, endpoint: Endpoint, registry: EndpointRegistry) -> None:
        """Delete an endpoint, if it is as it was read, and write the registry without it, in one
        transaction. Raises Stale."""


class DeliveryStore(Protocol):
    """How far each event has got to each endpoint. The rows outlive the endpoint's log."""

    def find_delivery(self, endpoint_id: str, seq: int) -> Delivery | None:
        """Read a delivery, strongly consistent; None before its first attempt ended."""

    def save_delivery(self, delivery: Delivery) -> None:
        """Write a delivery, on the condition that its version is one more than the stored one's.
        Raises Stale."""

    def list_deliveries(
        self, endpoint_id: str, limit: int, before: int | None = None
    ) -> list[Delivery]:
        """List an endpoint's deliveries below the place `before` (None: all), newest first."""

    def put_reminder(self, send: SendDue, at: datetime) -> None:
        """Have the sweep list a message, to be sent at a time that is too far for the queue.
        Harmless twice."""

    def delete_reminders(self, sends: Iterable[SendDue]) -> None:
        """Forget messages that are on the queue now. Harmless if they are forgotten already."""


class WebhookPoster(Protocol):
    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post to an endpoint, within 15 s. Never raises what comes of the other side."""


class WebhookQueue(Protocol):
    def send_sends(self, sends: Iterable[tuple[SendDue, timedelta]]) -> None:
        """Send each message to arrive after its delay, at most 15 min. Raises Unavailable."""


class UrlChecker(Protocol):
    def check_url(self, url: str) -> None:
        """Check that a URL may be an endpoint's: its form, and that it leads out into the world.
        Raises InvalidInput, with a message for its owner that does not repeat the URL."""
