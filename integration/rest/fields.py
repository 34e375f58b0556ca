"""Input is taken at its word: a string is a string, a number a number, and a field nobody asked for an error."""

from decimal import Decimal
from typing import Any

from iso3166 import countries_by_alpha2
from rest_framework import serializers

from integration.domain.address import LONGEST, Address
from integration.domain.errors import DomainError
from integration.domain.identifiers import SKU_PATTERN
from integration.domain.money import Money


class WholeNumber(serializers.IntegerField):
    """A JSON number without a fraction; no string, no boolean."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A JSON string; no number."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class SkuField(serializers.RegexField):
    """A sku: capital letters, digits and a few marks, at most 40."""

    default_error_messages = {"invalid": "A sku is 1 to 40 capital letters, digits, or any of . _ -."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(SKU_PATTERN, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Input(serializers.Serializer):
    """What a client may send: exactly these fields."""

    default_error_messages = {"unknown_field": "There is no such field here."}

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        errors: dict[str, Any] = {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail) if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        for field in sorted(unknown):
            message = str(self.error_messages["unknown_field"])
            errors[field] = [serializers.ErrorDetail(message, code="unknown_field")]
        if errors:
            raise serializers.ValidationError(errors)
        return value


class MoneyField(Input):
    """An amount as a decimal string, and its ISO 4217 currency."""

    amount = Text(max_length=20, help_text="A decimal string, such as 19.90.")
    currency = Text(min_length=3, max_length=3, help_text="ISO 4217")

    def validate_amount(self, amount: str) -> Decimal:
        if not amount.isascii() or not amount.replace(".", "", 1).isdigit():
            raise serializers.ValidationError("An amount is a decimal string, such as 19.90.", "invalid")
        return Decimal(amount)

    def validate(self, attrs: dict[str, Any]) -> Any:
        try:
            return Money(attrs["amount"], attrs["currency"])
        except DomainError as error:
            raise serializers.ValidationError(error.detail, error.code) from None

    def to_representation(self, money: Money) -> dict[str, str]:
        return {"amount": str(money.amount), "currency": money.currency}


class AddressField(Input):
    """Where to send something."""

    recipient = Text(max_length=LONGEST["recipient"])
    street = Text(max_length=LONGEST["street"])
    city = Text(max_length=LONGEST["city"])
    postal_code = Text(max_length=LONGEST["postal_code"])
    country = Text(help_text="ISO 3166-1 alpha-2")

    def validate_country(self, country: str) -> str:
        if country not in countries_by_alpha2:
            raise serializers.ValidationError("This is no country of ISO 3166 (alpha-2).", "unknown_country")
        return country

    def validate(self, attrs: dict[str, Any]) -> Any:
        return Address(**attrs)

    def to_representation(self, address: Any) -> dict[str, str]:
        return dict(address)
