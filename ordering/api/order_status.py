"""The status of an order in the words of the API, which are the names in `OrderStatus`."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from rest_framework import serializers

from ordering.models import OrderStatus

NAMES = {status.value: status.name.lower() for status in OrderStatus}
"""Only one is stored in another word: `partially_shipped` does not fit into the column."""


class OrderStatusField(serializers.ChoiceField):
    """The status of an order; output only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[*NAMES.values()], **options)

    def to_representation(self, value: Any) -> str:
        return NAMES[value]


class OrderStatusFilter(django_filters.ChoiceFilter):
    """A filter by the status of orders."""

    def __init__(self) -> None:
        super().__init__(choices=[(name, name) for name in NAMES.values()])

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        stored = {name: status for status, name in NAMES.items()}
        return super().filter(qs, stored.get(value, value))
