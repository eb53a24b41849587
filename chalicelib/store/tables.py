"""The DynamoDB tables. Keys, sparse indexes and expiry; what else a row holds is JSON in `doc`.

An index attribute is present only while the row belongs in that index, so an index holds what is
due, active or free, and nothing else. Indexes project keys only: a hit is read again, strongly
consistent, before anything is decided on it.
"""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)
from pynamodb.connection import Connection
from pynamodb.connection.table import TableConnection
from pynamodb.indexes import GlobalSecondaryIndex, KeysOnlyProjection
from pynamodb.models import Model

from chalicelib.store.failures import Database, retry_conflicts

POOL_SIZE = 50  # connections of a client: more than threads ever wait for answers at once
SHARDS = 8  # of every time-ordered index, so that no partition takes all writes


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
    """An order; `doc` is domain.orders.Order, packed, its last versions' events in it."""

    class Meta:
        table_name = "orders"
        billing_mode = "PAY_PER_REQUEST"

    order_id = NumberAttribute(hash_key=True)
    version = NumberAttribute()
    doc = BinaryAttribute(legacy_encoding=False)
    commit = UnicodeAttribute()  # of the write that made this version: sent twice, it knows itself
    deadline_shard = NumberAttribute(null=True)  # while an offer or a search is pending
    deadline_at = NumberAttribute(null=True)  # epoch ms
    active_customer = UnicodeAttribute(null=True)  # while not terminal
    active_merchant = UnicodeAttribute(null=True)  # while not terminal
    open_pool = UnicodeAttribute(null=True)  # the flow, while any courier may take it

    by_deadline = _ByDeadline()
    by_customer = _ByCustomer()
    by_merchant = _ByMerchant()
    by_pool = _ByPool()


class _ByCell(GlobalSecondaryIndex["CourierRow"]):
    class Meta:
        index_name = "by_cell"
        projection = KeysOnlyProjection()

    cell = UnicodeAttribute(hash_key=True)
    free_shard = NumberAttribute(range_key=True)  # for being there only while free


class _ByIdle(GlobalSecondaryIndex["CourierRow"]):
    class Meta:
        index_name = "by_idle"
        projection = KeysOnlyProjection()

    free_shard = NumberAttribute(hash_key=True)
    idle_since = NumberAttribute(range_key=True)


class CourierRow(Model):
    """What a courier is doing. `free_shard` is there only while available and holding no order, and
    only with it a row is in the indexes: `cell` may always be written. Whoever can't be asked any
    more is taken out as they are read: of the cells by `cell`, of both indexes by `free_shard`."""

    class Meta:
        table_name = "couriers"
        billing_mode = "PAY_PER_REQUEST"

    courier_id = UnicodeAttribute(hash_key=True)
    available = BooleanAttribute(null=True)
    order_id = NumberAttribute(null=True)
    sockets = UnicodeSetAttribute(null=True)  # of live connections: epoch s of the end, @, id
    alive_at = NumberAttribute(null=True)  # epoch ms, by ours: the last sign of life but fixes
    vehicle_type = UnicodeAttribute(null=True)
    fix = UnicodeAttribute(null=True)  # JSON of domain.people.Fix
    fix_at = NumberAttribute(null=True)  # epoch ms, by the courier's clock
    fix_came_at = NumberAttribute(null=True)  # epoch ms, by ours
    vague = BooleanAttribute(null=True)  # true while the fix is one that a good one must displace
    heard_at = NumberAttribute(null=True)  # epoch ms, by ours: for the rate limit
    fix_token = UnicodeAttribute(null=True)  # of the write of this fix: sent twice, it knows itself
    cell = UnicodeAttribute(null=True)  # of the fix
    track: Any = ListAttribute(null=True)  # of the fixes not yet in the odometer, 12 bytes each
    odometer_m = NumberAttribute(null=True)
    shown_to = UnicodeAttribute(null=True)  # the customer who may see the fixes
    free_shard = NumberAttribute(null=True)
    idle_since = NumberAttribute(null=True)  # epoch ms
    seen = UnicodeAttribute(null=True)  # JSON of domain.people.Sighting

    by_cell = _ByCell()
    by_idle = _ByIdle()


