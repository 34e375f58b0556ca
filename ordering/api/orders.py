"""REST views of orders: list orders, place an order, retrieve an order."""

from collections.abc import Sequence
from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from integration.domain.identifiers import OrderNumber, PaymentMethodId, Sku
from integration.domain.metadata import join_story
from integration.rest.etags import ETAG, LOCATION, READING, etag
from integration.rest.fields import (
    AddressField,
    MoneyField,
    WarningOutput,
    address_warnings,
)
from integration.rest.filters import MomentFilter, UpdatedAfter, YesNoFilter
from integration.rest.guests import FOR_GUESTS
from integration.rest.idempotency import idempotent
from integration.rest.views import View, is_staff_with, represent
from ordering import commands, queries
from ordering.api.caller import caller, own_orders
from ordering.api.order_input import OrderByStaffInput, OrderInput
from ordering.api.order_payment import PaymentOutput
from ordering.api.order_requests import HoldOutput, LinesCancellationOutput
from ordering.api.order_status import (
    OrderStatusField,
    OrderStatusFilter,
    PaymentStatusFilter,
    ShipmentStatusField,
    ShipmentStatusFilter,
)
from ordering.gateways.payments import payments
from ordering.models import (
    CancellationReason,
    Order,
    OrderBoard,
    OrderStatus,
    PaymentStatus,
)


class LineOutput(serializers.Serializer):
    """One line of an order."""

    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = MoneyField()
    subtotal = MoneyField()
    discount = MoneyField()
    tax = MoneyField()
    tax_rate = serializers.DecimalField(max_digits=8, decimal_places=3, normalize_output=True)
    total = MoneyField()
    cancelled = serializers.IntegerField()
    shipped = serializers.IntegerField()
    delivered = serializers.IntegerField(default=0)
    returned = serializers.IntegerField()
    lost = serializers.IntegerField()


class DiscountOutput(serializers.Serializer):
    """A discount of an order."""

    code = serializers.CharField()
    name = serializers.CharField()
    amount = MoneyField()


class TaxOutput(serializers.Serializer):
    """The tax of an order at one rate in percent."""

    rate = serializers.DecimalField(max_digits=8, decimal_places=3, normalize_output=True)
    amount = MoneyField()


class ShippingOutput(serializers.Serializer):
    """Shipping as a line of an order."""

    option = serializers.CharField()
    name = serializers.CharField()
    price = MoneyField()
    discount = MoneyField()
    tax = MoneyField()
    total = MoneyField()


class OrderShipmentLine(serializers.Serializer):
    """A quantity of one product in a shipment of an order."""

    sku = serializers.CharField()
    quantity = serializers.IntegerField()


class OrderShipment(serializers.Serializer):
    """A shipment of an order. What a person decided about one that is lost or came back is its `resolution`."""

    id = serializers.CharField()
    status = ShipmentStatusField()
    carrier = serializers.CharField()
    tracking_number = serializers.CharField()
    tracking_url = serializers.CharField(default=None, allow_null=True)
    resolution = serializers.ChoiceField(choices=["refund", "send_again"], default=None, allow_null=True)
    replaced_by = serializers.CharField(default=None, allow_null=True)
    lines = OrderShipmentLine(many=True)


class OrderReturn(serializers.Serializer):
    """A return of goods of an order."""

    id = serializers.CharField()
    status = serializers.CharField()


class OrderWithdrawal(serializers.Serializer):
    """A buyer's withdrawal from an order. It is settled once everything is cancelled or came back."""

    id = serializers.CharField()
    status = serializers.CharField()
    declared_at = serializers.DateTimeField()
    refund_due_at = serializers.DateTimeField()
    lines = OrderShipmentLine(many=True)


class CancellationRefusal(serializers.Serializer):
    """A requested cancellation that was refused, because the goods had left before it could take effect."""

    reason = serializers.ChoiceField(choices=["already_shipped"])
    refused_at = serializers.DateTimeField()


class OrderOutput(serializers.Serializer):
    """An order, read from its aggregate or from its row on the order board."""

    number = serializers.CharField()
    status = OrderStatusField()
    cancellation_reason = serializers.SerializerMethodField()
    cancellation_refusal = CancellationRefusal(
        required=False, help_text="The last cancellation that was requested and refused. It is left out if none was."
    )
    lines = LineOutput(many=True, source="shown_lines")
    subtotal = MoneyField()
    discounts = DiscountOutput(many=True)
    discount = MoneyField()
    shipping = ShippingOutput(allow_null=True)
    tax = MoneyField()
    taxes = TaxOutput(many=True)
    total = MoneyField()
    prices_include_tax = serializers.BooleanField()
    shipping_address = AddressField()
    warnings = serializers.SerializerMethodField()
    cancellations = LinesCancellationOutput(many=True, help_text="The cancellations of some lines, pending ones too.")
    holds = HoldOutput(many=True)
    payment = PaymentOutput(source="*")
    shipments = OrderShipment(many=True, source="parcels")
    replaces = serializers.SerializerMethodField()
    returns = OrderReturn(many=True)
    withdrawals = OrderWithdrawal(many=True)
    placed_at = serializers.DateTimeField(source="created_at")
    updated_at = serializers.DateTimeField()

    def to_representation(self, order: Order | OrderBoard) -> Any:
        shown, delivered = super().to_representation(order), order.delivered
        for line in shown["lines"]:
            line["delivered"] = delivered.get(line["sku"], 0)
            if order.status == OrderStatus.CANCELLED:
                line["cancelled"] = line["quantity"]
        return shown

    @extend_schema_field(WarningOutput(many=True))
    def get_warnings(self, order: Order | OrderBoard) -> list[dict[str, str]]:
        return address_warnings(order.shipping_address, "#/shipping_address")

    @extend_schema_field(serializers.ChoiceField(choices=CancellationReason.choices, allow_null=True))
    def get_cancellation_reason(self, order: Order | OrderBoard) -> str | None:
        return order.cancellation_reason or None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_replaces(self, order: Order | OrderBoard) -> str | None:
        return order.replaces or None


