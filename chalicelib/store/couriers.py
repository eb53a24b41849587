"""Couriers: duty, sockets, and whom an order occupies.

Positions are in courier_positions.py, the index of the free in courier_index.py, claims in
courier_claims.py, and what a row looks like in courier_rows.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pynamodb.expressions.update import Action

from chalicelib.domain.messaging.connections import MAX_CONNECTION_AGE
from chalicelib.domain.people import Courier
from chalicelib.errors import Stale
from chalicelib.store.clock import to_epoch_ms
from chalicelib.store.conditional import try_update, update_if
from chalicelib.store.courier_claims import make_release
from chalicelib.store.courier_index import (
    is_news,
    make_index_actions,
    make_index_condition,
    make_index_removal,
)
from chalicelib.store.courier_positions import CourierPositions
from chalicelib.store.courier_rows import encode_socket, find_row, is_as_read, is_live
from chalicelib.store.tables import CourierRow


class CourierTable(CourierPositions):
    """The couriers table."""

    def get_courier(self, courier_id: str) -> Courier | None:
        """Read one courier, strongly consistent; None if never seen."""
        row = find_row(courier_id)
        return self._decode_row(row) if row else None

    def get_eventually(self, courier_id: str) -> Courier | None:
        """Read a courier as they are or lately were, for half the price; None if never seen."""
        row = find_row(courier_id, consistent=False)
        return self._decode_row(row) if row else None

    def set_available(self, courier_id: str, available: bool, now: datetime) -> Courier:
        """Go on or off duty; idempotent. Returns the courier after it.

        A write whose answer got lost is sent again and refused, as the row is not as it was read
        any more; the next attempt finds it done.
        """

        def change_duty() -> Courier:
            row = find_row(courier_id) or CourierRow(courier_id)
            courier = self._decode_row(row)
            if row.available == available and not (available and is_news(courier, now)):
                return courier
            actions: list[Action] = [CourierRow.available.set(available)]
            if available:
                actions.append(CourierRow.alive_at.set(to_epoch_ms(now)))
            if available and not row.available:
                actions.append(CourierRow.idle_since.set(to_epoch_ms(now)))
            is_free = available and courier.has_room
            actions += make_index_actions(courier) if is_free else make_index_removal()
            written = CourierRow(courier_id)
            update_if(written, actions, is_as_read(row, self._max_orders))
            self._keep_spot(written)  # a socket may have come since the row was read
            return self._decode_row(written)

        return self._retries.retry_while_stale(change_duty)

    def set_vehicle_type(self, courier_id: str, vehicle_type: str | None) -> None:
        """Note what a courier drives, as their profile says; idempotent."""
        attribute = CourierRow.vehicle_type
        action = attribute.set(vehicle_type) if vehicle_type else attribute.remove()
        self._retries.retry_while_stale(lambda: CourierRow(courier_id).update(actions=[action]))

    def add_socket(
        self, courier_id: str, connection_id: str, ends_at: datetime | None = None
    ) -> None:
        """Note a live socket, which counts until `ends_at`: its end may never be heard of."""
        now = self._clock()
        socket = encode_socket(connection_id, ends_at or now + MAX_CONNECTION_AGE)
        actions = [CourierRow.sockets.add({socket}), CourierRow.alive_at.set(to_epoch_ms(now))]

        def note_socket() -> None:
            row = CourierRow(courier_id)
            if not try_update(row, actions, make_index_condition(self._max_orders)):
                self._put_back_in_index(courier_id)
                raise Stale
            self._keep_spot(row)

        self._retries.retry_while_stale(note_socket)

    def remove_socket(self, courier_id: str, connection_id: str) -> None:
        """Forget a socket, and those that have ended by themselves; idempotent. Harmless for people
        who are no couriers."""

        def forget_sockets() -> None:
            row, now = find_row(courier_id), self._clock()
            known = (row.sockets if row else None) or set()
            mine = f"@{connection_id}"
            gone = {one for one in known if one.endswith(mine) or not is_live(one, now)}
            if not gone:
                return
            actions: list[Action] = [CourierRow.sockets.delete(gone)]
            # Until now they were there: between two sockets nobody counts as lost.
            if any(is_live(one, now) for one in gone):
                actions.append(CourierRow.alive_at.set(to_epoch_ms(now)))
            written = CourierRow(courier_id)
            if try_update(written, actions, CourierRow.courier_id.exists()):
                self._keep_spot(written)

        self._retries.retry_while_stale(forget_sockets)

    def release_courier(self, courier_id: str, order_id: int, now: datetime) -> None:
        """Release a courier from an order that is done. Harmless if the order does not occupy them,
        or no longer: so it is also if the answer of a first try got lost."""

        def release() -> None:
            is_taken = True if self._notes_answers else None  # it is done
            update = make_release(courier_id, order_id, now, self._max_orders, is_taken)
            if update:
                alive = CourierRow.alive_at.set(to_epoch_ms(now))  # who has just delivered is there
                update_if(update.row, [*update.actions, alive], update.condition)

        self._retries.retry_while_stale(release)

    def find_occupied(self, courier_ids: Iterable[str]) -> frozenset[str]:
        """Find those of some couriers who can take no order: they have no room for one, or are
        paused."""
        rows = CourierRow.batch_get(list(courier_ids), consistent_read=True)
        couriers = map(self._decode_row, rows)
        return frozenset(one.id for one in couriers if not one.has_room or one.is_paused)
