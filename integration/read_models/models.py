"""The rows of a read model belong to a build, and this code reads one build: the live one.

No table is renamed and no reader waits: a query sees the rows of one build, never a mixture. The live build is the one
that this code has finished. Until there is one, it is the build of other code that has read most of the history.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from integration.read_models.history_reader import Position
from integration.read_models.registry import read_models


class ReadModelBuild(models.Model):
    """One build of a read model and its position in the context's history, stored as in `history_reader.Position`.

    `code` is the fingerprint of the only code that catches it up; empty if there may have been several. `ready` is
    whether it has reached the end of the history once. `live` says that code from before `code` existed reads it and
    catches it up.
    """

    read_model = models.CharField(max_length=80)
    code = models.CharField(max_length=32, default="", db_default="", blank=True, editable=False)
    ready = models.BooleanField(default=False, db_default=False, editable=False)
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
            models.UniqueConstraint(fields=["read_model"], name="one_live_build", condition=Q(live=True)),
            models.UniqueConstraint(
                fields=["read_model", "code", "ready"], name="one_build_of_a_code", condition=~Q(code="")
            ),
        ]

    def __str__(self) -> str:
        return self.read_model if self.ready or self.live else f"{self.read_model}, being built"

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
        live = RawSQL(of_live("id", self.model.read_model), ())  # noqa: S611 - names of the code only
        return super().get_queryset().filter(build=live)


class Row(models.Model):
    """A row of a read model.

    Subclasses set `read_model`, its wire name, and `key`, the fields that identify a row within a build. They need a
    unique constraint on `build` and the fields of `key`.
    """

    read_model: ClassVar[str]
    key: ClassVar[tuple[str, ...]]
    of_the_build: ClassVar[frozenset[str]] = frozenset({"id", "build"})
    """The columns that differ between two builds of the same history."""

    build = models.PositiveBigIntegerField(editable=False)

    objects: ClassVar[models.Manager[Any]] = LiveRows()
    of_all_builds: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        abstract = True

    @property
    def key_values(self) -> tuple[Any, ...]:
        """The values of the row's key fields."""
        return tuple([getattr(self, name) for name in self.key])


class PolledRow(Row):
    """A row of a read model whose clients ask for what has changed since their last request.

    Rows become visible in the order of commits, and that is not the order of times: a change that was recorded first
    may be committed last. So a client that asks for later times than the last it has seen would miss that change.
    `shown_at` is the time of the change, or a later one: it is beyond every `shown_at` that was visible before.
    `Batch.shown_at` computes it.

    Rows that older code writes have a moment far in the future, so a client gets them again rather than not at all.
    """

    of_the_build = Row.of_the_build | {"shown_at"}

    shown_at = models.DateTimeField(db_default=datetime(9999, 12, 31, tzinfo=UTC), editable=False)

    class Meta:
        abstract = True


def of_live(column: str, read_model: str) -> str:
    """SQL expression for a column of a read model's live build; NULL if there is none."""
    builds, code = "FROM integration_readmodelbuild WHERE read_model", read_models.get(read_model).code
    return f"(SELECT {column} {builds} = '{read_model}' ORDER BY {live_first(code)} LIMIT 1)"


def of_own(column: str, read_model: str) -> str:
    """SQL expression for a column of the build of a read model that this code has made; NULL if it is not ready."""
    own = f"ready AND code = '{read_models.get(read_model).code}' AND read_model = '{read_model}'"
    return f"(SELECT {column} FROM integration_readmodelbuild WHERE {own})"  # noqa: S608 - names of the code only


def live_first(code: str) -> str:
    """SQL for the order of a read model's builds that begins with the live one.

    That is the ready build of this code, or else one that works, or else the one that shows most.

    Args:
        code: the fingerprint of the code that reads it.
    """
    rank = f"CASE WHEN ready AND code = '{code}' THEN 0 WHEN (ready OR live) AND error = '' THEN 1 ELSE 2 END"
    return f"{rank}, mark DESC, id DESC"
