"""Which rows belong together, asked without knowing any context: by their story, or by the identifier they share."""

from functools import lru_cache
from uuid import UUID

from integration.aggregates.aggregate import Aggregate, OfOneStory
from integration.aggregates.rebuild import aggregates

MOST_OF_A_KIND = 20
"""Of one kind of aggregate, so many are named."""


@lru_cache
def aggregates_by_stream() -> dict[tuple[str, str], type[Aggregate]]:
    """Every kind of aggregate, by its context and the stream its events are kept under."""
    return {(model._meta.app_label, model.stream): model for model in aggregates()}


def streams_of(context: str) -> list[str]:
    """The streams of a context, by name."""
    return sorted(stream for owner, stream in aggregates_by_stream() if owner == context)


def of_story(correlation_id: UUID) -> list[OfOneStory]:
    """The aggregates whose whole life is in this story; one query a kind."""
    return [row for kind in _kinds() for row in kind.objects.filter(correlation_id=correlation_id)[:MOST_OF_A_KIND]]


def stories_of(key: str) -> set[UUID]:
    """The stories of what goes by this key, such as an order's number or a shipment's; one query a kind."""
    found = [kind.objects.filter(pk__in={key, key.upper()}) for kind in _kinds()]
    return {id for rows in found for id in rows.values_list("correlation_id", flat=True)}


def namesakes(row: Aggregate) -> list[Aggregate]:
    """What is kept elsewhere under the same identifier: a product's stock item, a stock item's product."""
    kind = row._meta.pk.name
    alike = [model for model in aggregates_by_stream().values() if model._meta.pk.name == kind != "id"]
    return [other for model in alike if model is not type(row) for other in model.objects.filter(pk=row.pk)]


def _kinds() -> list[type[OfOneStory]]:
    return [model for model in aggregates_by_stream().values() if issubclass(model, OfOneStory)]
