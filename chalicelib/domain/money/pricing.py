"""What a customer pays for an order, in minor units."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chalicelib.domain.details import OrderDetails
from chalicelib.domain.orders.flows import FLOWS
from chalicelib.domain.orders.model import Order, Status
from chalicelib.domain.price_lines import BASE, DISTANCE, FARE, ITEMS, TIP, PriceLine, sum_minor

DELIVERY_FEE_MINOR = 30_00  # for what a shop sends; a parcel or a hail has no price of its own


class Price(msgspec.Struct, frozen=True):
    """The price of an order: of its goods or its ride, and of bringing them."""

    goods_minor: int
    fee_minor: int

    @property
    def total_minor(self) -> int:
        """The sum that the customer pays."""
        return self.goods_minor + self.fee_minor


def estimate_price(details: OrderDetails, quoted: Sequence[PriceLine] = ()) -> Price:
    """Estimate the price of an order as it was placed: as quoted, where it was; else of a ride its
    estimate, of goods their sum."""
    if quoted:
        return _split_lines(details, quoted)
    if details.estimate:
        return Price(details.estimate.fare_minor, 0)
    return Price(details.items_minor, DELIVERY_FEE_MINOR if details.merchant_id else 0)


def compute_final_price(order: Order) -> Price:
    """Compute the price to be paid: that of the goods and the way, unless nobody has to pay it, and
    the fees. Tips are no part of it: nobody owes them."""
    fees_minor = sum_minor(order.fees)
    if not owes_way(order):
        return Price(0, fees_minor)
    price = _compute_way_price(order)
    return Price(price.goods_minor, price.fee_minor + fees_minor)


def is_price_final(order: Order) -> bool:
    """Say whether what an order costs can't change any more: it has ended, and is none that may be
    searched for again."""
    return order.is_terminal and not FLOWS[order.details.flow].transitions[order.status]


def owes_way(order: Order) -> bool:
    """Say whether an order costs what it was placed for: not where that was called off, or nobody
    came and nobody can be searched for any more. What could not be handed over was brought all the
    same."""
    is_given_up = order.status is Status.UNSERVED and is_price_final(order)
    return order.status not in (Status.CANCELLED, Status.NO_SHOW) and not is_given_up


def compute_way_minor(order: Order) -> int:
    """Compute what bringing an order costs: the base and the distance of its quote; without one,
    its fee. A parcel or a hail without a quote has no price, and no part of one."""
    if order.price:
        return sum_minor(line for line in order.price if line.kind in (BASE, DISTANCE))
    return _compute_way_price(order).fee_minor


def _compute_way_price(order: Order) -> Price:
    """Compute the price of the goods and the way: what was quoted, however long the way came to be;
    else the fare of the trip that a finished ride made; else the estimate."""
    if order.price:
        return _split_lines(order.details, order.price)
    if order.status is Status.DONE and order.trip:
        return Price(order.trip.fare_minor, 0)
    return estimate_price(order.details)


def list_price_lines(order: Order) -> tuple[PriceLine, ...]:
    """List what an order costs: what was quoted, or else came to be; then fees and tips. Of one
    that was called off, and that has neither, what was quoted: it costs nothing."""
    tips_minor = sum(tip.amount_minor for tip in order.tips)
    tips = (PriceLine(TIP, tips_minor),) if tips_minor else ()
    more = (*order.fees, *tips)
    if more and not owes_way(order):
        return more
    return (*(order.price or _itemize_unquoted(order)), *more)


def _itemize_unquoted(order: Order) -> tuple[PriceLine, ...]:
    """List what an order costs that was not quoted; nothing where it has no price of its own."""
    price = _compute_way_price(order)
    is_trip = order.details.estimate is not None or order.trip is not None
    goods = PriceLine(FARE if is_trip else ITEMS, price.goods_minor)
    return tuple(line for line in (goods, PriceLine(BASE, price.fee_minor)) if line.amount_minor)


def _split_lines(details: OrderDetails, lines: Sequence[PriceLine]) -> Price:
    """Split a price into goods and fee. A ride is all goods: it is the way that was bought."""
    total_minor = sum_minor(lines)
    if details.estimate:
        return Price(total_minor, 0)
    goods_minor = sum_minor(line for line in lines if line.kind == ITEMS)
    return Price(goods_minor, total_minor - goods_minor)
