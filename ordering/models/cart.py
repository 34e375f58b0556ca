"""A cart holds what somebody may want to order. It promises nothing and reserves nothing.

A guest's cart has no buyer. A buyer has at most one open cart.
"""

from typing import ClassVar, Self

import msgspec
from django.db import models
from django.db.models import Q

from integration.aggregates.aggregate import Aggregate, applies
from integration.domain.address import Address
from integration.domain.errors import Refused, Unacceptable
from integration.domain.identifiers import BuyerId, CartId, OrderNumber, Sku
from integration.domain.states import IGNORE, REFUSE, STAY, StateTable, by_state
from ordering import events
from ordering.models.order_line import MAX_LINES, MAX_QUANTITY, QuantityOutOfBounds

MAX_CODES = 10
"""How many vouchers a cart can name."""
MAX_CHANGES = 20_000
"""How often a cart can be changed. A person does not come near; a program could fill the history."""


class CartStatus(models.TextChoices):
    """The state of a cart."""

    OPEN = "open"
    CHECKED_OUT = "checked_out"
    MERGED = "merged"
    EXPIRED = "expired"


OPEN, CHECKED_OUT, MERGED, EXPIRED = (status.value for status in CartStatus)
_row = by_state(CartStatus)

CART_LIFE = StateTable(
    CartStatus,
    {
        # message         open         checked out  merged   expired
        "change":    _row(STAY,        REFUSE,      REFUSE,  REFUSE),
        "claim":     _row(STAY,        REFUSE,      REFUSE,  REFUSE),
        "take_in":   _row(STAY,        REFUSE,      REFUSE,  REFUSE),
        "merge":     _row(MERGED,      REFUSE,      REFUSE,  REFUSE),
        "check_out": _row(CHECKED_OUT, REFUSE,      REFUSE,  REFUSE),
        "expire":    _row(EXPIRED,     IGNORE,      IGNORE,  IGNORE),
    },
)  # fmt: skip


class CartFull(Unacceptable):
    """A cart can hold 2,000 products."""


class TooManyVouchers(Unacceptable):
    """A cart can name 10 vouchers."""


class CartTaken(Refused):
    """The cart is a buyer's already."""


class CartChangedTooOften(Refused):
    """This cart was changed too often. Open another one."""


