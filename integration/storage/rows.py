"""Model instances and their column values, made without the slow general code of Django.

`Model.__init__` inspects every column for every instance. For an order with hundreds of lines this takes longer than
the database. The functions here inspect a model once and cache the result.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

from django.db import models
from django.db.models.base import ModelState

from integration.storage.known import known_fields

M = TypeVar("M", bound=models.Model)

Row = Mapping[str, Any]
"""A row's values by attribute name. Names that are not attributes of the model are ignored."""


def values_of(row: models.Model) -> dict[str, Any]:
    """Return the values of all columns of a row, by attribute."""
    values = vars(row)
    return {name: values[name] for name in attributes_of(type(row))}


def key_of(model: type[models.Model]) -> str:
    """Return the name of a model's primary key attribute."""
    return str(model._meta.pk.attname)


@lru_cache
def columns_of(model: type[models.Model]) -> tuple[str, ...]:
    """Return the attributes that an update may write: all except the primary key."""
    return tuple(field.attname for field in model._meta.concrete_fields if not field.primary_key)


@lru_cache
def blank(model: type[models.Model]) -> Row:
    """Return the values that a new row has unless others are given: each column's default, or an empty value."""
    return {field.attname: field.get_default() for field in model._meta.concrete_fields}


def unsaved(model: type[M], values: Row) -> M:
    """Return a new instance with the defaults of `blank` and these values, without calling `__init__`."""
    row = model.__new__(model)
    begin(row, values)
    return row


def begin(row: models.Model, values: Row) -> None:
    """Initialize a new instance with the defaults of `blank` and these values.

    This does what `Model.__init__` does, except that `__init__` computes the default of each column for every instance.
    """
    attributes, model = vars(row), type(row)
    attributes["_state"] = ModelState()
    attributes |= blank(model)
    attributes |= values
    for name, make in _default_factories(model):
        if name not in values:
            attributes[name] = make()


@lru_cache
def _default_factories(model: type[models.Model]) -> list[tuple[str, Callable[[], Any]]]:
    """Return the callable defaults by attribute, such as `list`: each row needs a value of its own."""
    with_default = (field for field in model._meta.concrete_fields if field.has_default())
    return [(field.attname, field.default) for field in with_default if callable(field.default)]


@lru_cache
def attributes_of(model: type[models.Model]) -> tuple[str, ...]:
    """Return the attributes of all columns of a model; raises `CannotStore` if it has a field of unknown type."""
    return tuple(field.attname for field in known_fields(model))
