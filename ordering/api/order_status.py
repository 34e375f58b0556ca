"""The statuses of an order, its payment and its shipments in the words of the API: names of their enumerations."""

from collections.abc import Mapping
from typing import Any

import django_filters
from django.db.models import QuerySet
from rest_framework import serializers

from ordering.models import PAYMENT_NAMES, SHIPMENT_NAMES, OrderStatus

NAMES = {status.value: status.name.lower() for status in OrderStatus}
"""Only one is stored in another word: `partially_shipped` does not fit into the column."""
CHOICES = [*NAMES.values()]


class NamedStatusField(serializers.ChoiceField):
    """A status; output only.

    Args:
        names: the words of the API, by the words in which they are stored.
    """

    def __init__(self, names: Mapping[str, str], **options: Any) -> None:
        self.names = names
        super().__init__(choices=[*names.values()], **options)

    def to_representation(self, value: Any) -> str:
        return self.names[value]


class OrderStatusField(NamedStatusField):
    """The status of an order; output only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(NAMES, **options)


class PaymentStatusField(NamedStatusField):
    """The status of an order's payment; output only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(PAYMENT_NAMES, **options)


class ShipmentStatusField(NamedStatusField):
    """The status of an order's shipment; output only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(SHIPMENT_NAMES, **options)


class NamedStatusFilter(django_filters.ChoiceFilter):
    """A filter by a status; `names` as of `NamedStatusField`."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.stored = {name: status for status, name in names.items()}
        super().__init__(choices=[(name, name) for name in names.values()])

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        return super().filter(qs, self.stored.get(value, value))


class OrderStatusFilter(NamedStatusFilter):
    """A filter by the status of orders."""

    def __init__(self) -> None:
        super().__init__(NAMES)


class PaymentStatusFilter(NamedStatusFilter):
    """A filter by the status of the payment of orders."""

    def __init__(self) -> None:
        super().__init__(PAYMENT_NAMES)


class ShipmentStatusFilter(NamedStatusFilter):
    """A filter by the status of the least advanced shipment of orders."""

    def __init__(self) -> None:
        super().__init__(SHIPMENT_NAMES)
