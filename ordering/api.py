"""Ordering over REST: customers, products, orders. What may be sent and what comes back, and nothing of why."""

from typing import Any, ClassVar, cast

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS, AllowAny, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.throttling import ScopedRateThrottle

from integration.domain.errors import NotFound
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku
from integration.domain.metadata import join_story
from integration.rest.etags import CHANGING, ETAG, LOCATION, READING, etag, versions_expected
from integration.rest.fields import AddressField, Email, Input, MoneyField, Pattern, SkuField, Text, WholeNumber, YesNo
from integration.rest.filters import MomentFilter, YesNoFilter
from integration.rest.idempotency import idempotent
from integration.rest.views import View, is_staff_with, represent, staff_with
from ordering import commands, queries
from ordering.models import (
    MAX_LINES,
    MAX_QUANTITY,
    Availability,
    Buyer,
    CancellationReason,
    Order,
    OrderBoard,
    OrderStatus,
    PaymentStatus,
    Product,
    ShipmentStatus,
)

# --- Customers ---


class CustomerInput(Input):
    """A new customer."""

    username = Pattern(
        r"^[\w.@+-]+\Z",
        max_length=150,
        error_messages={"invalid": "A username is made of letters, digits and any of @ . + - _."},
    )
    password = Text(max_length=128, trim_whitespace=False)
    email = Email(max_length=254)
    name = Text(max_length=200)


class CustomerOutput(serializers.Serializer):
    """A customer, as they see themselves."""

    id = serializers.CharField()
    username = serializers.CharField(source="user.username")
    email = serializers.EmailField()
    name = serializers.CharField()


class Customers(View):
    """Register."""

    permission_classes = (AllowAny,)
    authentication_classes = ()
    serializer_class = CustomerInput
    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "customers"

    @extend_schema(request=CustomerInput, responses={201: CustomerOutput})
    @idempotent
    def post(self, request: Request) -> Response:
        """Register: from now on a user who can log in and order."""
        buyer = commands.register_customer(**self.valid(request))
        return Response(represent(CustomerOutput, buyer), status=201)


class PreferencesInput(Input):
    """How the buyer wants to be told."""

    locale = Text(max_length=10, required=False)
    email_notifications = YesNo(required=False)


class ProfileInput(Input):
    """What the buyer may change about themselves."""

    email = Email(max_length=254, required=False)
    name = Text(max_length=200, required=False)
    default_shipping_address = AddressField(required=False, allow_null=True)
    preferences = PreferencesInput(required=False)


class PreferencesOutput(serializers.Serializer):
    """How the buyer wants to be told."""

    locale = serializers.CharField()
    email_notifications = serializers.BooleanField()


class ProfileOutput(serializers.Serializer):
    """A buyer's profile."""

    email = serializers.EmailField()
    name = serializers.CharField()
    default_shipping_address = AddressField(allow_null=True)
    preferences = serializers.SerializerMethodField()

    @extend_schema_field(PreferencesOutput)
    def get_preferences(self, buyer: Buyer) -> dict[str, Any]:
        return {"locale": buyer.locale, "email_notifications": buyer.email_notifications}


class Me(View):
    """The buyer's own profile."""

    serializer_class = ProfileInput

    @extend_schema(responses=ProfileOutput, parameters=READING)
    def get(self, request: Request) -> Response:
        """The profile of whoever asks."""
        return self._represent(self._buyer())

    @extend_schema(request=ProfileInput, responses=ProfileOutput, parameters=CHANGING)
    def patch(self, request: Request) -> Response:
        """Change some of the profile; what is not named stays, among the preferences too."""
        changes = self.valid(request)
        changes.update(changes.pop("preferences", {}))
        buyer = commands.change_profile(BuyerId(self._buyer().id), changes, versions_expected(request))
        return self._represent(buyer)

    def _buyer(self) -> Buyer:
        """Whoever asks; a user who never registered here, such as one of the staff, becomes a buyer by asking."""
        caller = _caller(self.request)
        try:
            return queries.buyer(caller)
        except NotFound:
            commands.register_buyer_if_new(caller, user=self.request.user.pk)
            return queries.buyer(caller)

    def _represent(self, buyer: Buyer) -> Response:
        return Response(represent(ProfileOutput, buyer), headers=etag(buyer))


# --- Products ---


class ProductInput(Input):
    """A product to offer."""

    sku = SkuField()
    name = Text(max_length=200)
    description = Text(max_length=5_000, allow_blank=True, default="")
    price = MoneyField()


class ProductChanges(Input):
    """What may be changed about a product."""

    name = Text(max_length=200, required=False)
    description = Text(max_length=5_000, allow_blank=True, required=False)
    price = MoneyField(required=False)
    on_sale = YesNo(required=False)


