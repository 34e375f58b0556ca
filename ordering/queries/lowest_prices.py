"""The lowest price of a product before its current reduction, as a question to the product's history.

Source: Directive 98/6/EC, Article 6a: an announcement of a price reduction shows the lowest price that the trader
applied during a period of not less than 30 days before.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import NamedTuple

from integration.domain.money import Money
from ordering.events import ProductChanged, ProductListed
from ordering.models import History, Product

PERIOD = timedelta(days=30)
PRICED = {event.wire_name: event for event in (ProductListed, ProductChanged)}


class Price(NamedTuple):
    """A price of a product from a moment on; `amount` is None while the product is not on sale."""

    since: datetime
    amount: Money | None


def show_lowest_prices(products: Sequence[Product]) -> None:
    """Set `lowest_price_30d` of products, in one query for all of them."""
    entries = History.objects.filter(
        stream=Product.stream, stream_id__in=[product.sku for product in products], name__in=PRICED
    )
    ordered = entries.order_by("stream_id", "version")
    prices = {
        sku: [_price(entry) for entry in of_one] for sku, of_one in groupby(ordered, key=lambda entry: entry.stream_id)
    }
    for product in products:
        vars(product)["lowest_price_30d"] = lowest_before_reduction(prices.get(product.sku, ()))


def _price(entry: History) -> Price:
    event = entry.event
    is_on_sale = isinstance(event, ProductListed) or (isinstance(event, ProductChanged) and event.on_sale)
    return Price(entry.occurred_at, event.price if is_on_sale else None)  # type: ignore[attr-defined]


def lowest_before_reduction(prices: Iterable[Price]) -> Money | None:
    """The lowest price in the 30 days before the current price, if that is a reduction.

    Args:
        prices: all prices of a product, the oldest first. Each is valid until the next.

    Returns:
        None if the current price is not lower than the one before it. While a product is not on sale it has no price.
    """
    changes: list[Price] = []
    for price in prices:
        if not changes or price.amount != changes[-1].amount:
            changes.append(price)
    amounts = [price for price in changes if price.amount is not None]
    if len(amounts) < 2 or changes[-1].amount is None:
        return None
    (_, before), (since, now) = amounts[-2:]
    if before is None or now is None or before.currency != now.currency or now >= before:
        return None
    begin = since - PERIOD
    valid = [price.amount for price, after in pairwise(changes) if price.since < since and after.since > begin]
    return min((amount for amount in valid if amount is not None and amount.currency == now.currency), default=None)
