"""Outboxes by the names of their streams."""

from __future__ import annotations

from collections.abc import Callable

from chalicelib.domain.events import Outbox
from chalicelib.domain.money.payments import parse_payment_id
from chalicelib.domain.orders.chat import parse_message_key
from chalicelib.domain.webhooks.positions import POSITIONS
from chalicelib.errors import NotFound
from chalicelib.services.ports import (
    ChatStore,
    EndpointStore,
    OrderStore,
    PaymentStore,
    WalletStore,
)


class OutboxLoader:
    """Loads the outbox of a stream. A stream is named `kind#id`: which kind of row has the outbox,
    and which row it is."""

    def __init__(
        self,
        orders: OrderStore,
        wallets: WalletStore,
        payments: PaymentStore,
        chats: ChatStore,
        endpoints: EndpointStore,
    ) -> None:
        self._payments = payments
        self._chats = chats
        self._loaders: dict[str, Callable[[str], Outbox | None]] = {
            "order": lambda id_: orders.get_order(int(id_)).outbox,
            "wallet": lambda id_: wallets.get_wallet(id_).outbox,
            "payout": lambda id_: wallets.get_payout(id_).outbox,
            "payment": self._load_payment,
            "chat": self._load_message,
            "webhook": lambda id_: endpoints.get_endpoint(id_).outbox,
            POSITIONS: lambda id_: None,  # kept nowhere: the next one is newer
        }

    def load_outbox(self, stream: str) -> Outbox | None:
        """Load a stream's outbox by a consistent read. None if the row is not there: it was never
        written, because its writer died after the wakeup was sent, or it has expired since."""
        kind, _, id_ = stream.partition("#")
        try:
            return self._loaders[kind](id_)
        except NotFound:
            return None

    def _load_payment(self, payment_id: str) -> Outbox | None:
        key = parse_payment_id(payment_id)
        payment = self._payments.get_attempt(*key) if key else None
        return payment.outbox if payment else None

    def _load_message(self, message_id: str) -> Outbox | None:
        message = self._chats.get_message(*parse_message_key(message_id))
        return message.outbox if message else None
