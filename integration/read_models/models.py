"""The rows of a read model belong to a build, and one build is live. A rebuild only changes which build that is.

No table is renamed and no reader waits: a query sees the rows of the old build or of the new one, never a mixture.
"""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q, QuerySet, Subquery

from integration.read_models.history_reader import Position


class ReadModelBuild(models.Model):
    """One build of a read model and its position in the context's history, stored as in `history_reader.Position`."""

    read_model = models.CharField(max_length=80)
    live = models.BooleanField(default=False)
    started_at = models.DateTimeField()
    mark = models.BigIntegerField(default=0)
    ahead = models.JSONField(default=list)
    gaps_until = models.BigIntegerField(default=0)
    writers = models.JSONField(default=list)
    error = models.TextField(blank=True)

    class Meta:
        verbose_name = "read model"
        ordering: ClassVar = ["read_model", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["read_model"], name="one_live_build", condition=Q(live=True))
        ]

    def __str__(self) -> str:
        return self.read_model if self.live else f"{self.read_model}, being rebuilt"

    @property
    def position(self) -> Position:
        """How far the build has read its history."""
        return Position(self.mark, tuple(self.ahead), self.gaps_until, tuple(self.writers))

    @position.setter
    def position(self, position: Position) -> None:
        self.mark, self.ahead = position.mark, list(position.ahead)
        self.gaps_until, self.writers = position.gaps_until, list(position.writers)


class LiveRows(models.Manager[Any]):
    """Only the rows of the live build; no rows as long as there is none."""

    def get_queryset(self) -> QuerySet[Any]:
        live = ReadModelBuild.objects.filter(read_model=self.model.read_model, live=True)
        return super().get_queryset().filter(build=Subquery(live.order_by().values("pk")))


class Row(models.Model):
    """A row of a read model.

    Subclasses set `read_model`, its wire name, and `key`, the fields that identify a row within a build. They need a
    unique constraint on `build` and the fields of `key`.
    """

    read_model: ClassVar[str]
    key: ClassVar[tuple[str, ...]]

    build = models.PositiveBigIntegerField(editable=False)

    objects: ClassVar[models.Manager[Any]] = LiveRows()
    of_all_builds: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        abstract = True

    @property
    def key_values(self) -> tuple[Any, ...]:
        """The values of the row's key fields."""
        return tuple([getattr(self, name) for name in self.key])


def of_live(column: str, read_model: str) -> str:
    """SQL expression for a column of a read model's live build; NULL if there is none."""
    return f"(SELECT {column} FROM integration_readmodelbuild WHERE live AND read_model = '{read_model}')"  # noqa: S608 - names of the code only
