"""Sentences about events: a template with the names of an event's fields, such as `order {order} was placed`."""

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

MOST_LISTED = 3
"""The number of lines or orders that a sentence names. An order of 2,000 SKUs has more."""


class _Sentence(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return format(value, format_spec) if format_spec else _in_words(value)


def fields_of(template: str) -> set[str]:
    """Return the names of the fields that a template mentions."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def sentence(template: str, values: Mapping[str, Any]) -> str:
    """Return the template with the values in words; parentheses around an empty value are left out."""
    return _Sentence().vformat(template, (), values).replace(" ()", "")


def _in_words(value: Any) -> str:
    """A value in words: `payment_timeout` as `payment timeout`, lines as `2 × MUG, 1 × LAMP`."""
    if isinstance(value, Mapping):
        return _listed([f"{quantity} × {sku}" for sku, quantity in value.items()])
    if isinstance(value, Sequence) and not isinstance(value, str):
        return _listed([_line(each) for each in value])
    text = str(value)
    return text.replace("_", " ") if text.replace("_", "").isalpha() and text.islower() else text


def _line(value: Any) -> str:
    quantity = getattr(value, "quantity", None)
    return f"{quantity} × {value.sku}" if quantity is not None else str(getattr(value, "sku", value))


def _listed(texts: Sequence[str]) -> str:
    rest = len(texts) - MOST_LISTED
    return ", ".join(texts[:MOST_LISTED]) + (f" and {rest} more" if rest > 0 else "")
