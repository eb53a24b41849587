"""Payouts: a courier sets money aside, an admin approves it and notes its transfer."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_urlsafe

from msgspec.structs import replace

from chalicelib.domain.events import Entry
from chalicelib.domain.ids import IdSource
from chalicelib.domain.money import payouts, wallets
from chalicelib.domain.money.payouts import Payout
from chalicelib.domain.people import Actor
from chalicelib.errors import NotFound, Stale
from chalicelib.services.messaging.outbox import OutboxWriter
from chalicelib.services.money.earnings import WalletService
from chalicelib.services.ports import Clock, WalletStore


class Payouts:
    """What couriers have paid out to them."""

    def __init__(
        self,
        wallets: WalletService,
        store: WalletStore,
        publishing: OutboxWriter,
        ids: IdSource,
        clock: Clock,
    ) -> None:
        self._wallets = wallets
        self._store = store
        self._publishing = publishing
        self._ids = ids
        self._clock = clock

    def request_payout(self, actor: Actor, amount_minor: int, bank_account: str) -> Payout:
        """Set money aside to be transferred. Raises BalanceTooLow."""
        now, token = self._clock(), token_urlsafe(9)

        def reserve() -> Payout:
            id_ = f"payout_{self._ids()}"
            payout = Payout(id_, actor.id, amount_minor, bank_account, now, token=token)
            wallet = self._wallets.get_wallet(actor.id)
            try:
                change = wallets.reserve_payout(wallet, id_, amount_minor, now)
                self._wallets.commit_change(wallet, change, payout)
            except Stale:
                # Before it is tried again: it is booked where the write was done, not answered,
                # and another came after. A payout of that id may also be somebody else's.
                found = self._find_payout(id_)
                if found and found.token == token:
                    return found
                raise
            return payout

        return self._publishing.retry_change(reserve)

    def _find_payout(self, payout_id: str) -> Payout | None:
        try:
            return self._store.get_payout(payout_id)
        except NotFound:
            return None

    def approve_payout(self, payout_id: str) -> Payout:
        """Approve a payout; again changes nothing. Raises NotFound."""
        return self._change_payout(payout_id, lambda p: payouts.approve_payout(p, self._clock()))

    def complete_payout(self, payout_id: str, transaction_id: str) -> Payout:
        """Note that a payout was transferred; again changes nothing. Raises NotFound, Conflict."""
        return self._change_payout(
            payout_id, lambda p: payouts.complete_payout(p, transaction_id, self._clock())
        )

    def _change_payout(self, payout_id: str, step: Callable[[Payout], Payout]) -> Payout:
        def change() -> Payout:
            before = self._store.get_payout(payout_id)
            after = step(before)

            def write(entries: tuple[Entry, ...]) -> None:
                self._store.update_payout(before, replace(after, entries=entries))

            if after is not before:
                self._publishing.commit_outbox(before.outbox, after.outbox, write)
            return after

        return self._publishing.retry_change(change)
