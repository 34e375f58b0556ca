"""The pages of read models: how far each one has caught up with its history, and the rows it holds."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from integration.admin.columns import NOTHING, Shown, column, moment, preformatted
from integration.admin.pages import ReadOnlyAdmin
from integration.read_models.lag import Lag, lag
from integration.read_models.models import ReadModelBuild


class RowsAdmin(ReadOnlyAdmin):
    """The pages of a read model's rows in its live build."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        # All columns: the rows of a read model contain nothing but data to show.
        return self.fieldsets or [
            (None, {"fields": [f.name for f in self.opts.concrete_fields if f.name not in ("id", "build")]})
        ]


@column("lag")
def late(build: ReadModelBuild) -> str:
    """The number of events that the read model has not processed, and the age of the oldest one in seconds."""
    behind: Lag | None = getattr(build, "lag", None)
    if not behind:
        return NOTHING
    return f"{behind.events:,} events, {behind.seconds:,.1f} s" if behind.events else "up to date"


@column("error")
def error(build: ReadModelBuild) -> Shown:
    """The error that keeps the projection from catching up."""
    return preformatted(build.error)


@admin.register(ReadModelBuild)
class ReadModelBuildAdmin(ReadOnlyAdmin):
    """The pages of read model builds, with the lag of those that this code reads."""

    list_display = ("read_model", "ready", late, moment("started_at"), "code", error)
    list_filter = ("ready",)
    sortable_by = ()
    fieldsets = (
        (None, {"fields": (("read_model", "ready", late), "code", error)}),
        ("Position in the history", {"fields": (("mark", "ahead"), moment("started_at"))}),
    )

    def prepare(self, rows: Iterable[Any]) -> None:
        _add_lag(rows)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        build = super().get_object(request, object_id, from_field)
        _add_lag([build] if build else [])
        return build


def _add_lag(builds: Iterable[Any]) -> None:
    lags = {each.build: each for each in lag()}
    for build in builds:
        build.lag = lags.get(build.pk)
