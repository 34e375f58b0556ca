"""Inventory over REST, for staff: what lies on the shelves, and how it came and went."""

from datetime import UTC, datetime
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from integration.domain import clock
from integration.domain.identifiers import Sku
from integration.rest.etags import CHANGING, READING, etag, versions_expected
from integration.rest.fields import Input, Text, WholeNumber
from integration.rest.filters import YesNoFilter
from integration.rest.idempotency import idempotent
from integration.rest.views import View, staff_with
from inventory import commands, queries
from inventory.models import MAX_QUANTITY, StockItem


class StockOutput(serializers.Serializer):
    """The stock of one sku."""

    sku = serializers.CharField()
    on_hand = serializers.IntegerField()
    reserved = serializers.IntegerField()
    available = serializers.IntegerField()
    reorder_point = serializers.IntegerField()
    as_of = serializers.SerializerMethodField()

    @extend_schema_field(OpenApiTypes.DATETIME)
    def get_as_of(self, item: StockItem) -> str:
        return (self.context.get("as_of") or clock.now()).isoformat().replace("+00:00", "Z")


class StockFilter(django_filters.FilterSet):
    """Which stock to list."""

    low = YesNoFilter(method="filter_low", help_text="No more available than the reorder point.")

    def filter_low(self, items: QuerySet[StockItem], name: str, wanted: bool) -> QuerySet[StockItem]:
        low = queries.running_low()
        return low if wanted else items.exclude(pk__in=low)


class Then(serializers.Serializer):
    """A moment to look at."""

    as_of = serializers.DateTimeField(
        required=False, default_timezone=UTC, help_text="How it was at this moment, which has passed; without it, now."
    )

    def validate_as_of(self, moment: datetime) -> datetime:
        if moment > clock.now():
            raise serializers.ValidationError("Nobody knows yet how it will be then.", "in_the_future")
        return moment


class Stock(View):
    """All stock."""

    permission_classes = (staff_with("inventory.view_stockitem"),)
    queryset = StockItem.objects.all()
    filterset_class = StockFilter
    serializer_class = StockOutput
    orderings: ClassVar = ("sku", "-sku", "on_hand", "-on_hand")

    @extend_schema(responses=StockOutput(many=True))
    def get(self, request: Request) -> Response:
        """What lies on the shelves."""
        page = self.page_of(self.get_queryset())
        return self.get_paginated_response(StockOutput(page, many=True).data)


class OneStockItem(View):
    """The stock of one sku."""

    permission_classes = (staff_with("inventory.view_stockitem"),)
    serializer_class = StockOutput
    query_parameters = tuple(Then().fields)

    @extend_schema(responses=StockOutput, parameters=[Then, *READING])
    def get(self, request: Request, sku: str) -> Response:
        """How much there is of a sku, or was at a moment, and how much of that is promised."""
        then = Then(data=request.query_params.dict())
        then.is_valid(raise_exception=True)
        moment = then.validated_data.get("as_of")
        item = queries.stock_item_as_of(Sku(sku), moment) if moment else queries.stock_item(Sku(sku))
        return _represent(item, as_of=moment)


class Receipt(Input):
    """Goods that came in."""

    quantity = WholeNumber(min_value=1, max_value=MAX_QUANTITY)
    reference = Text(max_length=200, required=False, allow_blank=True, default="", help_text="Such as a delivery note.")


class Receipts(View):
    """Restocking."""

    permission_classes = (staff_with("inventory.change_stockitem"),)
    serializer_class = Receipt

    @extend_schema(request=Receipt, responses={201: StockOutput}, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, sku: str) -> Response:
        """Note goods that came in."""
        item = commands.receive_stock(Sku(sku), **self.valid(request), if_version=versions_expected(request))
        return _represent(item, status=201)


class Adjustment(Input):
    """What somebody counted."""

    delta = WholeNumber(min_value=-MAX_QUANTITY, max_value=MAX_QUANTITY, help_text="Not 0.")
    reason = Text(max_length=200)


class Adjustments(View):
    """Corrections."""

    permission_classes = (staff_with("inventory.change_stockitem"),)
    serializer_class = Adjustment

    @extend_schema(request=Adjustment, responses={201: StockOutput}, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, sku: str) -> Response:
        """Correct what is on hand; goods set aside for orders stay."""
        item = commands.adjust_stock(Sku(sku), **self.valid(request), if_version=versions_expected(request))
        return _represent(item, status=201)


def _represent(item: StockItem, as_of: datetime | None = None, **answer: Any) -> Response:
    return Response(StockOutput(item, context={"as_of": as_of}).data, headers=etag(item), **answer)
