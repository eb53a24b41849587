"""The DynamoDB tables. Keys, sparse indexes and expiry; what else a row holds is JSON in `doc`.

An index attribute is present only while the row belongs in that index, so an index holds what is
due, active or free, and nothing else. Indexes project keys only: a hit is read again, strongly
consistent, before anything is decided on it.

`commit` is a token of the write that made a row's version. The SDK sends a write again whose answer
got lost, and the second one meets the first one's row: by the token it finds that row its own.
"""

from __future__ import annotations

from typing import Any

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

# A time-ordered index has one hot end: so many partitions share the writes there.
SHARDS = 8
PAUSED_SHARD = 100  # of who is on duty and free, and paused: above all SHARDS, whatever they become


class _ByDeadline(GlobalSecondaryIndex["OrderRow"]):
    class Meta:
        index_name = "by_deadline"
        projection = KeysOnlyProjection()

    deadline_shard = NumberAttribute(hash_key=True)
    deadline_at = NumberAttribute(range_key=True)


class _ByCustomer(GlobalSecondaryIndex["OrderRow"]):
    class Meta:
        index_name = "by_customer"
        projection = KeysOnlyProjection()

    active_customer = UnicodeAttribute(hash_key=True)
    order_id = NumberAttribute(range_key=True)


class _ByPool(GlobalSecondaryIndex["OrderRow"]):
    class Meta:
        index_name = "by_pool"
        projection = KeysOnlyProjection()

    open_pool = UnicodeAttribute(hash_key=True)
    order_id = NumberAttribute(range_key=True)


class _ByMerchant(GlobalSecondaryIndex["OrderRow"]):
    class Meta:
        index_name = "by_merchant"
        projection = KeysOnlyProjection()

    active_merchant = UnicodeAttribute(hash_key=True)
    order_id = NumberAttribute(range_key=True)


class OrderRow(Model):
    """An order; `doc` is domain.orders.model.Order, packed, its outbox in it."""

    class Meta:
        table_name = "orders"

    order_id = NumberAttribute(hash_key=True)
    version = NumberAttribute()
    doc = BinaryAttribute(legacy_encoding=False)
    commit = UnicodeAttribute()
    deadline_shard = NumberAttribute(
        null=True
    )  # while it waits: for its time, a search or an offer
    deadline_at = NumberAttribute(null=True)  # epoch ms
    active_customer = UnicodeAttribute(null=True)  # while neither terminal nor scheduled
    active_merchant = UnicodeAttribute(null=True)  # while neither terminal nor scheduled
    # The flow, while any courier may take it; with BATCH_WINDOW_S flow and zone, while it searches.
    open_pool = UnicodeAttribute(null=True)
    expires = NumberAttribute(null=True)  # epoch s, TTL; while terminal

    by_deadline = _ByDeadline()
    by_customer = _ByCustomer()
    by_merchant = _ByMerchant()
    by_pool = _ByPool()


class ListingRow(Model):
    """That an order may be in a list: all there is of it is its key, but in its day's list, where
    it gets a summary as it ends."""

    class Meta:
        table_name = "listings"

    list_name = UnicodeAttribute(hash_key=True)  # of domain.orders.listing
    order_id = NumberAttribute(range_key=True)
    expires = NumberAttribute()  # epoch s, TTL
    # domain.ops.summary.OrderSummary, packed
    doc = BinaryAttribute(null=True, legacy_encoding=False)


class HistoryRow(Model):
    """Changes of an order that are not in its own row any more. An order names one such row; one
    that no order names was put for a commit that never came."""

    class Meta:
        table_name = "histories"

    order_id = NumberAttribute(hash_key=True)
    token = UnicodeAttribute(range_key=True)
    doc = BinaryAttribute(legacy_encoding=False)  # domain.orders.changes.History, packed
    expires = NumberAttribute()  # epoch s, TTL


class _BySpot(GlobalSecondaryIndex["CourierRow"]):
    class Meta:
        index_name = "by_spot"
        projection = KeysOnlyProjection()

    cell = UnicodeAttribute(hash_key=True)
    spot = NumberAttribute(range_key=True)  # about where in it, and for being there only while free


class _ByIdle(GlobalSecondaryIndex["CourierRow"]):
    class Meta:
        index_name = "by_idle"
        projection = KeysOnlyProjection()

    free_shard = NumberAttribute(hash_key=True)
    idle_since = NumberAttribute(range_key=True)


