"""The pages of domain events as they were recorded: their aggregate, their cause and their data."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from django.http import HttpRequest

from integration.admin.causes import by_column, cause_column, look_up_causes
from integration.admin.columns import (
    Shown,
    column,
    facts,
    link,
    moment,
    story_column,
    what_happened,
)
from integration.admin.pages import ChoiceFilter, ReadOnlyAdmin
from integration.admin.relatives import aggregates_by_stream, streams_of
from integration.admin.viewer import may_view
from integration.domain.events import domain_events
from integration.history.entries import HistoryEntry
from integration.history.personal_data import load_personal
from integration.history.shown import is_erased, shown_facts


class StreamFilter(ChoiceFilter):
    """Filters by the kind of aggregate that recorded the event."""

    title = parameter_name = "stream"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(stream, stream.replace("_", " ")) for stream in streams_of(model_admin.opts.app_label)]


class EventFilter(ChoiceFilter):
    """Filters by the name of the event."""

    title = "event"
    parameter_name = "name"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        own = [name for name, _ in domain_events.items() if name.startswith(f"{model_admin.opts.app_label}.")]
        return [(name, name.partition(".")[2].replace("_", " ")) for name in own]


@column("aggregate")
def about(entry: HistoryEntry) -> Shown:
    """The aggregate that recorded the event."""
    model = aggregates_by_stream().get((entry.context, entry.stream))
    text = f"{entry.stream.replace('_', ' ')} {entry.stream_id}"
    return link(model, entry.stream_id, text) if model else text


def may_see_personal(entry: HistoryEntry) -> bool:
    """Whether the viewer may view the aggregate that recorded the event, and so its personal data."""
    model = aggregates_by_stream().get((entry.context, entry.stream))
    return model is not None and may_view(model)


class HistoryAdmin(ReadOnlyAdmin):
    """The pages of a context's history."""

    list_display = (moment("occurred_at", "when"), what_happened, about, "version", by_column(), story_column())
    list_display_links = (what_happened,)
    list_filter = (StreamFilter, EventFilter)
    search_fields = ("name__contains",)
    search_help_text = (
        "An aggregate's identifier, such as an order number; the id of an event or story; or an event name."
    )
    sortable_by = ()
    uuids = ("id", "correlation_id")
    story_path = "correlation_id"
    fieldsets = (
        (
            None,
            {"fields": ((what_happened, "name"), (about, "version"), (moment("occurred_at", "when"), by_column()))},
        ),
        ("Cause", {"fields": (cause_column(), "correlation_id", "traceparent")}),
        ("Data", {"fields": ("id", "schema_version", facts("shown_facts", "data"))}),
    )

    def prepare(self, rows: Sequence[Any]) -> None:
        look_up_causes(load_personal(rows))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        entry = super().get_object(request, object_id, from_field)
        if entry is not None:
            entry.shown_facts = shown_facts(entry, may_see=may_see_personal(entry), is_erased=is_erased(entry))
        return entry

    def get_ordering(self, request: HttpRequest) -> Any:
        # The history of one aggregate starts with its first event, the full history with the latest one.
        return ["version"] if "stream_id" in request.GET else ["-id"]

    def exact_matches(self, term: str) -> list[Q]:
        # The index starts with the stream, so the condition names all streams of the context.
        streams = streams_of(self.opts.app_label)
        return [*super().exact_matches(term), Q(stream__in=streams, stream_id__in={term, term.upper()})]
