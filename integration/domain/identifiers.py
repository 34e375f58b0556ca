"""Typed identifiers: contexts know each other's things by these and by nothing else.

They are strings a person can read out on the telephone. What belongs to one order carries the order's digits, so that
an invoice or a shipment is named without asking the database for another number.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NewType
from uuid import UUID, SafeUUID

from uuid_utils import _uuid7_int  # type: ignore[attr-defined]  # as its own `compat` does

OrderNumber = NewType("OrderNumber", str)
"""Such as `R-1001`."""
BuyerId = NewType("BuyerId", str)
"""Whoever buys: `U-12` for a user of this shop, or the identifier another system gave them."""
Sku = NewType("Sku", str)
"""What is sold and stocked, such as `MUG-ENAMEL-BLUE`."""
PaymentMethodId = NewType("PaymentMethodId", str)
"""A way to pay; never a card number."""
InvoiceNumber = NewType("InvoiceNumber", str)
"""Such as `I-1001`, for order `R-1001`."""
PaymentId = NewType("PaymentId", str)
"""Such as `P-1001-1`, the first payment of invoice `I-1001`; also its idempotency key at the provider."""
RefundId = NewType("RefundId", str)
"""Such as `F-1001-1`, the first refund of invoice `I-1001`; also its idempotency key at the provider."""
ShipmentId = NewType("ShipmentId", str)
"""Such as `S-1001-1`, the first shipment of order `R-1001`."""

SKU_PATTERN = r"^[A-Z0-9][A-Z0-9._-]{0,39}$"


_make_event_id: Callable[[], UUID] | None = None

# A UUID of the standard library is what its two slots hold. Its own `__init__` considers five forms of it, and
# `uuid_utils.compat` fills the two slots, but looks each of them up by its name, and takes twice as long.
_bare: Callable[[type[UUID]], UUID] = object.__new__
_set_int, _set_is_safe = (vars(UUID)[slot].__set__ for slot in ("int", "is_safe"))
_UNKNOWN = SafeUUID.unknown


def new_event_id() -> UUID:
    """A UUIDv7: unique everywhere, and sorting by the moment it was made."""
    return uuid_of(_uuid7_int()) if _make_event_id is None else _make_event_id()


def uuid_of(number: int) -> UUID:
    """The UUID with this number, which is one of 128 bits; unasked, for speed."""
    made = _bare(UUID)
    _set_int(made, number)
    _set_is_safe(made, _UNKNOWN)
    return made


@contextmanager
def event_ids_made_by(make: Callable[[], UUID]) -> Iterator[None]:
    """Let `make` make this process' event ids, so that a simulation makes the same ones every time."""
    global _make_event_id
    before, _make_event_id = _make_event_id, make
    try:
        yield
    finally:
        _make_event_id = before


def sibling(prefix: str, order: OrderNumber, *ordinals: int) -> str:
    """The identifier of what belongs to `order`: `sibling("S", "R-1001", 1)` is `S-1001-1`."""
    return "-".join([prefix, order.partition("-")[2], *map(str, ordinals)])
