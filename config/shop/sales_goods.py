"""The products of a sales export: their names and prices, as most of the rows have them."""

import string
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Goods:
    """A product of at least one sale."""

    sku: str
    name: str
    price: Decimal


def goods_of(sold: Iterable[tuple[str, str, Decimal]]) -> tuple[Goods, ...]:
    """Each product once, with its most frequent name and price.

    Args:
        sold: sku, description and unit price of every row that is part of a sale.
    """
    names: defaultdict[str, list[str]] = defaultdict(list)
    prices: defaultdict[str, list[Decimal]] = defaultdict(list)
    for sku, description, price in sold:
        names[sku].append(description)
        prices[sku].append(price)
    return tuple(Goods(sku, _name(names[sku]) or sku, _commonest(prices[sku])) for sku in sorted(prices))


def _name(descriptions: Iterable[str]) -> str:
    # `str.title` would write Children'S Apron.
    names = [string.capwords(description) for description in descriptions if description]
    return _commonest(names)[:LONGEST_NAME].rstrip() if names else ""


_T = TypeVar("_T", str, Decimal)


def _commonest(values: Iterable[_T]) -> _T:
    """The most frequent value; of equally frequent ones the smallest, so that the order of rows does not matter.

    For prices it suits better than the median: it is a price that customers paid, usually the list price, and a few
    quantity discounts or mistyped amounts do not change it.
    """
    counts = Counter(values)
    return min(counts, key=lambda value: (-counts[value], value))
