"""Input is taken at its word: a string is a string, a number a number, and a field nobody asked for an error."""

from decimal import Decimal
from typing import Any

from iso3166 import countries_by_alpha2
from rest_framework import serializers

from integration.domain.address import LONGEST, Address
from integration.domain.errors import DomainError
from integration.domain.identifiers import SKU_PATTERN
from integration.domain.money import Money, decimal_places

MOST_UNKNOWN = 20
"""As many fields that are not there are named: a body of nothing else must not become an answer many times its size."""


class _OnlyStrings(serializers.Field):
    """Takes JSON strings, where REST framework's fields take numbers too."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            raise serializers.ValidationError("This must be a string.", "invalid")
        return super().to_internal_value(data)


class Text(_OnlyStrings, serializers.CharField):
    """A JSON string."""


class Pattern(_OnlyStrings, serializers.RegexField):
    """A JSON string of a certain form."""


class Email(_OnlyStrings, serializers.EmailField):
    """A mail address."""


class WholeNumber(serializers.IntegerField):
    """A JSON number without a fraction; no string, no boolean."""

    default_error_messages = {
        "invalid": "This must be a whole number.",
        "max_value": "This must be at most {max_value}.",
        "min_value": "This must be at least {min_value}.",
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class YesNo(serializers.BooleanField):
    """A JSON boolean; no string, no number."""

    default_error_messages = {"invalid": "This must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class SkuField(Pattern):
    """A sku: capital letters, digits and a few marks, at most 40."""

    default_error_messages = {"invalid": "A sku is 1 to 40 capital letters, digits, or any of . _ -."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(SKU_PATTERN, **kwargs)


class Input(serializers.Serializer):
    """What a client may send: exactly these fields."""

    default_error_messages = {
        "invalid": "This must be an object.",
        "unknown_field": "There is no such field here.",
    }

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        errors: dict[str, Any] = {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail) if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        for field in sorted(unknown)[:MOST_UNKNOWN]:
            message = str(self.error_messages["unknown_field"])
            errors[field] = [serializers.ErrorDetail(message, code="unknown_field")]
        if errors:
            raise serializers.ValidationError(errors)
        return value


class MoneyField(Input):
    """An amount as a decimal string, and its ISO 4217 currency."""

    amount = Pattern(
        r"^[0-9]{1,18}(\.[0-9]{1,4})?$",
        help_text="A decimal string, such as 19.90.",
        error_messages={"invalid": "An amount is a decimal string, such as 19.90."},
    )
    currency = Text(min_length=3, max_length=3, help_text="A code of ISO 4217, such as USD.")

    def validate_currency(self, currency: str) -> str:
        try:
            decimal_places(currency)
        except DomainError as error:
            raise serializers.ValidationError(error.detail, "unknown_currency") from None
        return currency

    def validate(self, attrs: dict[str, Any]) -> Any:
        try:
            return Money(Decimal(attrs["amount"]), attrs["currency"])
        except DomainError as error:
            raise serializers.ValidationError({"amount": [error.detail]}, error.code) from None

    def to_representation(self, money: Money) -> dict[str, str]:
        return {"amount": str(money.amount), "currency": money.currency}


class AddressField(Input):
    """Where to send something."""

    recipient = Text(max_length=LONGEST["recipient"])
    street = Text(max_length=LONGEST["street"])
    city = Text(max_length=LONGEST["city"])
    postal_code = Text(max_length=LONGEST["postal_code"])
    country = Text(help_text="A code of ISO 3166-1 (alpha-2), such as GB.")

    def validate_country(self, country: str) -> str:
        if country not in countries_by_alpha2:
            raise serializers.ValidationError("This is no country of ISO 3166-1 (alpha-2).", "unknown_country")
        return country

    def validate(self, attrs: dict[str, Any]) -> Any:
        return Address(**attrs)

    def to_representation(self, address: Any) -> dict[str, str]:
        return dict(address)
