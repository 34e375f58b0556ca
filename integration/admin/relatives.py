"""Finds related aggregates by their story or by a shared identifier, without importing any context."""

from functools import lru_cache
from uuid import UUID

from integration.aggregates.aggregate import Aggregate, OfOneStory
from integration.aggregates.rebuild import aggregates

MOST_OF_A_KIND = 20
"""The number of aggregates of one kind that are returned."""


@lru_cache
def aggregates_by_stream() -> dict[tuple[str, str], type[Aggregate]]:
    """Every aggregate class by its context and its stream, the name of its kind in the history."""
    return {(model._meta.app_label, model.stream): model for model in aggregates()}


def streams_of(context: str) -> list[str]:
    """The streams of a context, sorted by name."""
    return sorted(stream for owner, stream in aggregates_by_stream() if owner == context)


def of_story(correlation_id: UUID) -> list[OfOneStory]:
    """The aggregates that belong to this story alone, at most `MOST_OF_A_KIND` of each class; one query per class."""
    return [row for kind in _kinds() for row in kind.objects.filter(correlation_id=correlation_id)[:MOST_OF_A_KIND]]


def stories_of(key: str) -> set[UUID]:
    """The correlation ids of aggregates with this key, such as an order's or a shipment's number.

    The search also tries the key in upper case. It takes one query per class.
    """
    found = [kind.objects.filter(pk__in={key, key.upper()}) for kind in _kinds()]
    return {id for rows in found for id in rows.values_list("correlation_id", flat=True)}


def namesakes(row: Aggregate) -> list[Aggregate]:
    """Aggregates of other classes with the same key, such as a product and its stock item; one query per class."""
    kind = row._meta.pk.name
    alike = [model for model in aggregates_by_stream().values() if model._meta.pk.name == kind != "id"]
    return [other for model in alike if model is not type(row) for other in model.objects.filter(pk=row.pk)]


def _kinds() -> list[type[OfOneStory]]:
    return [model for model in aggregates_by_stream().values() if issubclass(model, OfOneStory)]
