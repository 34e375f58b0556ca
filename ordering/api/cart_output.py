"""How the API shows a cart, and the tag of what it shows."""

import json
import re
from typing import Any
from zlib import crc32

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from integration.rest.fields import AddressField, MoneyField, WarningOutput, address_warnings
from ordering.api.orders import DiscountOutput, ShippingOutput, TaxOutput
from ordering.commands.cart_prices import NOT_ON_SALE, PricedCart
from ordering.models import Availability, Cart, CartStatus


class CartLineOutput(serializers.Serializer):
    """A line of a cart."""

    sku = serializers.CharField()
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    unit_price = MoneyField()
    subtotal = MoneyField()
    discount = MoneyField()
    tax = MoneyField()
    tax_rate = serializers.DecimalField(max_digits=8, decimal_places=3, normalize_output=True)
    total = MoneyField()
    availability = serializers.ChoiceField(choices=[*Availability.choices, (NOT_ON_SALE, NOT_ON_SALE)])


class CartVoucherOutput(serializers.Serializer):
    """A voucher that a cart names."""

    code = serializers.CharField()
    applied = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True)


class ShippingOptionOutput(serializers.Serializer):
    """A shipping option that the shop offers for a cart."""

    id = serializers.CharField(source="option")
    name = serializers.CharField()
    price = MoneyField()


class CartOutput(serializers.Serializer):
    """A cart at today's prices. Without an address it has no shipping and no tax."""

    id = serializers.CharField(source="cart.id")
    token = serializers.CharField(required=False, help_text="Guests only, and only when it is opened.")
    status = serializers.ChoiceField(choices=CartStatus.choices, source="cart.status")
    lines = CartLineOutput(many=True)
    vouchers = CartVoucherOutput(many=True)
    shipping_address = AddressField(source="cart.shipping_address", allow_null=True)
    shipping_option = serializers.CharField(allow_null=True)
    shipping_options = ShippingOptionOutput(many=True, source="priced.offers")
    subtotal = MoneyField(source="priced.subtotal")
    discounts = DiscountOutput(many=True, source="priced.discounts")
    discount = MoneyField(source="priced.discount")
    shipping = ShippingOutput(source="priced.shipping", allow_null=True)
    tax = MoneyField(source="priced.tax")
    taxes = TaxOutput(many=True, source="priced.taxes")
    total = MoneyField(source="priced.total")
    prices_include_tax = serializers.BooleanField(source="priced.prices_include_tax")
    warnings = serializers.SerializerMethodField()

    @extend_schema_field(WarningOutput(many=True))
    def get_warnings(self, shown: PricedCart) -> list[dict[str, str]]:
        of_address = address_warnings(shown.cart.shipping_address, "#/shipping_address")
        return [*(warning._asdict() for warning in shown.warnings), *of_address]


def cart_tag(cart: Cart, shown: Any) -> dict[str, str]:
    """The `ETag` header of a cart: its version, and a sum of what is shown, because prices change without the cart."""
    return {"ETag": f'"{cart.version}-{crc32(json.dumps(shown).encode()):x}"'}


def tagged_versions(request: Request) -> set[int] | None:
    """The versions of a cart that `If-Match` accepts; None accepts any."""
    wanted = request.headers.get("If-Match")
    if wanted is None or wanted.strip() == "*":
        return None
    return {int(tag) for tag in re.findall(r'(?:^|,)\s*"([0-9]{1,9})-[0-9a-f]{1,8}"\s*(?=,|$)', wanted)}
