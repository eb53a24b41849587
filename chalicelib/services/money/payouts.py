"""Payouts: a courier sets money aside, an admin approves it and notes its transfer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from secrets import token_urlsafe

from msgspec.structs import replace

from chalicelib.domain.events import Entry
from chalicelib.domain.ids import IdSource
from chalicelib.domain.money import payouts, wallets
from chalicelib.domain.money.payouts import Payout, parse_payout_stream
from chalicelib.domain.people import Actor
from chalicelib.domain.request_keys import RequestKey
from chalicelib.errors import NotFound, Stale
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.money.wallets import WalletService
from chalicelib.services.ports import Clock, WalletStore
from chalicelib.services.request_keys import RequestKeys


class Payouts:
    """Takes requests for payouts and leads them to their transfer."""

    def __init__(
        self,
        wallets: WalletService,
        store: WalletStore,
        keys: RequestKeys,
        outbox_writer: OutboxWriter,
        ids: IdSource,
        clock: Clock,
    ) -> None:
        self._wallets = wallets
        self._store = store
        self._keys = keys
        self._outbox_writer = outbox_writer
        self._ids = ids
        self._clock = clock

    def request_payout(
        self, actor: Actor, amount_minor: int, bank_account: str, key: RequestKey | None = None
    ) -> tuple[Payout, bool]:
        """Set an amount of the actor's wallet aside to be transferred; return the payout, and
        whether the same request had made it before. Raises BalanceTooLow, KeyReused."""
        now, token = self._clock(), token_urlsafe(9)

        def reserve_once() -> tuple[Payout, bool]:
            if stream := self._keys.find_target(key):
                return self._store.get_payout(parse_payout_stream(stream)), True
            id_ = f"payout_{self._ids()}"
            payout = Payout(id_, actor.id, amount_minor, bank_account, now, token=token)
            return self._reserve_payout(payout, now, key), False

        return self._outbox_writer.retry_change(reserve_once)

    def approve_payout(self, payout_id: str) -> Payout:
        """Approve a payout; again changes nothing. Raises NotFound."""
        return self._change_payout(
            payout_id, lambda payout: payouts.approve_payout(payout, self._clock())
        )

    def complete_payout(self, payout_id: str, transaction_id: str) -> Payout:
        """Note that a payout was transferred; again changes nothing. Raises NotFound, Conflict."""
        return self._change_payout(
            payout_id,
            lambda payout: payouts.complete_payout(payout, transaction_id, self._clock()),
        )

    def _reserve_payout(self, payout: Payout, now: datetime, key: RequestKey | None) -> Payout:
        """Write a payout and its key, and book it, in one transaction. Raises Stale where nothing
        was done."""
        wallet = self._wallets.get_wallet(payout.courier_id)
        after = wallets.reserve_payout(wallet, payout.id, payout.amount_minor, now)
        try:
            self._wallets.commit_wallet(wallet, after, payout, key)
        except Stale:
            # It may be done all the same: written, not answered, and another wrote the wallet
            # before the SDK sent it again. A second try would set the amount aside twice. And the
            # payout that is found may be another's, who drew the same id: the token tells.
            found = self._find_payout(payout.id)
            if found is None or found.token != payout.token:
                raise
            return found
        return payout

    def _find_payout(self, payout_id: str) -> Payout | None:
        try:
            return self._store.get_payout(payout_id)
        except NotFound:
            return None

    def _change_payout(self, payout_id: str, change: Callable[[Payout], Payout]) -> Payout:
        """Write what `change` makes of a payout; it returns the same object for no change."""

        def change_once() -> Payout:
            before = self._store.get_payout(payout_id)
            after = change(before)

            def write(entries: tuple[Entry, ...]) -> None:
                self._store.update_payout(before, replace(after, entries=entries))

            if after is not before:
                self._outbox_writer.commit_outbox(before.outbox, after.outbox, write)
            return after

        return self._outbox_writer.retry_change(change_once)
