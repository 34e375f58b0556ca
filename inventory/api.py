"""Inventory's REST API, for staff: read stock, record receipts and adjustments."""

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
    """The stock of one SKU: units on hand, reserved and available, as of a moment."""

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
    """Filters of the stock list."""

    low = YesNoFilter(method="filter_low", help_text="Whether the available units are at or below the reorder point.")

    def filter_low(self, items: QuerySet[StockItem], name: str, wanted: bool) -> QuerySet[StockItem]:
        low = queries.running_low()
        return low if wanted else items.exclude(pk__in=low)


class StockItemQuery(serializers.Serializer):
    """Query parameters of one stock item."""

    as_of = serializers.DateTimeField(
        required=False,
        default_timezone=UTC,
        help_text="Show the stock as it was at this moment. Must not be in the future. Default: now.",
    )

    def validate_as_of(self, moment: datetime) -> datetime:
        if moment > clock.now():
            raise serializers.ValidationError(
                "This moment is in the future. Give one that has passed.", "in_the_future"
            )
        return moment


class Stock(View):
    """The list of stock."""

    permission_classes = (staff_with("inventory.view_stockitem"),)
    queryset = StockItem.objects.all()
    filterset_class = StockFilter
    serializer_class = StockOutput
    orderings: ClassVar = ("sku", "-sku", "on_hand", "-on_hand")

    @extend_schema(responses=StockOutput(many=True))
    def get(self, request: Request) -> Response:
        """List stock."""
        page = self.page_of(self.get_queryset())
        return self.get_paginated_response(StockOutput(page, many=True).data)


class OneStockItem(View):
    """The stock of one SKU."""

    permission_classes = (staff_with("inventory.view_stockitem"),)
    serializer_class = StockOutput
    query_parameters = tuple(StockItemQuery().fields)

    @extend_schema(responses=StockOutput, parameters=[StockItemQuery, *READING])
    def get(self, request: Request, sku: str) -> Response:
        """Retrieve the stock of a SKU, now or as of a past moment."""
        query = StockItemQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        moment = query.validated_data.get("as_of")
        item = queries.stock_item_as_of(Sku(sku), moment) if moment else queries.stock_item(Sku(sku))
        return _represent(item, as_of=moment)


class Receipt(Input):
    """A receipt of goods."""

    quantity = WholeNumber(min_value=1, max_value=MAX_QUANTITY)
    reference = Text(
        max_length=200,
        required=False,
        allow_blank=True,
        default="",
        help_text="For example, a delivery note number.",
    )


class Receipts(View):
    """Receipts of goods for a SKU."""

    permission_classes = (staff_with("inventory.change_stockitem"),)
    serializer_class = Receipt

    @extend_schema(request=Receipt, responses={201: StockOutput}, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, sku: str) -> Response:
        """Record a receipt of goods."""
        item = commands.receive_stock(Sku(sku), **self.valid(request), if_version=versions_expected(request))
        return _represent(item, status=201)


class Adjustment(Input):
    """A correction of the units on hand."""

    delta = WholeNumber(
        min_value=-MAX_QUANTITY, max_value=MAX_QUANTITY, help_text="Units to add; negative to remove. Must not be 0."
    )
    reason = Text(max_length=200)


class Adjustments(View):
    """Adjustments of the stock of a SKU."""

    permission_classes = (staff_with("inventory.change_stockitem"),)
    serializer_class = Adjustment

    @extend_schema(request=Adjustment, responses={201: StockOutput}, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, sku: str) -> Response:
        """Adjust the units on hand. Units reserved for orders cannot be removed."""
        item = commands.adjust_stock(Sku(sku), **self.valid(request), if_version=versions_expected(request))
        return _represent(item, status=201)


def _represent(item: StockItem, as_of: datetime | None = None, **options: Any) -> Response:
    return Response(StockOutput(item, context={"as_of": as_of}).data, headers=etag(item), **options)
