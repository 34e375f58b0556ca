"""Compares carts and limited vouchers with a much simpler model after random sequences of what guests and buyers do."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, CartId, OrderNumber, Sku
from integration.domain.states import NotAllowed
from ordering.events import VoucherTerms
from ordering.models import Cart, Voucher, VoucherClaim
from ordering.models.cart import CartTaken
from ordering.models.voucher import LimitBelowUse, VoucherUsedUp
from tests.histories import assert_is_its_history

LONDON = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
SKUS, CODES = [Sku("MUG"), Sku("LAMP"), Sku("ROPE")], ["TENTH", "FIRST"]
BUYERS = [BuyerId("B-1"), BuyerId("B-2")]
OPEN, CHECKED_OUT, MERGED, EXPIRED = "open", "checked_out", "merged", "expired"
HELD, REDEEMED, RELEASED = "held", "redeemed", "released"


class Trolley:
    """The model of a cart."""

    def __init__(self, cart: Cart, buyer: str) -> None:
        self.cart, self.buyer, self.status = cart, buyer, OPEN
        self.items: dict[Sku, int] = {}
        self.codes: list[str] = []
        self.has_address = False


class CartMachine(RuleBasedStateMachine):
    """The model: what is in each cart, and for each order with a voucher whether it is held, redeemed or released."""

    carts: Bundle = Bundle("carts")

    @initialize(limit=st.integers(1, 3))
    def offer_vouchers(self, limit: int) -> None:
        self.trolleys: list[Trolley] = []
        self.limits = dict.fromkeys(CODES, limit)
        self.vouchers = {code: Voucher.create(code, self.terms(limit)) for code in CODES}
        self.claims: dict[tuple[OrderNumber, str], VoucherClaim] = {}
        self.uses: dict[tuple[OrderNumber, str], str] = {}
        self.orders = 0

    def terms(self, limit: int) -> VoucherTerms:
        return VoucherTerms(name="Some", kind="percent", percent=Decimal(10), limit=limit)

    def send(self, do: Callable[[], Any], refusal: type[Exception] | None, *unchanged: Any) -> None:
        """Call a method, and expect this refusal; then no aggregate has changed."""
        expected: AbstractContextManager[Any] = pytest.raises(refusal) if refusal else nullcontext()
        before = [each.version for each in unchanged]
        with expected:
            do()
        if refusal:
            assert [each.version for each in unchanged] == before

    def used(self, code: str) -> int:
        return sum(state != RELEASED for (_, used), state in self.uses.items() if used == code)

    @rule(target=carts, buyer=st.sampled_from(["", *BUYERS]))
    def open_a_cart(self, buyer: str) -> Trolley:
        number = CartId(f"00000000-0000-0000-0000-{len(self.trolleys):012}")
        self.trolleys.append(Trolley(Cart.open(number, BuyerId(buyer) if buyer else None), buyer))
        return self.trolleys[-1]

    @rule(trolley=carts, sku=st.sampled_from(SKUS), quantity=st.sampled_from([0, 1, 2, 60_000, 100_000]))
    def set_a_quantity(self, trolley: Trolley, sku: Sku, quantity: int) -> None:
        refusal = None if trolley.status == OPEN else NotAllowed
        self.send(lambda: trolley.cart.set_item(sku, quantity), refusal, trolley.cart)
        if not refusal:
            trolley.items = {each: n for each, n in {**trolley.items, sku: quantity}.items() if n}

    @rule(trolley=carts)
    def set_the_address(self, trolley: Trolley) -> None:
        refusal = None if trolley.status == OPEN else NotAllowed
        self.send(lambda: trolley.cart.set_address(LONDON), refusal, trolley.cart)
        trolley.has_address = trolley.has_address or not refusal

    @rule(trolley=carts, code=st.sampled_from(CODES), is_named=st.booleans())
    def name_or_drop_a_voucher(self, trolley: Trolley, code: str, is_named: bool) -> None:
        refusal = None if trolley.status == OPEN else NotAllowed
        do = trolley.cart.name_voucher if is_named else trolley.cart.drop_voucher
        self.send(lambda: do(code), refusal, trolley.cart)
        if not refusal:
            trolley.codes = [each for each in trolley.codes if each != code or is_named]
            trolley.codes += [code] if is_named and code not in trolley.codes else []

    @rule(trolley=carts, buyer=st.sampled_from(BUYERS))
    def claim(self, trolley: Trolley, buyer: BuyerId) -> None:
        refusal = NotAllowed if trolley.status != OPEN else CartTaken if trolley.buyer else None
        self.send(lambda: trolley.cart.claim(buyer), refusal, trolley.cart)
        trolley.buyer = trolley.buyer if refusal else buyer

    @rule(taken=carts, into=carts)
    def merge(self, taken: Trolley, into: Trolley) -> None:
        if taken is into:
            return
        refusal = NotAllowed if taken.status != OPEN else CartTaken if taken.buyer else None
        if into.status != OPEN:
            self.send(lambda: into.cart.take_in(taken.cart), NotAllowed, into.cart)
            return
        if not refusal:
            into.cart.take_in(taken.cart)
        self.send(lambda: taken.cart.merge(into.cart), refusal, taken.cart)
        if not refusal:
            for sku, n in taken.items.items():
                into.items[sku] = min(into.items.get(sku, 0) + n, 100_000)
            into.codes += [code for code in taken.codes if code not in into.codes]
            into.has_address = into.has_address or taken.has_address
            taken.status, taken.has_address = MERGED, False

    @rule(trolley=carts)
    def check_out(self, trolley: Trolley) -> None:
        """End a cart with an order, which holds the vouchers that are not used up."""
        number = OrderNumber(f"R-{self.orders + 1}")
        refusal = None if trolley.status == OPEN else NotAllowed
        self.send(lambda: trolley.cart.check_out(number), refusal, trolley.cart)
        if refusal:
            return
        self.orders += 1
        trolley.status, trolley.has_address = CHECKED_OUT, False
        for code in trolley.codes:
            voucher = self.vouchers[code]
            is_used_up = self.used(code) >= self.limits[code]
            assert bool(voucher.facts(0).refusal) == is_used_up
            self.send(lambda v=voucher: v.count_held(number), VoucherUsedUp if is_used_up else None, voucher)
            if not is_used_up:
                buyer = BuyerId(trolley.buyer or f"G-{number}")
                self.claims[number, code] = VoucherClaim.hold(code, number, buyer, "", is_counted=True)
                self.uses[number, code] = HELD

    @rule(trolley=carts)
    def expire(self, trolley: Trolley) -> None:
        trolley.cart.expire()
        if trolley.status == OPEN:
            trolley.status, trolley.has_address = EXPIRED, False

    @rule(data=st.data(), is_confirmed=st.booleans())
    def an_order_is_confirmed_or_cancelled(self, data: st.DataObject, is_confirmed: bool) -> None:
        """Redeem or release a voucher, as the commands do; the message may come twice, or in the wrong order."""
        if not self.uses:
            return
        key = data.draw(st.sampled_from(sorted(self.uses)))
        claim, voucher, state = self.claims[key], self.vouchers[key[1]], self.uses[key]
        if is_confirmed:
            if claim.redeem():
                voucher.count_redeemed(key[0])
            self.uses[key] = REDEEMED if state == HELD else state
        else:
            if claim.release():
                voucher.count_released(key[0], was_redeemed=state == REDEEMED)
            self.uses[key] = RELEASED

    @rule(code=st.sampled_from(CODES), limit=st.integers(1, 4))
    def change_the_limit(self, code: str, limit: int) -> None:
        voucher = self.vouchers[code]
        refusal = LimitBelowUse if limit < self.used(code) else None
        self.send(lambda: voucher.change(self.terms(limit)), refusal, voucher)
        self.limits[code] = self.limits[code] if refusal else limit

    @invariant()
    def carts_equal_the_model(self) -> None:
        for trolley in self.trolleys:
            cart = trolley.cart
            assert (cart.status, cart.buyer, dict(cart.wanted)) == (trolley.status, trolley.buyer, trolley.items)
            assert (cart.codes, cart.address is not None) == (trolley.codes, trolley.has_address)
            assert bool(cart.became) == (trolley.status in (CHECKED_OUT, MERGED))

    @invariant()
    def vouchers_count_their_claims(self) -> None:
        for code, voucher in self.vouchers.items():
            states = [state for (_, used), state in self.uses.items() if used == code]
            assert (voucher.held, voucher.redeemed) == (states.count(HELD), states.count(REDEEMED))
            assert voucher.claims <= self.limits[code]
        assert {key: claim.status for key, claim in self.claims.items()} == self.uses

    @invariant()
    def all_equal_their_histories(self) -> None:
        for trolley in self.trolleys:
            assert_is_its_history(trolley.cart)
        for each in (*self.vouchers.values(), *self.claims.values()):
            assert_is_its_history(each)


TestCarts = CartMachine.TestCase
if settings.get_current_profile_name() != "chaos":
    TestCarts.settings = settings(max_examples=40, stateful_step_count=30)
