"""What this storage layer can store: a list of field types.

It bypasses Django's own conversions, so a field type that it does not know would be written wrongly without an error.
Examples are bytes, durations and IP addresses, and decimals on SQLite. Such a field is refused before anything is
written or read.
"""

from functools import cache
from typing import Any

from django.db import models

from integration.storage.columns import CurrencyField, MinorUnitsField
from integration.storage.sqlite_values import final_target
from integration.storage.strict_json import CannotStore

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
