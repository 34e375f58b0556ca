"""The personal data store is one table with the personal values of all logged events. Deleting a row erases its values.

The rows of the log are complete without their personal values. Code that reads many rows calls `load_personal` first,
which takes one query for any number of rows, and none for events without personal fields. Deliveries are read together
with their messages and personal values.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from django.db import models

from integration.domain.naming import WireNames
from integration.domain.personal import personal_fields
from integration.domain.versions import Facts, Versioned
from integration.storage.reading import read
from integration.storage.rows import Row


class PersonalData(models.Model):
    """The personal values of one row of the log, which has the same id: a history entry or a message.

    `event_id` is the id of the domain event: the entry itself, or the event for which the message was published.
    """

    id = models.UUIDField(primary_key=True)
    event_id = models.UUIDField(db_index=True)
    values = models.JSONField()

    objects: ClassVar[models.Manager[Any]]

    class Meta:
        verbose_name_plural = "personal data"

    def __str__(self) -> str:
        return f"personal data of {self.id}"


class WithPersonalData:
    """A row of the log. `data` contains the event's facts without personal values, `facts` contains all of them.

    Subclasses define `kinds`, the registered events by name, and `data_version`, the version in which `data` is stored.
    """

    kinds: ClassVar[WireNames[Any]]
    id: Any
    name: Any
    data: Any
    _state: Any

    @property
    def data_version(self) -> int:
        """The version of the event in which the facts are stored."""
        raise NotImplementedError

    @cached_property
    def personal(self) -> Facts:
        """The personal values. They are empty if the event has none or if they were erased.

        Unless `load_personal` was called before, reading them takes a query.
        """
        load_personal([self])
        return vars(self)["personal"]

    @property
    def facts(self) -> Facts:
        """The event's facts with the personal values, in the version in which they are stored."""
        return {**self.data, **self.personal} if self.personal else self.data

    @property
    def may_be_personal(self) -> bool:
        """Whether the personal data store may have values of this row.

        For a row of an older version this is always True, because only code of that version knew its personal fields.
        """
        if self._state.adding or self.name not in self.kinds:
            return False
        kind: type[Versioned] = self.kinds.get(self.name)
        return bool(personal_fields(kind)) or self.data_version < kind.schema_version


K = TypeVar("K", bound=WithPersonalData)


def load_personal(rows: Iterable[K]) -> list[K]:
    """Set `personal` on all rows, and return the rows as a list. This takes at most one query."""
    loaded = list(rows)
    missing = [row for row in loaded if "personal" not in vars(row)]
    values = _values([row.id for row in missing if row.may_be_personal])
    for row in missing:
        row.personal = values.get(row.id, {})
    return loaded


def _values(keys: Sequence[Any]) -> dict[Any, Facts]:
    return {row.id: row.values for row in read(PersonalData, "id", keys)}


def personal_row(id: UUID, event_id: UUID, values: Facts) -> Row:
    """Return the row of the personal data store for a row of the log.

    Args:
        id: the id of the row in the log.
        event_id: the id of the domain event that the values belong to.
        values: the personal values by field.
    """
    return {"id": id, "event_id": event_id, "values": values}
