"""The path converters of the API. A path segment that cannot be an identifier matches no route and is a 404."""

from django.urls import register_converter


class SkuConverter:
    """A SKU in a path."""

    regex = "[A-Z0-9][A-Z0-9._-]{0,39}"

    def to_python(self, value: str) -> str:
        return value

    to_url = to_python


class NumberConverter(SkuConverter):
    """An order number or a shipment id in a path."""

    regex = "[A-Z]{1,3}-[0-9]{1,18}(?:-[0-9]{1,6})?"


class CodeConverter(SkuConverter):
    """The code of a voucher in a path, in any case; its value is in capitals."""

    regex = "[A-Za-z0-9][A-Za-z0-9._-]{0,39}"

    def to_python(self, value: str) -> str:
        return value.upper()


class WireNameConverter(SkuConverter):
    """The wire name of a consumer in a path."""

    regex = r"[a-z][a-z0-9_]{0,39}\.[a-z0-9][a-z0-9._-]{0,79}"


register_converter(WireNameConverter, "wirename")
register_converter(CodeConverter, "code")
register_converter(SkuConverter, "sku")
register_converter(NumberConverter, "number")
