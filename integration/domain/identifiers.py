"""Typed identifiers. Contexts refer to each other's objects only by these.

Identifiers are short strings that a person can spell out on the telephone. Everything that belongs to one order carries
the order's digits, so an invoice or a shipment gets its identifier without a query for another number.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NewType
from uuid import UUID, SafeUUID, uuid4

from uuid_utils import _uuid7_int  # type: ignore[attr-defined]  # as its own `compat` does

OrderNumber = NewType("OrderNumber", str)
"""Such as `R-1001`."""
BuyerId = NewType("BuyerId", str)
"""The customer: `U-12` for a user of this shop, or the identifier that another system uses."""
Sku = NewType("Sku", str)
"""A product that is sold and stocked, such as `MUG-ENAMEL-BLUE`."""
PaymentMethodId = NewType("PaymentMethodId", str)
"""A payment method at the provider; never a card number."""
InvoiceNumber = NewType("InvoiceNumber", str)
"""Such as `I-1001`, for order `R-1001`."""
PaymentId = NewType("PaymentId", str)
"""Such as `P-1001-1`, the first payment of invoice `I-1001`."""
RefundId = NewType("RefundId", str)
"""Such as `F-1001-1`, the first refund of invoice `I-1001`."""
CaptureId = NewType("CaptureId", str)
"""Such as `K-1001-1`, the first capture of the authorized money for invoice `I-1001`."""
ShipmentId = NewType("ShipmentId", str)
"""Such as `S-1001-1`, the first shipment of order `R-1001`."""
ReturnId = NewType("ReturnId", str)
"""Such as `R-1001-1`, the first return of order `R-1001`."""
ReceiptId = NewType("ReceiptId", str)
"""Such as `R-1001-1-2`, the second parcel that came back for return `R-1001-1`."""
WithdrawalId = NewType("WithdrawalId", str)
"""Such as `W-1001-1`, the first withdrawal from order `R-1001`."""
CartId = NewType("CartId", str)
"""A random UUID as text, so that nobody can guess another's cart."""
DocumentId = NewType("DocumentId", str)
"""Such as `D-1001`, the invoice as a document, or `N-1001-1`, its first credit note."""
CancellationId = NewType("CancellationId", str)
"""Such as `C-1001-1`, the first cancellation of lines of order `R-1001`."""
HoldId = NewType("HoldId", str)
"""Such as `H-1001-1`, the first hold of order `R-1001`."""


def buyer_of_user(user_id: int) -> BuyerId:
    """The buyer ID of a user of this shop: `U-` and the user's primary key."""
    return BuyerId(f"U-{user_id}")


GUEST = re.compile(r"G-[0-9a-f]{32}")


def guest_of_cart(cart: CartId) -> BuyerId:
    """The buyer ID of the guest who checks out a cart: `G-` and the cart's digits. A guest has one order."""
    return BuyerId(f"G-{cart.replace('-', '')}")


def is_guest(buyer: BuyerId) -> bool:
    """Whether a buyer ID is that of a guest."""
    return GUEST.fullmatch(buyer) is not None


SKU_PATTERN = r"^[A-Z0-9][A-Z0-9._-]{0,39}$"
"""A valid `Sku`: 1 to 40 capitals, digits, dots, hyphens and underscores, the first a capital or a digit."""


_make_event_id: Callable[[], UUID] | None = None

# A `UUID` consists of two slots, which these functions set directly. `UUID.__init__` is slower because it accepts five
# input formats. `uuid_utils.compat` sets the slots, too, but looks each up by name, which takes twice as long.
_new_uuid: Callable[[type[UUID]], UUID] = object.__new__
_set_int, _set_is_safe = (vars(UUID)[slot].__set__ for slot in ("int", "is_safe"))
_UNKNOWN = SafeUUID.unknown


def new_event_id() -> UUID:
    """Return a UUIDv7: it is unique everywhere, and UUIDs sort by the time they were made."""
    return uuid_of(_uuid7_int()) if _make_event_id is None else _make_event_id()


def new_cart_id() -> CartId:
    """Return the identifier of a new cart; it says nothing about when the cart was opened."""
    return CartId(str(uuid4() if _make_event_id is None else _make_event_id()))


def uuid_of(number: int) -> UUID:
    """Return the UUID with this 128-bit number. The number is not checked, for speed."""
    made = _new_uuid(UUID)
    _set_int(made, number)
    _set_is_safe(made, _UNKNOWN)
    return made


@contextmanager
def event_ids_made_by(make: Callable[[], UUID]) -> Iterator[None]:
    """Make event ids with `make` inside the block, so that a simulation makes the same ids in every run."""
    global _make_event_id
    before, _make_event_id = _make_event_id, make
    try:
        yield
    finally:
        _make_event_id = before


def sibling(prefix: str, order: OrderNumber, *ordinals: int) -> str:
    """Return the identifier of an object that belongs to `order`: `sibling("S", "R-1001", 1)` is `S-1001-1`."""
    return "-".join([prefix, order.partition("-")[2], *map(str, ordinals)])