class CourierRow(Model):
    """What a courier is doing, an attribute each: several writers change some of them, and none
    should wait for another.

    `free_shard` and `spot` are there only while the courier is available and has room for an order
    (COURIER_MAX_ORDERS), and only with them a row is in the indexes: `cell` may always be written.
    Readers of the indexes take out couriers who can't be asked any more: of the cells by `cell`, of
    both by the two. Of who is paused the shard is PAUSED_SHARD, which no search reads, and there is
    no spot.
    """

    class Meta:
        table_name = "couriers"

    courier_id = UnicodeAttribute(hash_key=True)
    available = BooleanAttribute(null=True)
    order_id = NumberAttribute(null=True)
    others: Any = ListAttribute(null=True)  # further orders: id, @, the customer who sees the fixes
    sockets = UnicodeSetAttribute(null=True)  # of live connections: epoch s of the end, @, id
    alive_at = NumberAttribute(null=True)  # epoch ms, by ours: the last sign of life but fixes
    vehicle_type = UnicodeAttribute(null=True)
    fix = UnicodeAttribute(null=True)  # JSON of domain.people.Fix
    fix_at = NumberAttribute(null=True)  # epoch ms, by the courier's clock
    fix_came_at = NumberAttribute(null=True)  # epoch ms, by ours
    vague = BooleanAttribute(null=True)  # true while the fix is one that a good one must displace
    heard_at = NumberAttribute(null=True)  # epoch ms, by ours: for the rate limit
    fix_token = UnicodeAttribute(null=True)  # as `commit`, of the write of this fix
    cell = UnicodeAttribute(null=True)  # of the fix
    fix_lat = NumberAttribute(null=True)  # of the fix, for conditions: domain.fixes.BOX_STEPS
    fix_lng = NumberAttribute(null=True)
    doubts: Any = ListAttribute(null=True)  # jumps that nothing has confirmed, 16 bytes each
    track: Any = ListAttribute(null=True)  # of the fixes not yet in the odometer, 12 bytes each
    odometer_m = NumberAttribute(null=True)
    shown_to = UnicodeAttribute(null=True)  # the customer who may see the fixes
    free_shard = NumberAttribute(null=True)
    spot = NumberAttribute(null=True)  # of domain.geo, not far from the fix
    idle_since = NumberAttribute(null=True)  # epoch ms
    paused = BooleanAttribute(null=True)  # true, or not there
    seen = UnicodeAttribute(null=True)  # JSON of domain.people.LastShown
    # With DISPATCH_RANK=time only:
    asked_at = NumberAttribute(null=True)  # epoch ms, of the last offer
    answers = NumberAttribute(null=True)  # of domain.orders.acceptance

    by_spot = _BySpot()
    by_idle = _ByIdle()


class CourierHistoryRow(Model):
    """One thing that a dispatcher did with a courier, never changed."""

    class Meta:
        table_name = "courierhistories"

    courier_id = UnicodeAttribute(hash_key=True)
    change_id = NumberAttribute(range_key=True)
    doc = UnicodeAttribute()  # JSON of domain.courier_changes.CourierChange
    expires = NumberAttribute()  # epoch s, TTL


class PersonRow(Model):
    """A person's profile, with the sum of their ratings; `doc` is JSON of domain.people.Person."""

    class Meta:
        table_name = "people"

    person_id = UnicodeAttribute(hash_key=True)
    doc = UnicodeAttribute()
    version = NumberAttribute()
    commit = UnicodeAttribute(null=True)


class RestaurantRow(Model):
    """A restaurant's profile, which says where its orders are picked up."""

    class Meta:
        table_name = "restaurants"

    restaurant_id = UnicodeAttribute(hash_key=True)
    doc = UnicodeAttribute()  # JSON of domain.people.Restaurant


class ChatRow(Model):
    """One message about an order."""

    class Meta:
        table_name = "chats"

    order_id = NumberAttribute(hash_key=True)
    message_id = NumberAttribute(range_key=True)
    doc = UnicodeAttribute()  # JSON of domain.orders.chat.ChatMessage
    commit = UnicodeAttribute()
    expires = NumberAttribute()  # epoch s, TTL


class RatingRow(Model):
    """A customer's rating of the courier of one order."""

    class Meta:
        table_name = "ratings"

    order_id = NumberAttribute(hash_key=True)
    doc = UnicodeAttribute()  # JSON of domain.people.Rating
    commit = UnicodeAttribute(null=True)


class KeyRow(Model):
    """A key that a client gave a request: what it stands for."""

    class Meta:
        table_name = "keys"

    name = UnicodeAttribute(hash_key=True)  # of domain.request_keys.RequestKey
    request = UnicodeAttribute()  # its hash
    target = UnicodeAttribute()
    commit = UnicodeAttribute()
    expires = NumberAttribute(null=True)  # epoch s, TTL; absent: never


