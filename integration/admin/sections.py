"""The rows of one story on its order's page, in all contexts, each with the actions that its own page would offer.

A context shows its rows there by giving its `StoryAdmin` an `in_story`. Nobody imports another context: the rows are
found by their correlation id.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import display_for_field, display_for_value, label_for_field, lookup_field
from django.core.exceptions import FieldDoesNotExist
from django.db.models import JSONField
from django.http import HttpRequest

from integration.admin.badges import with_badges
from integration.admin.columns import NOTHING, Shown, link
from integration.admin.relatives import MOST_OF_A_KIND


class InStory(NamedTuple):
    """How a kind of aggregate is shown on the page of its order.

    Args:
        title: the heading.
        columns: as of `list_display`; the first one links to the row's page.
        position: the section with the lowest one comes first.
        parts: whether the columns show parts of the aggregate.
    """

    title: str
    columns: Sequence[Any]
    position: int
    parts: bool = False


def sections(request: HttpRequest, correlation_id: UUID) -> Iterator[dict[str, Any]]:
    """The sections that the viewer may view; one query for each kind of aggregate, and one for its parts."""
    pages: list[Any] = [page for page in admin.site._registry.values() if getattr(page, "in_story", None)]
    for page in sorted(pages, key=lambda page: page.in_story.position):
        if page.has_view_permission(request):
            rows = list(page.model.objects.filter(correlation_id=correlation_id).order_by("pk")[: MOST_OF_A_KIND + 1])
            if rows:
                yield _section(request, page, rows)


def _section(request: HttpRequest, page: Any, rows: list[Any]) -> dict[str, Any]:
    shown: InStory = page.in_story
    listed, columns = rows[:MOST_OF_A_KIND], with_badges(page.model, shown.columns)
    if shown.parts:
        page.model.load_parts(listed)
    acts = [page.acts_on(request, row) for row in listed]
    cells = [[*_cells(page, columns, row)] for row in listed]
    return {
        "title": shown.title,
        "id": page.opts.model_name,
        "labels": [label_for_field(column, page.model, page) for column in columns],
        "rows": [{"cells": own, "acts": possible} for own, possible in zip(cells, acts, strict=True)],
        "has_acts": any(acts),
        "is_cut": len(rows) > len(listed),
    }


def _cells(page: Any, columns: Sequence[Any], row: Any) -> Iterator[dict[str, Any]]:
    for i, column in enumerate(columns):
        text = cell(page, column, row)
        label = label_for_field(column, page.model, page)
        yield {"label": label, "value": link(page.model, row.pk, str(text)) if i == 0 else text}


def cell(page: Any, column: Any, row: Any) -> Shown:
    """The value of a column of a `ModelAdmin` for a row, as its list would show it."""
    try:
        field, _, value = lookup_field(column, row, page)
    except FieldDoesNotExist:
        return NOTHING
    if field is None or isinstance(field, JSONField):
        return display_for_value(value, NOTHING)
    return display_for_field(value, field, NOTHING)