class PersonRow(Model):
    """A profile."""

    class Meta:
        table_name = "people"
        billing_mode = "PAY_PER_REQUEST"

    person_id = UnicodeAttribute(hash_key=True)
    doc = UnicodeAttribute()
    version = NumberAttribute()
    commit = UnicodeAttribute(
        null=True
    )  # of the write of this version: sent twice, it knows itself


class RestaurantRow(Model):
    """Where a restaurant's orders are picked up."""

    class Meta:
        table_name = "restaurants"
        billing_mode = "PAY_PER_REQUEST"

    restaurant_id = UnicodeAttribute(hash_key=True)
    doc = UnicodeAttribute()  # JSON of domain.people.Restaurant


class ChatRow(Model):
    """One message about an order."""

    class Meta:
        table_name = "chats"
        billing_mode = "PAY_PER_REQUEST"

    order_id = NumberAttribute(hash_key=True)
    message_id = NumberAttribute(range_key=True)
    doc = UnicodeAttribute()  # JSON of domain.chats.Message
    commit = UnicodeAttribute()  # of the write: sent twice, it knows itself
    expires = NumberAttribute()  # epoch s, TTL


class RatingRow(Model):
    """What a customer thought of the courier of one order."""

    class Meta:
        table_name = "ratings"
        billing_mode = "PAY_PER_REQUEST"

    order_id = NumberAttribute(hash_key=True)
    doc = UnicodeAttribute()  # JSON of domain.people.Rating
    commit = UnicodeAttribute(null=True)  # of the write: sent twice, it knows itself


class AllowanceRow(Model):
    """How much of a limit somebody has used."""

    class Meta:
        table_name = "allowances"
        billing_mode = "PAY_PER_REQUEST"

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
    """A WebSocket: whose, in which contract, and what that contract remembers of it."""

    class Meta:
        table_name = "connections"
        billing_mode = "PAY_PER_REQUEST"

    connection_id = UnicodeAttribute(hash_key=True)
    doc = UnicodeAttribute()  # JSON of domain.connections.Connection
    version = NumberAttribute()
    commit = UnicodeAttribute(
        null=True
    )  # of the write of this version: sent twice, it knows itself
    expires = NumberAttribute()  # epoch s, TTL
    check_shard = NumberAttribute()
    check_at = NumberAttribute()  # epoch ms: when its liveness is looked at next

    by_check = _ByCheck()


class RoomRow(Model):
    """One listener in one room of many. Who hears one person's mailbox, its head knows."""

    class Meta:
        table_name = "rooms"
        billing_mode = "PAY_PER_REQUEST"

    room = UnicodeAttribute(hash_key=True)
    connection_id = UnicodeAttribute(range_key=True)
    person_id = UnicodeAttribute()
    contract = UnicodeAttribute()
    hears = UnicodeAttribute(null=True)  # JSON of the types it asked for; absent: all
    version = NumberAttribute(null=True)  # of the connection when it joined
    role = UnicodeAttribute(null=True)
    expires = NumberAttribute()  # epoch s, TTL


class MailboxRow(Model):
    """The head of a person's log. services/messaging/mailboxes.py says how it is used."""

    class Meta:
        table_name = "mailboxes"
        billing_mode = "PAY_PER_REQUEST"

    person_id = UnicodeAttribute(hash_key=True)
    lease = UnicodeAttribute(null=True)  # the holder's token
    lease_until = NumberAttribute(null=True)  # epoch ms
    ended = UnicodeAttribute(null=True)  # the token of the last holder who let go
    todo: Any = ListAttribute(
        null=True
    )  # marks (domain/messaging/mailboxes.py): what the holder is to take in
    doc = BinaryAttribute(null=True, legacy_encoding=False)  # store.mailboxes.Head, packed
    listeners: Any = MapAttribute(null=True)  # by connection id: store/mailbox_subscribers.py


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
        billing_mode = "PAY_PER_REQUEST"

    person_id = UnicodeAttribute(hash_key=True)
    seq = NumberAttribute(range_key=True)
    doc = BinaryAttribute(legacy_encoding=False)  # a list of domain.events.Event, packed
    expires = NumberAttribute()  # epoch s, TTL
    critical_day = UnicodeAttribute(
        null=True
    )  # 2026-01-27#3: day and shard, if its last is critical
    critical_at = NumberAttribute(null=True)  # epoch ms

    by_critical = _ByCritical()


