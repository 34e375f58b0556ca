"""REST views of disputes, for staff."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.models import Dispute, DisputeStatus
from integration.rest.fields import MoneyField
from integration.rest.views import View, staff_with


class DisputeOutput(serializers.Serializer):
    """A dispute: a buyer asked their bank for the money of a payment."""

    id = serializers.CharField(help_text="The provider's reference.")
    payment = serializers.CharField(source="payment_id")
    invoice = serializers.CharField(source="invoice_id")
    order = serializers.CharField()
    kind = serializers.ChoiceField(choices=["chargeback", "inquiry"])
    status = serializers.ChoiceField(choices=DisputeStatus.choices)
    amount = MoneyField()
    withdrawn = MoneyField(help_text="What it took away and did not return.")
    evidence_due = serializers.DateTimeField(allow_null=True, help_text="Until when evidence counts.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class DisputeFilter(django_filters.FilterSet):
    """Filters of the list of disputes."""

    order = django_filters.CharFilter()
    status = django_filters.ChoiceFilter(choices=DisputeStatus.choices)


class Disputes(View):
    """The list of disputes."""

    permission_classes = (staff_with("billing.view_dispute"),)
    queryset: QuerySet[Any] = Dispute.objects.none()
    filterset_class = DisputeFilter
    serializer_class = DisputeOutput

    def get_queryset(self) -> QuerySet[Dispute]:
        return Dispute.objects.all()

    @extend_schema(responses=DisputeOutput(many=True))
    def get(self, request: Request) -> Response:
        """List disputes, newest first."""
        page = self.page_of(self.get_queryset())
        return self.get_paginated_response(DisputeOutput(page, many=True).data)