def represent_orders(orders: Sequence[Order | OrderBoard]) -> list[dict[str, Any]]:
    """Serialize orders, with the refusals of their cancellations, which take one query for all orders.

    If payments need something of the buyer, that takes another one.
    """
    refusals = queries.refused_cancellations(orders)
    acting = [OrderNumber(order.number) for order in orders if order.payment_status == PaymentStatus.ACTION_REQUIRED]
    actions = payments().next_actions(acting) if acting else {}
    for order in orders:
        vars(order)["next_action"] = actions.get(OrderNumber(order.number))
        if order.number in refusals:
            refusal = {"reason": "already_shipped", "refused_at": refusals[order.number]}
            vars(order)["cancellation_refusal"] = refusal
    return [represent(OrderOutput, order) for order in orders]


class OrderFilter(django_filters.FilterSet):
    """Filters of the order list."""

    status = OrderStatusFilter()
    payment_status = PaymentStatusFilter()
    shipment_status = ShipmentStatusFilter()
    placed_after = MomentFilter(
        field_name="created_at", lookup_expr="gte", help_text="Orders placed at this moment or later."
    )
    placed_before = MomentFilter(field_name="created_at", lookup_expr="lt", help_text="Placed before this moment.")
    updated_after = UpdatedAfter()
    buyer = django_filters.CharFilter(help_text="Orders of this buyer. For staff only.")
    needs_human = YesNoFilter(help_text="Orders about which a person has to decide. For staff only.")


class OrderView(View):
    """A base view of orders: a buyer sees their own orders, staff with permission see all orders."""

    queryset: QuerySet[Any] = Order.objects.none()

    def get_queryset(self) -> QuerySet[Order]:
        if self.sees_all:
            return Order.objects.all()
        return own_orders(self.request)

    @property
    def sees_all(self) -> bool:
        return is_staff_with(self.request.user, "ordering.view_order")

    def order(self, number: str) -> Order:
        """An order that the caller may see; raises `NotFound` for any other.

        The request joins the order's story: from here on it uses the order's correlation ID.
        """
        order = queries.order(OrderNumber(number), self.get_queryset())
        join_story(order.correlation_id)
        return order


class Orders(OrderView):
    """The list of orders, which is read from the order board."""

    queryset: QuerySet[Any] = OrderBoard.objects.none()
    filterset_class = OrderFilter
    serializer_class = OrderInput
    unique_by = "number"

    @extend_schema(responses=OrderOutput(many=True))
    def get(self, request: Request) -> Response:
        """List the caller's orders, newest first; staff see all orders."""
        board = queries.order_board()
        page = self.page_of(board if self.sees_all else board.filter(buyer=caller(request)))
        return self.get_paginated_response(represent_orders(page))

    def get_serializer_class(self) -> type[OrderInput]:
        by_staff = is_staff_with(self.request.user, "ordering.change_order")
        return OrderByStaffInput if by_staff else OrderInput

    @extend_schema(request=OrderByStaffInput, responses={201: OrderOutput}, parameters=[ETAG, LOCATION])
    @idempotent
    def post(self, request: Request) -> Response:
        """Place an order at current prices."""
        data = self.valid(request)
        order = commands.place_order(
            caller(request),
            [(Sku(line["sku"]), line["quantity"]) for line in data["lines"]],
            data["shipping_address"],
            PaymentMethodId(data["payment_method"]) if "payment_method" in data else None,
            shipping_option=data.get("shipping_option"),
            vouchers=data.get("vouchers", ()),
            expected_total=data.get("expected_total"),
        )
        location = reverse("order", [order.number], request=request)
        return Response(represent(OrderOutput, order), status=201, headers={**etag(order), "Location": location})


class OneOrder(OrderView):
    """One order."""

    authentication_classes = FOR_GUESTS

    @extend_schema(responses=OrderOutput, parameters=READING)
    def get(self, request: Request, number: str) -> Response:
        """Retrieve an order."""
        order = self.order(number)
        return Response(represent_orders([order])[0], headers=etag(order))
