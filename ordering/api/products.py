"""REST views of products: everyone may list and retrieve products, staff may add and change them."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from integration.domain.identifiers import Sku
from integration.rest.etags import CHANGING, ETAG, LOCATION, READING, etag, versions_expected
from integration.rest.fields import Choice, Input, MoneyField, SkuField, Text, WholeNumber, YesNo
from integration.rest.filters import YesNoFilter
from integration.rest.idempotency import idempotent
from integration.rest.views import View, represent, staff_with
from ordering import commands, queries
from ordering.models import MAX_WEIGHT_G, Availability, Product, TaxClass
from ordering.queries.lowest_prices import show_lowest_prices


class ProductInput(Input):
    """A product to add."""

    sku = SkuField()
    name = Text(max_length=200)
    description = Text(max_length=5_000, allow_blank=True, default="")
    price = MoneyField()
    tax_class = Choice(TaxClass.choices, default=TaxClass.STANDARD)
    weight_g = WholeNumber(min_value=0, max_value=MAX_WEIGHT_G, default=0)
    withdrawal_exempt = YesNo(default=False)


class ProductChanges(Input):
    """Changes to a product; a field that is left out stays as it is."""

    name = Text(max_length=200, required=False)
    description = Text(max_length=5_000, allow_blank=True, required=False)
    price = MoneyField(required=False)
    on_sale = YesNo(required=False)
    tax_class = Choice(TaxClass.choices, required=False)
    weight_g = WholeNumber(min_value=0, max_value=MAX_WEIGHT_G, required=False)
    withdrawal_exempt = YesNo(required=False)


class ProductOutput(serializers.Serializer):
    """A product, as shown to everyone."""

    sku = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    price = MoneyField()
    availability = serializers.ChoiceField(choices=Availability.choices)
    on_sale = serializers.BooleanField()
    tax_class = serializers.ChoiceField(choices=TaxClass.choices)
    weight_g = serializers.IntegerField(help_text="The weight of a unit in grams.")
    lowest_price_30d = MoneyField(
        allow_null=True,
        help_text="The lowest price in the 30 days before the current reduction; null without a reduction.",
    )
    withdrawal_exempt = serializers.BooleanField(help_text="Whether buyers cannot withdraw from buying it.")


def _respond(product: Product, status: int = 200, **headers: str) -> Response:
    show_lowest_prices([product])
    return Response(represent(ProductOutput, product), status=status, headers={**etag(product), **headers})


class ProductFilter(django_filters.FilterSet):
    """Filters of the product list."""

    search = django_filters.CharFilter(
        method="filter_search", max_length=200, help_text="Each of these words occurs in the name, description or SKU."
    )
    in_stock = YesNoFilter(method="filter_in_stock")

    def filter_search(self, products: QuerySet[Product], name: str, words: str) -> QuerySet[Product]:
        return queries.search_products(products, words)

    def filter_in_stock(self, products: QuerySet[Product], name: str, wanted: bool) -> QuerySet[Product]:
        out = Availability.OUT_OF_STOCK
        return products.exclude(availability=out) if wanted else products.filter(availability=out)


class Products(View):
    """The list of products for sale."""

    filterset_class = ProductFilter
    serializer_class = ProductInput
    orderings: ClassVar = ("sku", "-sku", "name", "-name", "created_at", "-created_at")

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method in SAFE_METHODS else staff_with("ordering.add_product")()]

    def get_queryset(self) -> QuerySet[Product]:
        return queries.products()

    @extend_schema(responses=ProductOutput(many=True))
    def get(self, request: Request) -> Response:
        """List the products for sale."""
        page = self.page_of(self.get_queryset())
        show_lowest_prices(page)
        return self.get_paginated_response(ProductOutput(page, many=True).data)

    @extend_schema(request=ProductInput, responses={201: ProductOutput}, parameters=[ETAG, LOCATION])
    @idempotent
    def post(self, request: Request) -> Response:
        """Add a new product (staff)."""
        product = commands.list_product(**self.valid(request))
        location = reverse("product", [product.sku], request=request)
        return _respond(product, 201, Location=location)


class OneProduct(View):
    """One product."""

    serializer_class = ProductChanges

    def get_permissions(self) -> list[Any]:
        return [AllowAny() if self.request.method in SAFE_METHODS else staff_with("ordering.change_product")()]

    @extend_schema(responses=ProductOutput, parameters=READING)
    def get(self, request: Request, sku: str) -> Response:
        """Retrieve a product, whether it is on sale or not."""
        product = queries.product(Sku(sku))
        return _respond(product)

    @extend_schema(request=ProductChanges, responses=ProductOutput, parameters=CHANGING)
    def patch(self, request: Request, sku: str) -> Response:
        """Change a product (staff).

        Orders that are placed already keep their prices.
        """
        product = commands.change_product(Sku(sku), self.valid(request), versions_expected(request))
        return _respond(product)
