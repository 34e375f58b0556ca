"""What is read from instead of the aggregates: how far each read model has come, and the pages of their rows."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from integration.admin.columns import NOTHING, Shown, column, moment, preformatted
from integration.admin.pages import ReadOnlyAdmin
from integration.read_models.lag import Lag, lag
from integration.read_models.models import ReadModelBuild


class RowsAdmin(ReadOnlyAdmin):
    """The pages of a read model's rows: those of the live build."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        # All there is, for a row is made to be shown.
        return self.fieldsets or [
            (None, {"fields": [f.name for f in self.opts.concrete_fields if f.name not in ("id", "build")]})
        ]


@column("late")
def late(build: ReadModelBuild) -> str:
    """How many events it has not been shown yet, and for how long the oldest has waited."""
    what_happened: Lag | None = getattr(build, "lag", None)
    if not what_happened:
        return NOTHING
    return f"{what_happened.events:,} events, {what_happened.seconds:,.1f} s" if what_happened.events else "not at all"


@column("why it stands still")
def error(build: ReadModelBuild) -> Shown:
    """How its projection failed."""
    return preformatted(build.error)


@admin.register(ReadModelBuild)
class ReadModelBuildAdmin(ReadOnlyAdmin):
    """Every read model, and how late it is."""

    list_display = ("read_model", "live", late, moment("started_at"), error)
    list_filter = ("live",)
    sortable_by = ()
    fieldsets = (
        (None, {"fields": (("read_model", "live", late), error)}),
        ("How far it has read", {"fields": (("mark", "ahead"), moment("started_at"))}),
    )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        listed = super().get_changelist_instance(request)
        _tell_lag(listed.result_list)
        return listed

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        build = super().get_object(request, object_id, from_field)
        _tell_lag([build] if build else [])
        return build


def _tell_lag(builds: Iterable[Any]) -> None:
    lags = {each.read_model: each for each in lag()}
    for build in builds:
        build.lag = lags.get(build.read_model) if build.live else None
