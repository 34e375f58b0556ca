"""Each event's schema contains an example, which is generated from the field types. Tests read every example again.

Once committed, an example does not change: it represents what code of that version stored.
"""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import msgspec

from integration.domain import identifiers
from integration.domain.address import Address
from integration.domain.money import Money

BY_TYPE: dict[Any, Any] = {
    identifiers.OrderNumber: "R-1001",
    identifiers.BuyerId: "U-12",
    identifiers.Sku: "MUG-ENAMEL-BLUE",
    identifiers.PaymentMethodId: "pm_card_visa",
    identifiers.InvoiceNumber: "I-1001",
    identifiers.PaymentId: "P-1001-1",
    identifiers.RefundId: "F-1001-1",
    identifiers.CaptureId: "K-1001-1",
    identifiers.ShipmentId: "S-1001-1",
    identifiers.ReturnId: "R-1001-1",
    identifiers.ReceiptId: "R-1001-1-1",
    identifiers.WithdrawalId: "W-1001-1",
    identifiers.CartId: "8f14e45f-ceea-467f-a9e2-6f1c2d3b4a5e",
    identifiers.CancellationId: "C-1001-1",
    identifiers.HoldId: "H-1001-1",
    Money: {"amount": "25.00", "currency": "USD"},
    Address: {
        "recipient": "Ada Byron",
        "street": "12 Analytical Row",
        "city": "London",
        "postal_code": "W1",
        "country": "GB",
    },
    date: "2026-01-15",
    datetime: "2026-01-15T12:30:00Z",
    time: "12:30:00",
    timedelta: "PT90S",
    UUID: "01890a5d-ac96-774b-bcce-b302099a8057",
    Decimal: "1.50",
    bool: True,
    float: 1.5,
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


class NoExample(TypeError):
    """A field has a type of which no example can be made."""


def example_of(event_type: type[msgspec.Struct]) -> dict[str, Any]:
    """Return example facts of an event, as JSON-compatible values.

    Raises:
        NoExample: for a type that is neither in `BY_TYPE` nor made of such types.
    """
    example = {}
    for field in msgspec.structs.fields(event_type):
        try:
            example[field.name] = _value(field.name, field.type)
        except NoExample as error:
            raise NoExample(f"{event_type.__name__}.{field.name}: {error}") from None
    return example


def _value(name: str, kind: Any) -> Any:
    if kind in BY_TYPE:
        return BY_TYPE[kind]
    kind = getattr(kind, "__supertype__", kind)
    if kind is str:
        return BY_FIELD.get(name, name.replace("_", " "))
    if kind in BY_TYPE:
        return BY_TYPE[kind]
    parts, origin = get_args(kind), get_origin(kind)
    if origin is Literal:
        return parts[0]
    if origin is Annotated:
        return _value(name, parts[0])
    if origin in (Union, UnionType):
        return _value(name, next(part for part in parts if part is not NoneType))
    if origin is tuple and ... not in parts:
        return [_value(name, part) for part in parts]
    if origin in (tuple, list, set, frozenset):
        return [_value(name, parts[0])]
    if origin is dict:
        return {_value(name, parts[0]): _value(name, parts[1])}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind)).value
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return example_of(kind)
    raise NoExample(f"no example of {kind} is known; add one to BY_TYPE in integration/contracts/examples.py")
