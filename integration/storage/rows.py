"""Model instances and their column values, made without Django's slower general paths.

`Model.__init__` looks at each column again for every instance. For an order of hundreds of lines that costs more than
the database does. These functions look at a model once, and remember what they found.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from django.db import models
from django.db.models.base import ModelState

M = TypeVar("M", bound=models.Model)

Row = Mapping[str, Any]
"""A row's values by attribute name; names that are no attribute of the model are ignored."""


def values_of(row: models.Model) -> dict[str, Any]:
    """All that a row has in its columns."""
    values = vars(row)
    return {name: values[name] for name in attributes_of(type(row))}


def key_of(model: type[models.Model]) -> str:
    """The attribute that is a model's key."""
    return str(model._meta.pk.attname)


@lru_cache
def columns_of(model: type[models.Model]) -> tuple[str, ...]:
    """The attributes of a model that an update may write: all but its key."""
    return tuple(field.attname for field in model._meta.concrete_fields if not field.primary_key)


@lru_cache
def blank(model: type[models.Model]) -> Row:
    """The values a new row has unless others are given, in the columns that its model has a default for, or may be
    empty."""
    return {field.attname: field.get_default() for field in model._meta.concrete_fields}


def unsaved(model: type[M], values: Row) -> M:
    """A new row with these values, and those of `blank`, as those that are read are made."""
    row = model.__new__(model)
    begin(row, values)
    return row


def begin(row: models.Model, values: Row) -> None:
    """Do with a new row what its `__init__` would, which asks each column anew for what it begins with."""
    has, model = vars(row), type(row)
    has["_state"] = ModelState()
    has |= blank(model)
    has |= values
    for name, make in _made_anew(model):
        if name not in values:
            has[name] = make()


@lru_cache
def _made_anew(model: type[models.Model]) -> list[tuple[str, Callable[[], Any]]]:
    """What makes the values that no two rows share, such as an empty list, by their attributes."""
    with_default = (field for field in model._meta.concrete_fields if field.has_default())
    return [(field.attname, field.default) for field in with_default if callable(field.default)]


@lru_cache
def attributes_of(model: type[models.Model]) -> tuple[str, ...]:
    return tuple(field.attname for field in model._meta.concrete_fields)