class LinkRow(Model):
    """A tracking link by the hash of its token, never changed: which order it may be of. Whether it
    is still one, that order says."""

    class Meta:
        table_name = "links"

    hash = UnicodeAttribute(hash_key=True)  # SHA-256, in hex
    order_id = NumberAttribute()
    expires = NumberAttribute()  # epoch s, TTL


class AllowanceRow(Model):
    """How much of a rate limit somebody has used."""

    class Meta:
        table_name = "allowances"

    name = UnicodeAttribute(hash_key=True)  # of the limit and the person
    uses = UnicodeSetAttribute(null=True)  # a token each: one that is sent twice is there once
    ends_at = NumberAttribute(null=True)  # epoch ms
    expires = NumberAttribute(null=True)  # epoch s, TTL


class _ByCheck(GlobalSecondaryIndex["ConnectionRow"]):
    class Meta:
        index_name = "by_check"
        projection = KeysOnlyProjection()

    check_shard = NumberAttribute(hash_key=True)
    check_at = NumberAttribute(range_key=True)


class ConnectionRow(Model):
    """A WebSocket: whose it is, and in which contract. By another kind of id, a reminder of a
    webhook: store/deliveries.py says why."""

    class Meta:
        table_name = "connections"

    connection_id = UnicodeAttribute(hash_key=True)
    doc = UnicodeAttribute()  # JSON of domain.messaging.connections.Connection
    version = NumberAttribute()
    commit = UnicodeAttribute(null=True)
    expires = NumberAttribute()  # epoch s, TTL
    check_shard = NumberAttribute()
    check_at = NumberAttribute()  # epoch ms: when its liveness is looked at next

    by_check = _ByCheck()


class RoomRow(Model):
    """A subscriber of a room of many. The subscribers of a mailbox are in the mailbox's head."""

    class Meta:
        table_name = "rooms"

    room = UnicodeAttribute(hash_key=True)
    connection_id = UnicodeAttribute(range_key=True)
    person_id = UnicodeAttribute()
    contract = UnicodeAttribute()
    # JSON of the types it subscribes to; absent: all
    subscriptions = UnicodeAttribute(null=True, attr_name="hears")
    version = NumberAttribute(null=True)  # of the connection when it joined
    role = UnicodeAttribute(null=True)
    expires = NumberAttribute()  # epoch s, TTL
    # Of those who watch the board: store/watchers.py
    watch = UnicodeAttribute(null=True)  # JSON of what they may see
    told = UnicodeAttribute(null=True)  # as of which tick they were shown it
    answered = UnicodeAttribute(null=True)  # the position that they were told what becomes of
    paused_until = NumberAttribute(null=True)  # epoch ms


class TickRow(Model):
    """How far the ticks have got that keep a board up to date: there is one board."""

    class Meta:
        table_name = "ticks"

    board = UnicodeAttribute(hash_key=True)
    doc = BinaryAttribute(legacy_encoding=False)  # domain.ops.ticks.TickState, packed
    version = NumberAttribute()
    commit = UnicodeAttribute()


class MailboxRow(Model):
    """The head of a person's log. services/messaging/mailboxes.py says how it is used."""

    class Meta:
        table_name = "mailboxes"

    person_id = UnicodeAttribute(hash_key=True)
    lease = UnicodeAttribute(null=True)  # the holder's token
    lease_until = NumberAttribute(null=True)  # epoch ms
    last_holder = UnicodeAttribute(null=True, attr_name="ended")  # the token of who let go last
    # The ids of what the holder has to apply
    pending: Any = ListAttribute(null=True, attr_name="todo")
    epoch = UnicodeAttribute(null=True)  # of the log, from its first lease on
    doc = BinaryAttribute(null=True, legacy_encoding=False)  # store.mailboxes.StoredHead, packed
    # By connection id: store/mailbox_subscribers.py
    subscribers: Any = MapAttribute(null=True, attr_name="listeners")


class _ByCritical(GlobalSecondaryIndex["EventRow"]):
    class Meta:
        index_name = "by_critical"
        projection = KeysOnlyProjection()

    critical_day = UnicodeAttribute(hash_key=True)
    critical_at = NumberAttribute(range_key=True)


