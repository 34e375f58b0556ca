"""What this storage layer can store: a list of field types, and the values of JSON.

It bypasses Django's own conversions, so a field type that it does not know would be written wrongly without an error.
Examples are bytes, durations and IP addresses, and decimals on SQLite. Such a field is refused before anything is
written or read.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from django.db import models

from integration.storage.columns import CurrencyField, MinorUnitsField
from integration.storage.sqlite_values import final_target

KNOWN_FIELDS = frozenset(
    {
        models.AutoField,
        models.BigAutoField,
        models.BigIntegerField,
        models.BooleanField,
        models.CharField,
        models.DateField,
        models.DateTimeField,
        models.EmailField,
        models.IntegerField,
        models.JSONField,
        models.PositiveBigIntegerField,
        models.PositiveIntegerField,
        models.PositiveSmallIntegerField,
        models.SmallIntegerField,
        models.TextField,
        models.UUIDField,
        CurrencyField,
        MinorUnitsField,
    }
)
"""The field types whose values are stored as Django would store them; a subclass may convert values and is not."""


class CannotStore(TypeError):
    """The storage layer does not know this type of field or value."""


@cache
def known_fields(model: type[models.Model]) -> tuple[Any, ...]:
    """Return the fields of all columns of a model.

    Raises:
        CannotStore: a field's type is not in `KNOWN_FIELDS`, or a JSON field has its own encoder or decoder.
    """
    for field in model._meta.concrete_fields:
        target = final_target(field)
        own_json = isinstance(target, models.JSONField) and (target.encoder or target.decoder)
        if type(target) not in KNOWN_FIELDS or own_json:
            raise CannotStore(f"{model._meta.label}.{field.name}: storage does not know {type(target).__name__}")
    return tuple(model._meta.concrete_fields)


@cache
def json_attributes(model: type[models.Model]) -> tuple[str, ...]:
    """Return the attributes of the JSON columns of a model."""
    return tuple(field.attname for field in known_fields(model) if isinstance(final_target(field), models.JSONField))


def refuse_unless_json(value: Any) -> None:
    """Raise `CannotStore` if a value has no JSON.

    The standard encoder knows only the types of JSON. msgspec, which writes the rows, also encodes dates, decimals and
    bytes as text, and NaN as null.
    """
    try:
        _strictly(value, 0)
    except (TypeError, ValueError) as error:
        raise CannotStore(f"this is no JSON: {error}") from error


def _refuse(value: Any) -> Any:
    raise TypeError(f"values of type {type(value).__name__}")


def _encoder() -> Callable[[Any, int], Any]:
    """Return the encoder of `json.dumps` without NaN. `json.dumps` makes a new one for each value, which takes longer
    than encoding a small event."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)  # None without the C extension
    if make is None:
        return lambda value, level: json.dumps(value, allow_nan=False)
    return make(None, _refuse, json.encoder.encode_basestring_ascii, None, ":", ",", False, False, False)


_strictly = _encoder()
