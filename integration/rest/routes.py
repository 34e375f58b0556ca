"""The path converters of the API: what cannot be an identifier is a path that leads nowhere."""

from django.urls import register_converter


class SkuConverter:
    """A sku in a path."""

    regex = "[A-Z0-9][A-Z0-9._-]{0,39}"

    def to_python(self, value: str) -> str:
        return value

    to_url = to_python


class NumberConverter(SkuConverter):
    """An order's or a shipment's identifier in a path."""

    regex = "[A-Z]{1,3}-[0-9]{1,18}(?:-[0-9]{1,6})?"


register_converter(SkuConverter, "sku")
register_converter(NumberConverter, "number")