class ProductOutput(serializers.Serializer):
    """A product, as everybody sees it."""

    sku = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    price = MoneyField()
    availability = serializers.ChoiceField(choices=Availability.choices)
    on_sale = serializers.BooleanField()


class ProductFilter(django_filters.FilterSet):
    """Which products to list."""

    search = django_filters.CharFilter(
        method="filter_search", max_length=200, help_text="All these words are in the name, description or sku."
    )
    in_stock = YesNoFilter(method="filter_in_stock")

    def filter_search(self, products: QuerySet[Product], name: str, words: str) -> QuerySet[Product]:
        return queries.search_products(products, words)

    def filter_in_stock(self, products: QuerySet[Product], name: str, wanted: bool) -> QuerySet[Product]:
        out = Availability.OUT_OF_STOCK
        return products.exclude(availability=out) if wanted else products.filter(availability=out)


class Products(View):
    """All that is for sale."""

    filterset_class = ProductFilter
    serializer_class = ProductInput
    orderings: ClassVar = ("sku", "-sku", "name", "-name", "created_at", "-created_at")

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method in SAFE_METHODS else staff_with("ordering.add_product")()]

    def get_queryset(self) -> QuerySet[Product]:
        return queries.products()

    @extend_schema(responses=ProductOutput(many=True))
    def get(self, request: Request) -> Response:
        """Products for sale."""
        page = self.page_of(self.get_queryset())
        return self.get_paginated_response(ProductOutput(page, many=True).data)

    @extend_schema(request=ProductInput, responses={201: ProductOutput}, parameters=[ETAG, LOCATION])
    @idempotent
    def post(self, request: Request) -> Response:
        """Offer a new product (staff)."""
        product = commands.list_product(**self.valid(request))
        location = reverse("product", [product.sku], request=request)
        return Response(represent(ProductOutput, product), status=201, headers={**etag(product), "Location": location})


class OneProduct(View):
    """One product."""

    serializer_class = ProductChanges

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method in SAFE_METHODS else staff_with("ordering.change_product")()]

    @extend_schema(responses=ProductOutput, parameters=READING)
    def get(self, request: Request, sku: str) -> Response:
        """A product, on sale or not."""
        product = queries.product(Sku(sku))
        return Response(represent(ProductOutput, product), headers=etag(product))

    @extend_schema(request=ProductChanges, responses=ProductOutput, parameters=CHANGING)
    def patch(self, request: Request, sku: str) -> Response:
        """Offer a product differently from now on (staff)."""
        product = commands.change_product(Sku(sku), self.valid(request), versions_expected(request))
        return Response(represent(ProductOutput, product), headers=etag(product))


# --- Orders ---


class LineInput(Input):
    """So many of one product."""

    sku = SkuField()
    quantity = WholeNumber(min_value=1, max_value=MAX_QUANTITY)


class OrderInput(Input):
    """An order; never a price."""

    lines = LineInput(many=True, allow_empty=False, max_length=MAX_LINES)  # type: ignore[call-arg]  # of the list
    shipping_address = AddressField()
    payment_method = Text(max_length=80, help_text="Such as pm_card_visa, a test name of the sandbox.")


class LineOutput(serializers.Serializer):
    """One line of an order."""

    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = MoneyField()
    total = MoneyField()
    shipped = serializers.IntegerField()


class PaymentOutput(serializers.Serializer):
    """How an order is paid."""

    status = serializers.ChoiceField(choices=PaymentStatus.choices, source="payment_status")
    method = serializers.CharField(source="payment_method")
    paid = MoneyField()
    refunded = MoneyField()


class OrderShipment(serializers.Serializer):
    """What was sent of an order."""

    id = serializers.CharField()
    status = serializers.CharField()
    carrier = serializers.CharField()
    tracking_number = serializers.CharField()


class OrderOutput(serializers.Serializer):
    """An order, as the aggregate or its row on the order board tells it."""

    number = serializers.CharField()
    status = serializers.ChoiceField(choices=OrderStatus.choices)
    cancellation_reason = serializers.SerializerMethodField()
    lines = LineOutput(many=True)
    subtotal = MoneyField()
    discount = MoneyField()
    total = MoneyField()
    shipping_address = AddressField()
    payment = PaymentOutput(source="*")
    shipments = OrderShipment(many=True)
    placed_at = serializers.DateTimeField(source="created_at")
    updated_at = serializers.DateTimeField()

    @extend_schema_field(serializers.ChoiceField(choices=CancellationReason.choices, allow_null=True))
    def get_cancellation_reason(self, order: Order | OrderBoard) -> str | None:
        return order.cancellation_reason or None


