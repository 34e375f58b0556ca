"""What clients send to place an order."""

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from integration.rest.fields import (
    AddressField,
    AddressForStaffField,
    CodeField,
    Input,
    MoneyField,
    Text,
)
from integration.rest.lines import lines_of
from ordering import commands


class OrderInput(Input):
    """An order to place. It has no prices: the server uses the current prices of the products."""

    lines = lines_of()
    shipping_address = AddressField()
    payment_method = Text(
        max_length=80,
        required=False,
        help_text="For example pm_card_visa, a test payment method of the sandbox. Optional at a total of zero.",
    )
    shipping_option = Text(
        max_length=40, required=False, help_text="The identifier of a shipping option; by default the cheapest."
    )
    vouchers = serializers.ListField(
        child=CodeField(),
        required=False,
        max_length=commands.MAX_VOUCHERS,
        help_text="The codes of vouchers. If one does not apply, the order is not placed (409).",
    )
    expected_total = MoneyField(
        required=False, help_text="What the buyer was shown. If the order costs something else, it is not placed (409)."
    )


@extend_schema_serializer(component_name="Order")  # the document shows what staff may send
class OrderByStaffInput(OrderInput):
    """An order to place. It has no prices: the server uses the current prices of the products."""

    shipping_address = AddressForStaffField()
