"""Strict input fields: JSON types are not converted into each other, and an unknown field is an error."""

import re
from datetime import UTC
from decimal import Decimal
from typing import Any

from iso3166 import countries_by_alpha2
from rest_framework import serializers

from integration.domain.address import LONGEST, LONGEST_OPTIONAL, Address
from integration.domain.address_rules import missing_parts, warnings_of
from integration.domain.errors import DomainError
from integration.domain.identifiers import SKU_PATTERN
from integration.domain.money import Money, decimal_places
from integration.domain.text import normalized

RFC_3339 = r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)"
MAX_UNKNOWN_LISTED = 20
"""The number of unknown fields that a response lists. Without a limit a response could be many times its request."""


class _OnlyStrings(serializers.Field):
    """Accepts only JSON strings; REST framework's text fields also accept numbers."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            raise serializers.ValidationError("This must be a string.", "invalid")
        return super().to_internal_value(data)


class _Normalized(serializers.CharField):
    """Normalizes text to NFKC before its length and pattern are checked, because that may shorten or lengthen it."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        # At most four code points become one, so a longer text is too long in any form.
        is_too_long = self.max_length is not None and len(text) > 4 * self.max_length
        return text if is_too_long else normalized(text)


class Text(_OnlyStrings, serializers.CharField):
    """A JSON string."""


class Pattern(_OnlyStrings, serializers.RegexField):
    """A JSON string that matches a regular expression."""


class NormalizedText(_Normalized, Text):
    """A JSON string, normalized to NFKC."""


class NormalizedPattern(_Normalized, Pattern):
    """A JSON string, normalized to NFKC, that matches a regular expression."""


class Email(_OnlyStrings, serializers.EmailField):
    """An email address."""


class WholeNumber(serializers.IntegerField):
    """A JSON number without a fraction; strings and booleans are errors."""

    default_error_messages = {
        "invalid": "This must be a whole number.",
        "max_value": "This must be at most {max_value}.",
        "min_value": "This must be at least {min_value}.",
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class Choice(_OnlyStrings, serializers.ChoiceField):
    """A JSON string that is one of the choices. The error lists the choices and does not repeat the input."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, **kwargs)
        self.error_messages["invalid_choice"] = f"This must be one of {', '.join(map(str, self.choices))}."


class YesNo(serializers.BooleanField):
    """A JSON boolean; strings and numbers are errors."""

    default_error_messages = {"invalid": "This must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class SkuField(Pattern):
    """A SKU: 1 to 40 capital letters, digits, or any of `. _ -`."""

    default_error_messages = {"invalid": "A SKU is 1 to 40 capital letters, digits, or any of . _ -."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(SKU_PATTERN, **kwargs)


class CodeField(Pattern):
    """The code of a voucher, in any case; its value is in capitals."""

    default_error_messages = {"invalid": "A code is 1 to 40 letters, digits, or any of . _ -."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}\Z", **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        return super().to_internal_value(data).upper()


class MomentField(_OnlyStrings, serializers.DateTimeField):
    """A date and time in the format of RFC 3339, between the years 1 and 9999 in UTC."""

    default_error_messages = {"invalid": "This must be a date and time in the format of RFC 3339, with its offset."}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and not re.fullmatch(RFC_3339, data):
            self.fail("invalid")
        return super().to_internal_value(data).astimezone(UTC)


class Input(serializers.Serializer):
    """A request body that accepts only the declared fields."""

    default_error_messages = {
        "invalid": "This must be an object.",
        "unknown_field": "This field does not exist.",
    }

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        errors: dict[str, Any] = {}
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            errors = dict(error.detail) if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        for field in sorted(unknown)[:MAX_UNKNOWN_LISTED]:
            message = str(self.error_messages["unknown_field"])
            errors[field] = [serializers.ErrorDetail(message, code="unknown_field")]
        if errors:
            raise serializers.ValidationError(errors)
        return value


class EmptyInput(Input):
    """An empty body."""


class MoneyField(Input):
    """An amount of money: a decimal string and an ISO 4217 currency code."""

    amount = Pattern(
        r"^[0-9]{1,18}(\.[0-9]{1,4})?$",
        help_text="The amount as a decimal string, such as 19.90.",
        error_messages={"invalid": "An amount must be a decimal string, such as 19.90."},
    )
    currency = Text(min_length=3, max_length=3, help_text="The ISO 4217 currency code, such as USD.")

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
    """A postal address."""

    recipient = Text(max_length=LONGEST["recipient"])
    street = Text(max_length=LONGEST["street"])
    city = Text(
        max_length=LONGEST["city"],
        required=False,
        allow_blank=True,
        help_text="Required, except in a few countries that are one city, such as SG.",
    )
    postal_code = Text(
        max_length=LONGEST["postal_code"],
        required=False,
        allow_blank=True,
        help_text="Required, except in countries without postal codes, such as HK.",
    )
    country = Text(help_text="The ISO 3166-1 alpha-2 country code, such as GB.")
    company = Text(max_length=LONGEST_OPTIONAL["company"], required=False, allow_blank=True)
    street2 = Text(max_length=LONGEST_OPTIONAL["street2"], required=False, allow_blank=True)
    region = Text(
        max_length=LONGEST_OPTIONAL["region"],
        required=False,
        allow_blank=True,
        help_text="A state, province or the like. Required in countries whose addresses have one, unless the postal "
        "code belongs to one region only.",
    )
    phone = Text(max_length=LONGEST_OPTIONAL["phone"], required=False, allow_blank=True)

    def validate_country(self, country: str) -> str:
        if country not in countries_by_alpha2:
            raise serializers.ValidationError("This is not an ISO 3166-1 alpha-2 country code.", "unknown_country")
        return country

    def validate(self, attrs: dict[str, Any]) -> Any:
        errors = {}
        named = (attrs.get(part, "") for part in ("country", "city", "region", "postal_code"))
        for part in () if attrs.get("accepted") else missing_parts(*named):
            code = "blank" if part in attrs else "required"
            errors[part] = [serializers.ErrorDetail(str(self.fields[part].error_messages[code]), code)]
        if errors:
            raise serializers.ValidationError(errors)
        return Address(**{"city": "", "postal_code": "", **attrs})

    def to_representation(self, address: Any) -> dict[str, str]:
        return dict(address)


class AddressForStaffField(AddressField):
    """A postal address that staff may accept although a carrier cannot do without a missing part."""

    accepted = Text(
        max_length=LONGEST_OPTIONAL["accepted"],
        required=False,
        allow_blank=True,
        help_text="For staff: why the address is accepted without a part that is required otherwise.",
    )


class WarningOutput(serializers.Serializer):
    """A part that looks wrong. It stops nobody."""

    pointer = serializers.CharField(help_text="The place of the part, as in the errors of a problem.")
    code = serializers.CharField(help_text="The kind of warning, for programs, such as odd_postal_code.")
    detail = serializers.CharField(help_text="A description, for people.")
    suggestion = serializers.CharField(required=False, help_text="Another value for the part.")


def address_warnings(address: Any, pointer: str) -> list[dict[str, str]]:
    """The warnings about an address as it is stored, or None; `pointer` is its place, such as `#/shipping_address`."""
    return [
        {
            "pointer": f"{pointer}/{warning.part}",
            "code": warning.code,
            "detail": warning.detail[:1].upper() + warning.detail[1:],
            **({"suggestion": warning.suggestion} if warning.suggestion else {}),
        }
        for warning in (warnings_of(Address(**address)) if address else ())
    ]
