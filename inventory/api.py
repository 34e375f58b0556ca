"""Inventory's REST API, for staff: read stock and its movements, record receipts, adjustments and inspections."""

from datetime import UTC, datetime
from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from integration.admin.viewer import name_of, name_users
from integration.domain import clock
from integration.domain.identifiers import Sku
from integration.rest.etags import CHANGING, READING, etag, versions_expected
from integration.rest.fields import Choice, Input, Text, WholeNumber
from integration.rest.filters import YesNoFilter
from integration.rest.idempotency import idempotent
from integration.rest.views import View, staff_with
from inventory import commands, queries
from inventory.models import MAX_QUANTITY, History, StockItem


class StockOutput(serializers.Serializer):
    """The stock of one SKU as of a moment: units on hand, reserved, available, and others in quarantine."""

    sku = serializers.CharField()
    on_hand = serializers.IntegerField()
    reserved = serializers.IntegerField()
    available = serializers.IntegerField()
    quarantined = serializers.IntegerField()
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


class Inspection(Input):
    """The result of an inspection: what becomes of units in quarantine."""

    quantity = WholeNumber(min_value=1, max_value=MAX_QUANTITY)
    to = Choice(("sellable", "written_off"), help_text="Whether the units are for sale again, or leave the stock.")
    reason = Text(max_length=200)


class Quarantine(View):
    """The quarantine of a SKU: units that were put aside to be looked at."""

    permission_classes = (staff_with("inventory.change_stockitem"),)
    serializer_class = Inspection

    @extend_schema(request=Inspection, responses={201: StockOutput}, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, sku: str) -> Response:
        """Put units in quarantine on sale again, or write them off."""
        found = self.valid(request)
        decide = commands.clear_stock if found["to"] == "sellable" else commands.write_off_stock
        item = decide(Sku(sku), found["quantity"], found["reason"], if_version=versions_expected(request))
        return _represent(item, status=201)


class MovementOutput(serializers.Serializer):
    """A movement of stock, with the units after it."""

    kind = serializers.ChoiceField(choices=sorted(queries.KINDS.values()))
    quantity = serializers.IntegerField(help_text="The units that moved; negative only if an adjustment removed units.")
    on_hand = serializers.IntegerField()
    reserved = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    reference = serializers.CharField(help_text="The order, the receipt's reference, or the reason.")
    by = serializers.SerializerMethodField(help_text="Who caused it.")
    at = serializers.DateTimeField()

    def get_by(self, movement: queries.Movement) -> str:
        return name_of(movement.by)


class MovementFilter(django_filters.FilterSet):
    """The list of movements has no filters."""


class Movements(View):
    """The ledger of the stock of one SKU."""

    permission_classes = (staff_with("inventory.view_stockitem"),)
    queryset = History.objects.all()
    filterset_class = MovementFilter
    serializer_class = MovementOutput
    orderings: ClassVar = ("-version", "version")
    unique_by = "version"

    @extend_schema(responses=MovementOutput(many=True))
    def get(self, request: Request, sku: str) -> Response:
        """List the movements of a SKU's stock, newest first."""
        item = queries.stock_item(Sku(sku))
        movements = queries.with_balances(Sku(sku), self.page_of(queries.movements_of(Sku(item.sku))))
        name_users(movement.by for movement in movements)
        return self.get_paginated_response(MovementOutput(movements, many=True).data)


def _represent(item: StockItem, as_of: datetime | None = None, **options: Any) -> Response:
    return Response(StockOutput(item, context={"as_of": as_of}).data, headers=etag(item), **options)
