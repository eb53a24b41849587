"""Restaurants' profiles."""

from __future__ import annotations

import msgspec
from pynamodb.exceptions import DoesNotExist

from chalicelib.domain.people import Restaurant
from chalicelib.store.decoding import decode_json
from chalicelib.store.tables import RestaurantRow


class RestaurantTable:
    """Reads and writes the restaurants table."""

    def get_restaurant(self, restaurant_id: str) -> Restaurant | None:
        """Read a profile, strongly consistent; None if there is none."""
        try:
            row = RestaurantRow.get(restaurant_id, consistent_read=True)
        except DoesNotExist:
            return None
        return decode_json(row.doc, Restaurant)

    def save_restaurant(self, restaurant: Restaurant) -> None:
        """Write a profile whole. The last writer wins: nothing in it rests on what was there, so
        it needs no condition."""
        RestaurantRow(restaurant.id, doc=msgspec.json.encode(restaurant).decode()).save()