class Cart(Aggregate):
    """What a guest or a buyer may want to order, and where it would go."""

    stream = "cart"
    life = CART_LIFE

    id = models.CharField(max_length=36, primary_key=True)
    buyer = models.CharField(max_length=40, blank=True)
    status = models.CharField(max_length=16, choices=CartStatus, default=CartStatus.OPEN)
    items = models.JSONField(default=list)
    codes = models.JSONField("vouchers", default=list)
    shipping_address = models.JSONField(null=True)
    shipping_option = models.CharField(max_length=40, blank=True)
    became = models.CharField(max_length=40, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["buyer"], name="one_open_cart_a_buyer", condition=Q(status="open") & ~Q(buyer="")
            ),
            models.CheckConstraint(
                condition=Q(status="open") | Q(shipping_address__isnull=True), name="ended_cart_has_no_address"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["updated_at"], name="carts_to_expire", condition=Q(status="open")),
            models.Index(fields=["buyer"], name="carts_of_a_buyer", condition=~Q(buyer="")),
        ]

    def __str__(self) -> str:
        return f"cart {self.id}"

    @classmethod
    def open(cls, id: CartId, buyer: BuyerId | None) -> Self:
        """A new, empty cart; without a buyer it is a guest's."""
        cart = cls()
        cart.record(events.CartOpened(cart=id, buyer=buyer))
        return cart

    @property
    def wanted(self) -> list[tuple[Sku, int]]:
        """The SKUs and quantities, in the order in which the products were put in."""
        return [(Sku(sku), quantity) for sku, quantity in self.items]

    @property
    def address(self) -> Address | None:
        """Where the goods would go, if that is known."""
        return msgspec.convert(self.shipping_address, Address | None)

    def set_item(self, sku: Sku, quantity: int) -> None:
        """Set the quantity of a product; zero takes it out.

        Raises:
            NotAllowed: the cart is not open.
            QuantityOutOfBounds: the quantity is not from 0 to `MAX_QUANTITY`.
            CartFull: the cart has `MAX_LINES` other products.
        """
        self._expect_change()
        known = dict(self.wanted)
        self.require(0 <= quantity <= MAX_QUANTITY, QuantityOutOfBounds(pointer="/quantity"))
        if quantity != known.get(sku, 0):
            self.require(sku in known or len(known) < MAX_LINES, CartFull())
            self.record(events.CartItemSet(sku=sku, quantity=quantity))

    def set_address(self, address: Address) -> None:
        """Set where the goods would go; raises `NotAllowed`."""
        self._expect_change()
        if address != self.address:
            self.record(events.CartAddressSet(shipping_address=address))

    def set_shipping_option(self, option: str | None) -> None:
        """Choose a shipping option; None chooses the cheapest. Raises `NotAllowed`."""
        self._expect_change()
        if (option or "") != self.shipping_option:
            self.record(events.CartShippingOptionSet(option=option))

    def name_voucher(self, code: str) -> None:
        """Name a voucher, whether it applies or not; raises `NotAllowed`, `TooManyVouchers`."""
        self._expect_change()
        if code not in self.codes:
            self.require(len(self.codes) < MAX_CODES, TooManyVouchers())
            self.record(events.CartVouchersChanged(codes=(*self.codes, code)))

    def drop_voucher(self, code: str) -> None:
        """Name a voucher no longer; raises `NotAllowed`."""
        self._expect_change()
        if code in self.codes:
            self.record(events.CartVouchersChanged(codes=tuple(each for each in self.codes if each != code)))

    def claim(self, buyer: BuyerId) -> None:
        """Become the cart of a buyer who has no open one; raises `NotAllowed`, `CartTaken`."""
        if self.accepts("claim"):
            self.require(not self.buyer, CartTaken)
            self.record(events.CartClaimed(buyer=buyer))

    def take_in(self, other: "Cart") -> None:
        """Add what is in another cart. Quantities are added up, at most to the bounds; own choices stay.

        Raises:
            NotAllowed: the cart is not open.
            CartFull: together they hold too many products.
            TooManyVouchers: together they name too many vouchers.
        """
        if not self.accepts("take_in"):
            return
        sums = dict(self.wanted)
        for sku, quantity in other.wanted:
            sums[sku] = min(sums.get(sku, 0) + quantity, MAX_QUANTITY)
        codes = tuple(dict.fromkeys([*self.codes, *other.codes]))
        self.require(len(sums) <= MAX_LINES, CartFull())
        self.require(len(codes) <= MAX_CODES, TooManyVouchers())
        self.record(
            events.CartTakenIn(
                other=CartId(other.id),
                items=tuple(events.CartItem(sku, quantity) for sku, quantity in sums.items()),
                codes=codes,
                option=self.shipping_option or other.shipping_option or None,
                shipping_address=self.address or other.address,
            )
        )

    def merge(self, into: "Cart") -> None:
        """End, because another cart has taken in what is in this one; raises `NotAllowed`, `CartTaken`."""
        if self.accepts("merge"):
            self.require(not self.buyer, CartTaken)
            self.record(events.CartMerged(into=CartId(into.id)))

    def check_out(self, order: OrderNumber) -> None:
        """End, because its goods are ordered; raises `NotAllowed`."""
        if self.accepts("check_out"):
            self.record(events.CartCheckedOut(order=order))

    def expire(self) -> None:
        """End, because nobody wants it any more; ignored if it has ended."""
        if self.accepts("expire"):
            self.record(events.CartExpired(cart=CartId(self.id)))

    def _expect_change(self) -> None:
        self.accepts("change")
        self.require(self.version < MAX_CHANGES, CartChangedTooOften)

    @applies(events.CartOpened)
    def _opened(self, event: events.CartOpened) -> None:
        self.id, self.buyer = event.cart, event.buyer or ""
        self.items, self.codes = [], []

    @applies(events.CartItemSet)
    def _item_set(self, event: events.CartItemSet) -> None:
        if any(sku == event.sku for sku, _ in self.items):
            changed = [[sku, event.quantity if sku == event.sku else quantity] for sku, quantity in self.items]
        else:
            changed = [*self.items, [event.sku, event.quantity]]
        self.items = [item for item in changed if item[1]]

    @applies(events.CartAddressSet)
    def _address_set(self, event: events.CartAddressSet) -> None:
        self.shipping_address = msgspec.to_builtins(event.shipping_address)

    @applies(events.CartShippingOptionSet)
    def _shipping_option_set(self, event: events.CartShippingOptionSet) -> None:
        self.shipping_option = event.option or ""

    @applies(events.CartVouchersChanged)
    def _vouchers_changed(self, event: events.CartVouchersChanged) -> None:
        self.codes = list(event.codes)

    @applies(events.CartClaimed)
    def _claimed(self, event: events.CartClaimed) -> None:
        self.buyer = event.buyer

    @applies(events.CartTakenIn)
    def _taken_in(self, event: events.CartTakenIn) -> None:
        self.items = [[item.sku, item.quantity] for item in event.items]
        self.codes, self.shipping_option = list(event.codes), event.option or ""
        self.shipping_address = msgspec.to_builtins(event.shipping_address)

    @applies(events.CartMerged)
    def _merged(self, event: events.CartMerged) -> None:
        self._end(CartStatus.MERGED, event.into)

    @applies(events.CartCheckedOut)
    def _checked_out(self, event: events.CartCheckedOut) -> None:
        self._end(CartStatus.CHECKED_OUT, event.order)

    @applies(events.CartExpired)
    def _expired(self, event: events.CartExpired) -> None:
        self._end(CartStatus.EXPIRED)

    def _end(self, status: CartStatus, became: str = "") -> None:
        self.status, self.became, self.shipping_address = status, became, None