class OrderFilter(django_filters.FilterSet):
    """Which orders to list."""

    status = django_filters.ChoiceFilter(choices=OrderStatus.choices)
    payment_status = django_filters.ChoiceFilter(choices=PaymentStatus.choices)
    shipment_status = django_filters.ChoiceFilter(choices=ShipmentStatus.choices)
    placed_after = MomentFilter(field_name="created_at", lookup_expr="gte", help_text="At this moment or after.")
    placed_before = MomentFilter(field_name="created_at", lookup_expr="lt", help_text="Before this moment.")
    buyer = django_filters.CharFilter(help_text="Staff only.")


class OrderView(View):
    """A view of orders: a buyer's own, or for staff everyone's."""

    queryset: QuerySet[Any] = Order.objects.none()

    def get_queryset(self) -> QuerySet[Order]:
        if self.sees_all:
            return Order.objects.all()
        return queries.orders_of(_caller(self.request))

    @property
    def sees_all(self) -> bool:
        return is_staff_with(self.request.user, "ordering.view_order")

    def order(self, number: str) -> Order:
        """The order, if it is one that whoever asks may see, and its story from here on; raises `NotFound`."""
        order = queries.order(OrderNumber(number), self.get_queryset())
        join_story(order.correlation_id)
        return order


class Orders(OrderView):
    """Orders; the list is read from the order board."""

    queryset: QuerySet[Any] = OrderBoard.objects.none()
    filterset_class = OrderFilter
    serializer_class = OrderInput
    unique_by = "number"

    @extend_schema(responses=OrderOutput(many=True))
    def get(self, request: Request) -> Response:
        """The caller's orders, newest first; staff see everyone's."""
        board = queries.order_board()
        page = self.page_of(board if self.sees_all else board.filter(buyer=_caller(request)))
        return self.get_paginated_response(OrderOutput(page, many=True).data)

    @extend_schema(request=OrderInput, responses={201: OrderOutput}, parameters=[ETAG, LOCATION])
    @idempotent
    def post(self, request: Request) -> Response:
        """Place an order, at today's prices."""
        wanted = self.valid(request)
        order = commands.place_order(
            _caller(request),
            [(Sku(line["sku"]), line["quantity"]) for line in wanted["lines"]],
            wanted["shipping_address"],
            PaymentMethodId(wanted["payment_method"]),
        )
        location = reverse("order", [order.number], request=request)
        return Response(represent(OrderOutput, order), status=201, headers={**etag(order), "Location": location})


class OneOrder(OrderView):
    """One order."""

    @extend_schema(responses=OrderOutput, parameters=READING)
    def get(self, request: Request, number: str) -> Response:
        """An order."""
        order = self.order(number)
        return Response(represent(OrderOutput, order), headers=etag(order))


class TimelineEntry(serializers.Serializer):
    """One event of an order's story."""

    event_id = serializers.UUIDField(source="id")
    type = serializers.CharField(source="name")
    context = serializers.CharField()  # type: ignore[assignment]  # the name stands in the contract
    occurred_at = serializers.DateTimeField()
    causation_id = serializers.UUIDField(allow_null=True)
    summary = serializers.CharField()


class Timeline(OrderView):
    """An order's story."""

    pagination_class = None

    @extend_schema(responses=TimelineEntry(many=True), parameters=READING)
    def get(self, request: Request, number: str) -> Response:
        """Every event of the order's story, in all contexts, each after its cause."""
        entries = queries.timeline(self.order(number))
        tag = f'"{len(entries)}-{entries[-1].id.hex}"'
        return Response(TimelineEntry(entries, many=True).data, headers={"ETag": tag})


class Cancellation(Input):
    """Why the order is no longer wanted."""

    reason = Text(max_length=500, required=False, allow_blank=True, default="")


class MayCancel(BasePermission):
    """The buyer, or staff who may change orders."""

    message = "This takes staff with the permission ordering.change_order."

    def has_object_permission(self, request: Request, view: Any, order: Order) -> bool:
        return order.buyer_id == _caller(request) or is_staff_with(request.user, "ordering.change_order")


class Cancel(OrderView):
    """Cancel an order."""

    permission_classes = (IsAuthenticated, MayCancel)
    serializer_class = Cancellation

    @extend_schema(request=Cancellation, responses={202: OrderOutput}, parameters=CHANGING)
    @idempotent
    def post(self, request: Request, number: str) -> Response:
        """Ask for an order to be cancelled; once it is confirmed, that depends on whether its goods have left."""
        wanted = self.valid(request)
        seen = self.order(number)
        self.check_object_permissions(request, seen)
        own = seen.buyer_id == _caller(request)
        reason = CancellationReason.BY_BUYER if own else CancellationReason.BY_OPERATOR
        order = commands.cancel_order(OrderNumber(number), reason, wanted["reason"], versions_expected(request))
        return Response(represent(OrderOutput, order), status=202, headers=etag(order))


def _caller(request: Request) -> BuyerId:
    """The buyer whoever asks is."""
    return commands.buyer_of_user(cast(int, request.user.pk))
