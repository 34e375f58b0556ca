"""Commands on vouchers, and how orders hold, redeem and release them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from integration.contracts import billing as billing_contracts
from integration.contracts import fulfillment as fulfillment_contracts
from integration.contracts import inventory as inventory_contracts
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import StaleVersion, Unacceptable
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.money import Money
from ordering import commands
from ordering.commands.vouchers import CodeTaken, VoucherNotApplied, email_hash
from ordering.models import CancellationReason, LimitBelowUse, LimitStays, Order, Voucher, VoucherClaim
from tests.ordering.commands.shared import LAMP, MUG, PAYMENT, VISA, PublishAll, Published

pytestmark = pytest.mark.django_db

TEN_PERCENT: dict[str, Any] = {"kind": "percent", "value": Decimal(10)}
FIVE = {"kind": "amount", "value": Money("5", "USD")}


@pytest.fixture
def order_with(goods: None, address: Address) -> Callable[..., OrderNumber]:
    def place(*vouchers: str, buyer: str = "B-1", email: str = "") -> OrderNumber:
        lines = [(MUG, 2), (LAMP, 1)]
        order = commands.place_order(BuyerId(buyer), lines, address, VISA, vouchers=vouchers, email=email)
        return OrderNumber(order.number)

    return place


def confirm(consume: PublishAll, order: OrderNumber) -> None:
    total = Order.objects.get(pk=order).total
    consume(
        inventory_contracts.StockReserved(order=order),
        billing_contracts.PaymentSucceeded(order=order, payment=PAYMENT, amount=total),
    )


def uses(code: str) -> tuple[int, int]:
    voucher = Voucher.objects.get(pk=code)
    return voucher.held, voucher.redeemed


def claims() -> dict[str, str]:
    return dict(VoucherClaim.objects.values_list("id", "status"))


def reasons(refused: pytest.ExceptionInfo[VoucherNotApplied]) -> list[tuple[str, str]]:
    return [(error.pointer, error.detail) for error in refused.value.errors]


# --- What staff do ---


def test_a_voucher_has_the_terms_it_was_created_with() -> None:
    terms = {
        **TEN_PERCENT,
        "name": "Ten off",
        "minimum": Money("20", "USD"),
        "valid_from": datetime(2026, 1, 1, tzinfo=UTC),
        "valid_until": datetime(2027, 1, 1, tzinfo=UTC),
        "limit": 5,
        "limit_per_buyer": 1,
        "exclusive": True,
    }
    created = commands.create_voucher("TEN", terms)
    stored = Voucher.objects.get(pk="TEN")
    assert stored.terms == created.terms
    assert {name: getattr(stored, name) for name in terms} == terms
    assert (stored.held, stored.redeemed, stored.currency) == (0, 0, "USD")


def test_a_code_is_taken_once() -> None:
    commands.create_voucher("TEN", TEN_PERCENT)
    with pytest.raises(CodeTaken):
        commands.create_voucher("TEN", FIVE)
    assert Voucher.objects.get().kind == "percent"


@pytest.mark.parametrize(
    ("terms", "pointer"),
    [
        ({"kind": "percent", "value": Decimal(0)}, "/value"),
        ({"kind": "percent", "value": Decimal("100.001")}, "/value"),
        ({"kind": "percent", "value": Decimal("0.0001")}, "/value"),
        ({"kind": "percent"}, "/value"),
        ({"kind": "percent", "value": Money("5", "USD")}, "/value"),
        ({"kind": "amount", "value": Decimal(5)}, "/value"),
        ({"kind": "amount", "value": Money("0", "USD")}, "/value"),
        ({"kind": "free_shipping", "value": Decimal(5)}, "/value"),
        ({**FIVE, "minimum": Money("5", "EUR")}, "/minimum/currency"),
        ({**FIVE, "minimum": Money("10000000000", "USD")}, "/minimum/amount"),
        (
            {**FIVE, "valid_from": datetime(2026, 2, 1, tzinfo=UTC), "valid_until": datetime(2026, 2, 1, tzinfo=UTC)},
            "/valid_until",
        ),
        ({**FIVE, "limit": 0}, "/limit"),
        ({**FIVE, "limit_per_buyer": 10**10}, "/limit_per_buyer"),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Unacceptable) as refused:
        commands.create_voucher("ODD", terms)
    assert refused.value.pointer == pointer
    assert not Voucher.objects.exists()


def test_terms_are_changed_for_new_orders() -> None:
    created = commands.create_voucher("TEN", {**TEN_PERCENT, "limit": 5})
    with pytest.raises(StaleVersion):
        commands.change_voucher("TEN", {"name": "Ten"}, if_version=[2])
    changed = commands.change_voucher("TEN", {"value": Decimal("12.5"), "limit": 7}, if_version=[1])
    assert (changed.value, changed.limit, changed.version) == (Decimal("12.5"), 7, created.version + 1)
    assert commands.change_voucher("TEN", {"limit": 7}).version == changed.version
    with pytest.raises(Unacceptable):
        commands.change_voucher("TEN", {"kind": "amount"})


def test_a_limit_is_neither_added_nor_taken_away() -> None:
    commands.create_voucher("TEN", TEN_PERCENT)
    commands.create_voucher("ONCE", {**TEN_PERCENT, "limit": 1})
    for code, change in (("TEN", {"limit": 1}), ("TEN", {"limit_per_buyer": 1}), ("ONCE", {"limit": None})):
        with pytest.raises(LimitStays):
            commands.change_voucher(code, change)
    assert commands.change_voucher("ONCE", {"limit": None, "limit_per_buyer": 1}).limit is None


# --- What orders do ---


@pytest.mark.parametrize("limit", [None, 3])
def test_an_order_holds_redeems_and_releases_its_voucher(
    limit: int | None, order_with: Callable[..., OrderNumber], consume: PublishAll, published: Published
) -> None:
    commands.create_voucher("TEN", {**TEN_PERCENT, "name": "Ten off", "limit": limit})
    order = order_with("TEN")
    claim = f"V{order[1:]}-TEN"
    placed = Order.objects.get(pk=order)
    assert [(given.code, given.name, given.amount) for given in placed.discounts] == [
        ("TEN", "Ten off", Money("10.50", "USD"))
    ]
    assert (placed.total, placed.vouchers, claims()) == (Money("94.50", "USD"), ["TEN"], {claim: "held"})
    assert uses("TEN") == ((1, 0) if limit else (0, 0))
    confirm(consume, order)
    assert claims() == {claim: "redeemed"}
    assert uses("TEN") == ((0, 1) if limit else (0, 0))
    commands.cancel_order(order, CancellationReason.BY_BUYER)
    assert claims() == {claim: "redeemed"}
    consume(fulfillment_contracts.ShipmentCancelled(order=order, shipment="S-1-1", reason="by_buyer"))
    assert claims() == {claim: "released"}
    assert uses("TEN") == (0, 0)


def test_an_unpaid_order_that_is_cancelled_releases_its_voucher(
    order_with: Callable[..., OrderNumber], consume: PublishAll
) -> None:
    commands.create_voucher("ONCE", {**TEN_PERCENT, "limit": 1})
    first = order_with("ONCE")
    with pytest.raises(VoucherNotApplied) as refused:
        order_with("ONCE", buyer="B-2")
    assert reasons(refused) == [("/vouchers/0", "voucher ONCE does not apply: it is used up")]
    commands.cancel_order(first, CancellationReason.BY_BUYER)
    second = order_with("ONCE", buyer="B-2")
    total = Order.objects.get(pk=first).total
    consume(billing_contracts.PaymentSucceeded(order=first, payment=PAYMENT, amount=total))  # too late
    assert claims() == {f"V{first[1:]}-ONCE": "released", f"V{second[1:]}-ONCE": "held"}
    assert uses("ONCE") == (1, 0)


def test_expiry_after_holding_changes_nothing(order_with: Callable[..., OrderNumber], consume: PublishAll) -> None:
    until = clock.now() + timedelta(minutes=5)
    commands.create_voucher("SOON", {**TEN_PERCENT, "limit": 2, "valid_until": until})
    order = order_with("SOON")
    commands.change_voucher("SOON", {"valid_until": clock.now()})
    with clock.moved(timedelta(minutes=6)):
        confirm(consume, order)
        assert uses("SOON") == (0, 1)
        assert Order.objects.get(pk=order).status == "confirmed"
        with pytest.raises(VoucherNotApplied, match="it was valid until"):
            order_with("SOON")


def test_a_limit_is_not_set_below_the_orders_that_use_the_voucher(order_with: Callable[..., OrderNumber]) -> None:
    commands.create_voucher("FEW", {**TEN_PERCENT, "limit": 3})
    order_with("FEW")
    order_with("FEW")
    with pytest.raises(LimitBelowUse):
        commands.change_voucher("FEW", {"limit": 1})
    commands.change_voucher("FEW", {"limit": 2})
    with pytest.raises(VoucherNotApplied):
        order_with("FEW")


def test_a_limit_per_buyer_counts_guests_by_their_address(order_with: Callable[..., OrderNumber]) -> None:
    commands.create_voucher("ONE-EACH", {**TEN_PERCENT, "limit_per_buyer": 1})
    first = order_with("ONE-EACH")
    order_with("ONE-EACH", buyer="B-2")
    with pytest.raises(VoucherNotApplied, match="this buyer can use it for 1 orders at most"):
        order_with("ONE-EACH")
    order_with("ONE-EACH", buyer="G-1", email="Ada@Example.com")
    with pytest.raises(VoucherNotApplied):
        order_with("ONE-EACH", buyer="G-2", email=" ada@example.com")
    commands.cancel_order(first, CancellationReason.BY_BUYER)
    order_with("ONE-EACH")
    assert uses("ONE-EACH") == (3, 0)
    assert "ada" not in repr(list(VoucherClaim.objects.values_list("claimant"))).lower()


def test_each_voucher_that_does_not_apply_has_its_reason_and_nothing_is_placed(
    order_with: Callable[..., OrderNumber],
) -> None:
    commands.create_voucher("TEN", {**TEN_PERCENT, "limit": 9})
    commands.create_voucher("RICH", {**FIVE, "minimum": Money("500", "USD")})
    commands.create_voucher("ALONE", {**TEN_PERCENT, "exclusive": True})
    with pytest.raises(VoucherNotApplied) as refused:
        order_with("TEN", "RICH", "NONE", "TEN", "ALONE")
    assert reasons(refused) == [
        ("/vouchers/1", "voucher RICH does not apply: the goods must cost at least 500.00 USD"),
        ("/vouchers/2", "voucher NONE does not apply: there is no such voucher"),
        ("/vouchers/3", "voucher TEN does not apply: it is used in this order already"),
        ("/vouchers/4", "voucher ALONE does not apply: it cannot be combined with TEN"),
    ]
    assert not Order.objects.exists()
    assert not VoucherClaim.objects.exists()
    assert uses("TEN") == (0, 0)


def test_several_vouchers_reduce_what_the_earlier_ones_left(order_with: Callable[..., OrderNumber]) -> None:
    commands.create_voucher("TEN", TEN_PERCENT)
    commands.create_voucher("FIVE", {**FIVE, "limit": 2})
    order = Order.objects.get(pk=order_with("FIVE", "TEN"))
    assert [given.amount for given in order.discounts] == [Money("5", "USD"), Money("10", "USD")]
    assert Order.objects.get().total == Money("90", "USD")
    assert len(claims()) == 2


def test_an_exclusive_voucher_leaves_no_discount_for_loyal_buyers(order_with: Callable[..., OrderNumber]) -> None:
    order_with()
    commands.grant_discount(BuyerId("B-1"), 10, "spent a lot")
    commands.create_voucher("ALONE", {**FIVE, "exclusive": True})
    order = Order.objects.get(pk=order_with("ALONE"))
    assert [given.code for given in order.discounts] == ["ALONE"]


def test_statements_of_placing_with_a_voucher(
    order_with: Callable[..., OrderNumber], statements: Callable[[], Any]
) -> None:
    commands.create_voucher("FREE", TEN_PERCENT)
    commands.create_voucher("FEW", {**TEN_PERCENT, "limit": 9})
    commands.create_voucher("EACH", {**TEN_PERCENT, "limit_per_buyer": 9})
    counts = {}
    for code in ("", "FREE", "FEW", "EACH"):
        order_with(*filter(None, [code]))  # the first order of a kind prepares statements
        with statements() as seen:
            order_with(*filter(None, [code]))
        counts[code] = len(seen)
        locks = [sql for sql in seen if "ordering_voucher" in sql and "FOR NO KEY UPDATE" in sql]
        assert code not in ("", "FREE") or not locks
    assert counts["FREE"] == counts[""]
    assert counts["FEW"] == counts[""] + 1
    assert counts["EACH"] == counts[""] + 2


def test_erasing_a_guest_erases_the_hash_of_their_address(
    order_with: Callable[..., OrderNumber], compare_rows_with_history: Callable[[], set[str]]
) -> None:
    commands.create_voucher("TEN", {**TEN_PERCENT, "limit_per_buyer": 2})
    order = order_with("TEN", buyer="G-1", email="ada@example.com")
    commands.cancel_order(order, CancellationReason.BY_BUYER)
    claim = VoucherClaim.objects.get()
    assert claim.claimant == email_hash("ada@example.com") != ""
    commands.erase_buyer(BuyerId("G-1"))
    claim.refresh_from_db()
    assert claim.claimant == ""
    assert "voucher_claim" in compare_rows_with_history()