class CounterRow(Model):
    """How many events of each type came on one day, to the people of one of the day's shards.

    There are two numbers for each type, and the tokens of the last writes, under names made of
    them: store/counters.py has both.
    """

    class Meta:
        table_name = "counters"
        billing_mode = "PAY_PER_REQUEST"

    day = UnicodeAttribute(hash_key=True)  # 2026-01-27#3
    expires = NumberAttribute(null=True)  # epoch s, TTL


class WalletRow(Model):
    """The balance of one courier."""

    class Meta:
        table_name = "wallets"
        billing_mode = "PAY_PER_REQUEST"

    courier_id = UnicodeAttribute(hash_key=True)
    doc = BinaryAttribute(legacy_encoding=False)  # domain.wallets.Wallet, packed
    version = NumberAttribute()
    commit = UnicodeAttribute()  # of the write that made this version: sent twice, it knows itself


class LedgerRow(Model):
    """One entry of a wallet's ledger, never changed. The newest are in the wallet itself."""

    class Meta:
        table_name = "ledger"
        billing_mode = "PAY_PER_REQUEST"

    courier_id = UnicodeAttribute(hash_key=True)
    key = UnicodeAttribute(range_key=True)  # what it is booked for
    doc = UnicodeAttribute()  # JSON of domain.wallets.Booking


class PayoutRow(Model):
    """One payout."""

    class Meta:
        table_name = "payouts"
        billing_mode = "PAY_PER_REQUEST"

    payout_id = UnicodeAttribute(hash_key=True)
    doc = UnicodeAttribute()  # JSON of domain.payouts.Payout
    version = NumberAttribute()
    commit = UnicodeAttribute(
        null=True
    )  # of the write of this version: sent twice, it knows itself


class PaymentRow(Model):
    """One attempt to pay for an order."""

    class Meta:
        table_name = "payments"
        billing_mode = "PAY_PER_REQUEST"

    order_id = NumberAttribute(hash_key=True)
    attempt = NumberAttribute(range_key=True)
    doc = UnicodeAttribute()  # JSON of domain.payments.Payment
    version = NumberAttribute()
    commit = UnicodeAttribute(
        null=True
    )  # of the write of this version: sent twice, it knows itself


MODELS: tuple[type[Model], ...] = (
    OrderRow,
    CourierRow,
    PersonRow,
    RestaurantRow,
    ChatRow,
    RatingRow,
    AllowanceRow,
    ConnectionRow,
    RoomRow,
    MailboxRow,
    EventRow,
    WalletRow,
    LedgerRow,
    PayoutRow,
    PaymentRow,
    CounterRow,
)
TTL_ATTRIBUTES: dict[str, str] = {
    "connections": "expires",
    "rooms": "expires",
    "events": "expires",
    "counters": "expires",
    "allowances": "expires",
    "chats": "expires",
}

_SHORT_NAMES = {model: str(model.Meta.table_name) for model in MODELS}


def bind_tables(prefix: str, region: str, endpoint: str | None, client: Any = None) -> Connection:
    """Point every table at `{prefix}-{name}` over one connection, and return that connection.

    pynamodb would make a client for each model, 45 ms each, and at the first use: by many threads
    at once, if they are the first. `client` is one of an earlier call. Timeouts are short because
    a Lambda invocation is: a call that takes 3 s is better tried again.
    """
    shared = Database(
        region=region,
        host=endpoint,
        connect_timeout_seconds=2,
        read_timeout_seconds=5,
        max_retry_attempts=3,
        max_pool_connections=POOL_SIZE,
    )
    if client:
        shared._client = client
    else:
        # botocore composes a long one anew for every call, a tenth of what a call costs.
        defaults = Config(user_agent="waybill", tcp_keepalive=True)
        shared.session.set_default_client_config(defaults)
        retry_conflicts(shared.client)
    for model in MODELS:
        meta: Any = model.Meta
        meta.table_name = f"{prefix}-{_SHORT_NAMES[model]}"
        meta.region, meta.host = region, endpoint
        model._connection = None
        table = model._get_connection()
        shared.add_meta_table(table.get_meta_table())
        table.connection = shared
        assert isinstance(table, TableConnection)
    return shared


def get_short_name(model: type[Model]) -> str:
    """The table's name without the deployment's prefix."""
    return _SHORT_NAMES[model]
