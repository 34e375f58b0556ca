"""Units of goods in a request body: a SKU and how many of it. Orders, parcels, returns and refunds are made of them."""

from typing import Any

from integration.rest.fields import Input, SkuField, WholeNumber

MAX_LINES, MAX_QUANTITY = 2_000, 100_000
"""The most lines of an order, and the most units of a line."""


class LineInput(Input):
    """A quantity of one SKU."""

    sku = SkuField()
    quantity = WholeNumber(min_value=1, max_value=MAX_QUANTITY)


def lines_of(line: Any = LineInput, *, at_most: int = MAX_LINES, **options: Any) -> Any:
    """A field for a list of lines, which is not empty."""
    return line(many=True, allow_empty=False, max_length=at_most, **options)
