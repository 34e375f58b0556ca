"""Each event's schema contains an example, which is generated from the field types. Tests read every example again.

Once committed, an example does not change: it represents what code of that version stored.
"""

from datetime import datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from integration.domain import identifiers
from integration.domain.address import Address
from integration.domain.money import Money
from integration.domain.versions import Versioned

BY_TYPE: dict[Any, Any] = {
    identifiers.OrderNumber: "R-1001",
    identifiers.BuyerId: "U-12",
    identifiers.Sku: "MUG-ENAMEL-BLUE",
    identifiers.PaymentMethodId: "pm_card_visa",
    identifiers.InvoiceNumber: "I-1001",
    identifiers.PaymentId: "P-1001-1",
    identifiers.RefundId: "F-1001-1",
    identifiers.ShipmentId: "S-1001-1",
    Money: {"amount": "25.00", "currency": "USD"},
    Address: {
        "recipient": "Ada Byron",
        "street": "12 Analytical Row",
        "city": "London",
        "postal_code": "W1",
        "country": "GB",
    },
    datetime: "2026-01-15T12:30:00Z",
    Decimal: "1.50",
    bool: True,
    int: 2,
    NoneType: None,
}
"""Example values by type."""

BY_FIELD = {
    "carrier": "DHL",
    "country": "GB",
    "name": "Enamel mug, blue",
    "reason": "by_buyer",
    "tracking_number": "JD014600003",
}
"""Example texts by field name. The example of any other text field is the field's name."""


def example_of(event_type: type[Versioned]) -> dict[str, Any]:
    """Return example facts of an event, as JSON-compatible values."""
    return {field.name: _value(field.name, field.type) for field in msgspec.structs.fields(event_type)}


def _value(name: str, kind: Any) -> Any:
    if kind in BY_TYPE:
        return BY_TYPE[kind]
    kind = getattr(kind, "__supertype__", kind)
    if kind is str:
        return BY_FIELD.get(name, name.replace("_", " "))
    if kind in BY_TYPE:
        return BY_TYPE[kind]
    parts = get_args(kind)
    if get_origin(kind) is Annotated or get_origin(kind) in (Union, UnionType):
        return _value(name, parts[0])
    if get_origin(kind) in (tuple, list, frozenset):
        return [_value(name, parts[0])]
    if get_origin(kind) is dict:
        return {_value(name, parts[0]): _value(name, parts[1])}
    return {field.name: _value(field.name, field.type) for field in msgspec.structs.fields(kind)}
