"""Only a unit of work writes the rows of aggregates and of their parts.

Django's own ways of writing record no event, so the history would no longer lead to the row. They raise. Migrations and
`loaddata` do not use these classes: historical models have plain managers, and a fixture is stored as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ClassVar

from django.db import models
from django.db.models.signals import class_prepared
from django.dispatch import receiver

_allowed = ContextVar("direct_writes_are_allowed", default=False)


class BypassesHistory(RuntimeError):
    """Django would write the row of an aggregate without an event."""


@contextmanager
def bypassing_history() -> Iterator[None]:
    """Let Django write rows of aggregates without events, in this thread, for repairs and fixtures.

    `manage.py verify` reports rows that differ from their histories afterwards.
    """
    token = _allowed.set(True)
    try:
        yield
    finally:
        _allowed.reset(token)


def refuse_direct_write(model: type[models.Model], operation: str) -> None:
    """Raise `BypassesHistory` unless the caller is inside `bypassing_history`.

    Args:
        operation: the method that would write, for the message.
    """
    if not _allowed.get():
        raise BypassesHistory(
            f"{operation}() would write {model.__name__} without an event. Inside `with unit_of_work() as work:`, get "
            "the aggregate from `work` and call a method that records what happened. Repairs and fixtures may use "
            "`with bypassing_history():`."
        )


def _refusing(name: str) -> Any:
    original = getattr(models.QuerySet, name)

    @wraps(original)  # copies the attributes that say whether managers have the method, and templates may call it
    def method(self: models.QuerySet[Any], *args: Any, **kwargs: Any) -> Any:
        refuse_direct_write(self.model, name)
        return original(self, *args, **kwargs)

    return method


class ReadOnlyRows(models.QuerySet[Any]):
    """Rows of aggregates and parts, to be read. The asynchronous methods call these, and raise, too."""

    create = _refusing("create")
    bulk_create = _refusing("bulk_create")
    bulk_update = _refusing("bulk_update")
    update = _refusing("update")
    delete = _refusing("delete")


class WrittenByUnitOfWork(models.Model):
    """A row that only a unit of work writes."""

    objects: ClassVar[models.Manager[Any]] = models.Manager.from_queryset(ReadOnlyRows)()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        refuse_direct_write(type(self), "save")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        refuse_direct_write(type(self), "delete")
        return super().delete(*args, **kwargs)


@receiver(class_prepared)
def guard_related_managers(sender: type[models.Model], **kwargs: Any) -> None:
    """Let Django's managers of relations, such as `order.line_rows.add`, use the guarded manager, too."""
    if issubclass(sender, WrittenByUnitOfWork):
        sender._meta.base_manager_name = "objects"
