"""A cart obeys its state table and its other rules in every state, for every message."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.aggregates.aggregate import Aggregate
from integration.domain.address import Address
from integration.domain.errors import Unacceptable
from integration.domain.identifiers import BuyerId, CartId, OrderNumber, Sku, guest_of_cart, is_guest
from integration.domain.states import NotAllowed
from ordering.models import CART_LIFE, MAX_CODES, MAX_LINES, MAX_QUANTITY, Cart, QuantityOutOfBounds
from ordering.models.cart import MAX_CHANGES, CartChangedTooOften, CartFull, CartTaken, TooManyVouchers

ID, OTHER = CartId("8f14e45f-ceea-467f-a9e2-6f1c2d3b4a5e"), CartId("45c48cce-2e2d-4fbd-8a1a-fc51c7c6ad26")
BUYER = BuyerId("U-7")
LONDON = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")


def _open(id: CartId = ID, buyer: BuyerId | None = None) -> Cart:
    cart = Cart.open(id, buyer)
    cart.set_item(Sku("MUG"), 2)
    cart.set_address(LONDON)
    return cart


def _after(message: str) -> Cart:
    cart = _open()
    SEND[message](cart)
    return cart


SEND: dict[str, Callable[[Cart], object]] = {
    "change": lambda cart: cart.set_item(Sku("LAMP"), 1),
    "claim": lambda cart: cart.claim(BUYER),
    "take_in": lambda cart: cart.take_in(_open(OTHER)),
    "merge": lambda cart: cart.merge(_open(OTHER, BUYER)),
    "check_out": lambda cart: cart.check_out(OrderNumber("R-1")),
    "expire": lambda cart: cart.expire(),
}
IN_STATE: dict[str, Callable[[], Cart]] = {
    "open": _open,
    "checked_out": lambda: _after("check_out"),
    "merged": lambda: _after("merge"),
    "expired": lambda: _after("expire"),
}
CHANGES: dict[str, Callable[[Cart], object]] = {
    "set_item": lambda cart: cart.set_item(Sku("LAMP"), 1),
    "set_address": lambda cart: cart.set_address(LONDON),
    "set_shipping_option": lambda cart: cart.set_shipping_option("post"),
    "name_voucher": lambda cart: cart.name_voucher("SPRING"),
    "drop_voucher": lambda cart: cart.drop_voucher("SPRING"),
}


def test_the_tests_cover_the_whole_state_table() -> None:
    assert set(IN_STATE) == set(CART_LIFE.states)
    assert set(SEND) == set(CART_LIFE.messages)


@pytest.mark.parametrize("message", SEND)
@pytest.mark.parametrize("state", IN_STATE)
def test_every_message_in_every_state_does_what_the_table_says(
    state: str, message: str, judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None]
) -> None:
    cart = IN_STATE[state]()
    judge_by_table(cart, message, lambda: SEND[message](cart))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("state", ["checked_out", "merged", "expired"])
def test_an_ended_cart_is_not_changed(state: str, change: str) -> None:
    cart = IN_STATE[state]()
    version = cart.version
    with pytest.raises(NotAllowed):
        CHANGES[change](cart)
    assert cart.version == version


@pytest.mark.parametrize("state", ["checked_out", "merged", "expired"])
def test_an_ended_cart_has_no_address(state: str) -> None:
    assert IN_STATE[state]().shipping_address is None


def test_a_change_that_changes_nothing_is_no_event() -> None:
    cart = _open()
    cart.name_voucher("SPRING")
    cart.set_shipping_option("post")
    version = cart.version
    cart.set_item(Sku("MUG"), 2)
    cart.set_item(Sku("LAMP"), 0)
    cart.set_address(LONDON)
    cart.set_shipping_option("post")
    cart.name_voucher("SPRING")
    cart.drop_voucher("OTHER")
    assert cart.version == version


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 5)), max_size=12))
def test_the_last_quantity_of_each_product_counts(settings: list[tuple[str, int]]) -> None:
    cart, expected = Cart.open(ID, None), dict[str, int]()
    for sku, quantity in settings:
        cart.set_item(Sku(sku), quantity)
        expected[sku] = quantity
    assert dict(cart.wanted) == {sku: quantity for sku, quantity in expected.items() if quantity}


@pytest.mark.parametrize("quantity", [-1, MAX_QUANTITY + 1])
def test_a_quantity_out_of_bounds_is_refused(quantity: int) -> None:
    with pytest.raises(QuantityOutOfBounds):
        _open().set_item(Sku("MUG"), quantity)


def test_a_cart_has_bounds() -> None:
    cart = _open()
    cart.items = [[f"S-{n}", 1] for n in range(MAX_LINES)]
    with pytest.raises(CartFull):
        cart.set_item(Sku("MUG"), 1)
    with pytest.raises(CartFull):
        cart.take_in(_open(OTHER))
    cart.set_item(Sku("S-1"), 5)
    for n in range(MAX_CODES):
        cart.name_voucher(f"V-{n}")
    with pytest.raises(TooManyVouchers):
        cart.name_voucher("MORE")
    cart.version = MAX_CHANGES
    with pytest.raises(CartChangedTooOften):
        cart.set_item(Sku("S-1"), 6)


def test_carts_that_name_too_many_vouchers_are_not_merged() -> None:
    cart, other = _open(), _open(OTHER)
    for n in range(MAX_CODES):
        cart.name_voucher(f"V-{n}")
    other.name_voucher("MORE")
    with pytest.raises(TooManyVouchers):
        cart.take_in(other)


def test_a_cart_takes_in_another_one_and_keeps_its_own_choices() -> None:
    cart, other = Cart.open(ID, BUYER), _open(OTHER)
    cart.set_item(Sku("LAMP"), 1)
    cart.set_item(Sku("MUG"), MAX_QUANTITY)
    cart.set_shipping_option("post")
    other.set_shipping_option("express")
    other.set_item(Sku("ATLAS"), 3)
    other.name_voucher("SPRING")
    cart.take_in(other)
    assert cart.wanted == [("LAMP", 1), ("MUG", MAX_QUANTITY), ("ATLAS", 3)]
    assert (cart.codes, cart.shipping_option, cart.address) == (["SPRING"], "post", LONDON)
    other.merge(cart)
    assert (other.status, other.became) == ("merged", ID)


def test_a_buyers_cart_is_neither_claimed_nor_merged() -> None:
    for do in (lambda cart: cart.claim(BuyerId("U-8")), lambda cart: cart.merge(_open(OTHER, BuyerId("U-8")))):
        with pytest.raises(CartTaken):
            do(_open(buyer=BUYER))


def test_errors_of_bounds_are_about_the_input() -> None:
    assert issubclass(CartFull, Unacceptable)
    assert issubclass(TooManyVouchers, Unacceptable)


def test_a_guests_id_is_derived_from_the_cart() -> None:
    guest = guest_of_cart(ID)
    assert guest == "G-8f14e45fceea467fa9e26f1c2d3b4a5e"
    assert is_guest(guest)
    assert not any(map(is_guest, [BUYER, BuyerId("G-1"), BuyerId(f"{guest}0"), BuyerId("")]))