class EventRow(Model):
    """A run of events of one person's log, by the place of its last. Runs may overlap."""

    class Meta:
        table_name = "events"

    person_id = UnicodeAttribute(hash_key=True)
    seq = NumberAttribute(range_key=True)
    doc = BinaryAttribute(legacy_encoding=False)  # a list of domain.events.Event, packed
    expires = NumberAttribute()  # epoch s, TTL
    # 2026-01-27#3: day and shard, if the last event of the run is critical
    critical_day = UnicodeAttribute(null=True)
    critical_at = NumberAttribute(null=True)  # epoch ms

    by_critical = _ByCritical()


class CounterRow(Model):
    """How many events of each type were logged on one day, for the people of one shard.

    There are two numbers for each type, and the tokens of the last writes, under names made of
    them: store/counters.py has both.
    """

    class Meta:
        table_name = "counters"

    day = UnicodeAttribute(hash_key=True)  # 2026-01-27#3
    expires = NumberAttribute(null=True)  # epoch s, TTL


class WalletRow(Model):
    """A courier's wallet: the balance, and the bookings of its last write."""

    class Meta:
        table_name = "wallets"

    courier_id = UnicodeAttribute(hash_key=True)
    doc = BinaryAttribute(legacy_encoding=False)  # domain.money.wallets.Wallet, packed
    version = NumberAttribute()
    commit = UnicodeAttribute()


class LedgerRow(Model):
    """A booking of a wallet, never changed. The latest ones are still in the wallet."""

    class Meta:
        table_name = "ledger"

    courier_id = UnicodeAttribute(hash_key=True)
    key = UnicodeAttribute(range_key=True)  # what it is booked for
    doc = UnicodeAttribute()  # JSON of domain.money.wallets.Booking


class PayoutRow(Model):
    """A payout; its booking is in its courier's wallet."""

    class Meta:
        table_name = "payouts"

    payout_id = UnicodeAttribute(hash_key=True)
    doc = UnicodeAttribute()  # JSON of domain.money.payouts.Payout
    version = NumberAttribute()
    commit = UnicodeAttribute(null=True)


class PaymentRow(Model):
    """An attempt to pay for an order."""

    class Meta:
        table_name = "payments"

    order_id = NumberAttribute(hash_key=True)
    attempt = NumberAttribute(range_key=True)
    doc = UnicodeAttribute()  # JSON of domain.money.payments.Payment
    version = NumberAttribute()
    commit = UnicodeAttribute(null=True)


class WebhookRow(Model):
    """A webhook endpoint; in one more row, whose id no endpoint can have, the registry of all."""

    class Meta:
        table_name = "webhooks"

    endpoint_id = UnicodeAttribute(hash_key=True)
    # domain.webhooks.endpoint.Endpoint, its secrets in it, or EndpointRegistry, packed
    doc = BinaryAttribute(legacy_encoding=False)
    version = NumberAttribute()
    commit = UnicodeAttribute()


class DeliveryRow(Model):
    """How far one event has got to one webhook endpoint."""

    class Meta:
        table_name = "deliveries"

    endpoint_id = UnicodeAttribute(hash_key=True)
    seq = NumberAttribute(range_key=True)  # the event's place in the endpoint's log
    doc = BinaryAttribute(legacy_encoding=False)  # domain.webhooks.delivery.Delivery, packed
    version = NumberAttribute()
    commit = UnicodeAttribute()
    expires = NumberAttribute()  # epoch s, TTL


MODELS: tuple[type[Model], ...] = (
    OrderRow,
    ListingRow,
    HistoryRow,
    CourierRow,
    CourierHistoryRow,
    PersonRow,
    RestaurantRow,
    ChatRow,
    RatingRow,
    AllowanceRow,
    KeyRow,
    LinkRow,
    ConnectionRow,
    RoomRow,
    TickRow,
    MailboxRow,
    EventRow,
    WalletRow,
    LedgerRow,
    PayoutRow,
    PaymentRow,
    CounterRow,
    WebhookRow,
    DeliveryRow,
)
TTL_ATTRIBUTES: dict[str, str] = {
    "connections": "expires",
    "deliveries": "expires",
    "rooms": "expires",
    "events": "expires",
    "counters": "expires",
    "allowances": "expires",
    "keys": "expires",
    "links": "expires",
    "chats": "expires",
    "orders": "expires",
    "listings": "expires",
    "histories": "expires",
    "courierhistories": "expires",
}

# Of before the tables are bound: their names have a prefix then.
_SHORT_NAMES = {model: str(model.Meta.table_name) for model in MODELS}


def get_short_name(model: type[Model]) -> str:
    """Get a table's name without the deployment's prefix."""
    return _SHORT_NAMES[model]
