"""Personal values are kept beside the log, in the one table of facts whose rows may be deleted: that erases them.

A row of the log is whole without them. Whoever reads many rows `recall`s them first: one query, whatever their number,
and none for events without personal fields. Who takes a delivery reads them along with its message.
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
    """The personal values of one row of the log, which has the same id: an entry of a history, or a message.

    `event_id` is the domain event they came with: the entry itself, or the one that the message was published for.
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
    """A row of the log: `data` are the facts without what is personal, `facts` are all there are.

    Subclasses say of which `kinds` its events are, by name, and in which `data_version` the facts are.
    """

    kinds: ClassVar[WireNames[Any]]
    id: Any
    name: Any
    data: Any
    _state: Any

    @property
    def data_version(self) -> int:
        """The version its facts were stored in."""
        raise NotImplementedError

    @cached_property
    def personal(self) -> Facts:
        """The personal values; none for an event that has none, or whose values were erased."""
        load_personal([self])
        return vars(self)["personal"]

    @property
    def facts(self) -> Facts:
        """The event's facts, in the version they were stored in."""
        return {**self.data, **self.personal} if self.personal else self.data

    @property
    def may_be_personal(self) -> bool:
        """Whether there may be values beside it; what an older version had of them, only that version knew."""
        if self._state.adding or self.name not in self.kinds:
            return False
        kind: type[Versioned] = self.kinds.get(self.name)
        return bool(personal_fields(kind)) or self.data_version < kind.schema_version


K = TypeVar("K", bound=WithPersonalData)


def load_personal(rows: Iterable[K]) -> list[K]:
    """Give the rows their personal values; one query, or none where there cannot be any."""
    told = list(rows)
    unknown = [row for row in told if "personal" not in vars(row)]
    values = _values([row.id for row in unknown if row.may_be_personal])
    for row in unknown:
        row.personal = values.get(row.id, {})
    return told


def _values(keys: Sequence[Any]) -> dict[Any, Facts]:
    return {row.id: row.values for row in read(PersonalData, "id", keys)}


def personal_row(id: UUID, event_id: UUID, values: Facts) -> Row:
    """The row that keeps the personal values of the log's row with that id, which came with that domain event."""
    return {"id": id, "event_id": event_id, "values": values}
