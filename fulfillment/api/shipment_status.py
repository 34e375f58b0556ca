"""The status of a shipment in the words of the API, which are the names in `ShipmentStatus`."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from rest_framework import serializers

from fulfillment.models import NAMES, STORED


class ShipmentStatusField(serializers.ChoiceField):
    """The status of a shipment; output only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[*NAMES.values()], **options)

    def to_representation(self, value: Any) -> str:
        return NAMES[value]


class ShipmentStatusFilter(django_filters.ChoiceFilter):
    """A filter by the status of shipments."""

    def __init__(self) -> None:
        super().__init__(choices=[(name, name) for name in NAMES.values()])

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return super().filter(qs, STORED.get(value, value))
