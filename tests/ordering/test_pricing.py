"""Orders use the shop's own prices, and a buyer who has spent more than 6,000 gets a discount of 10 %."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from config.verification import verify
from integration.contracts.billing import PaymentSucceeded
from integration.contracts.fulfillment import ShipmentCancelled
from integration.contracts.inventory import StockReserved
from integration.domain.address import Address
from integration.domain.errors import UnacceptableInput
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, PaymentMethodId, ShipmentId, Sku
from integration.domain.money import Money
from integration.read_models.catch_up import catch_up
from ordering.commands import cancel_order, change_product, list_products, place_order
from ordering.models import Buyer, CancellationReason, History, LifetimeSpend, Order

pytestmark = pytest.mark.django_db

PRICES = {"PEN": "1.00", "DESK": "3000.00", "CLOCK": "2999.99", "COIN": "0.01", "TEA": "0.05"}

Buy = Callable[..., Order]


@pytest.fixture
def buy(address: Address) -> Buy:
    """Place an order of one SKU, without any further step of the order."""
    list_products([(Sku(sku), sku.title(), "", Money(price, "USD")) for sku, price in PRICES.items()])

    def order(sku: str, quantity: int = 1, buyer: str = "B-1") -> Order:
        return place_order(BuyerId(buyer), [(Sku(sku), quantity)], address, PaymentMethodId("pm_card_visa"))

    return order


@pytest.fixture
def pay(publish_all: Callable[..., None], drain: Callable[..., int]) -> Callable[[Order], Order]:
    """Confirm an order by the contracts that its goods are reserved and its payment succeeded."""

    def confirm(order: Order) -> Order:
        number = OrderNumber(order.number)
        publish_all(
            StockReserved(order=number), PaymentSucceeded(order=number, payment=PaymentId("P-0-1"), amount=order.total)
        )
        drain("ordering")
        order.refresh_from_db()
        assert order.status == "confirmed"
        return order

    return confirm


@pytest.fixture
def cancel_confirmed(publish_all: Callable[..., None], drain: Callable[..., int]) -> Callable[[Order], None]:
    """Cancel a confirmed order, which fulfillment accepts."""

    def cancel(order: Order) -> None:
        cancel_order(OrderNumber(order.number), CancellationReason.BY_BUYER)
        publish_all(ShipmentCancelled(order=OrderNumber(order.number), shipment=ShipmentId("S-0-1"), reason="by_buyer"))
        drain("ordering")

    return cancel


Change = Callable[[Order], object]


def _percent(buyer: str = "B-1") -> int:
    return Buyer.objects.get(pk=buyer).discount_percent


def test_an_order_uses_the_prices_of_the_moment_it_is_placed(buy: Buy) -> None:
    before = buy("DESK")
    change_product(Sku("DESK"), {"price": Money("3500", "USD")})
    after = buy("DESK")

    assert before.total == Money("3000", "USD")
    assert after.total == Money("3500", "USD")
    assert Order.objects.get(pk=before.number).total == Money("3000", "USD")


def test_a_product_that_is_not_on_sale_cannot_be_ordered(buy: Buy) -> None:
    change_product(Sku("DESK"), {"on_sale": False})

    with pytest.raises(UnacceptableInput):
        buy("DESK")

    assert not Order.objects.exists()


def test_a_spend_above_six_thousand_gives_ten_percent(buy: Buy, pay: Change) -> None:
    pay(buy("DESK"))
    pay(buy("DESK"))
    assert _percent() == 0

    pay(buy("COIN"))
    assert _percent() == 10

    rewarded = buy("PEN", 3)
    assert (rewarded.subtotal, rewarded.discount, rewarded.total) == (
        Money("3.00", "USD"),
        Money("0.30", "USD"),
        Money("2.70", "USD"),
    )


def test_a_spend_of_exactly_six_thousand_gives_no_discount(buy: Buy, pay: Change) -> None:
    pay(buy("DESK", 2))

    assert Buyer.objects.get().spend == Money("6000", "USD")
    assert _percent() == 0
    assert buy("PEN").discount == Money.zero("USD")


def test_one_cent_above_six_thousand_gives_the_discount(buy: Buy, pay: Change) -> None:
    pay(buy("CLOCK", 2))
    pay(buy("COIN"))
    pay(buy("COIN"))
    assert (Buyer.objects.get().spend, _percent()) == (Money("6000", "USD"), 0)

    pay(buy("COIN"))
    assert (Buyer.objects.get().spend, _percent()) == (Money("6000.01", "USD"), 10)


def test_a_single_order_can_reach_the_discount(buy: Buy, pay: Change) -> None:
    pay(buy("DESK", 3))

    assert _percent() == 10


def test_unpaid_orders_do_not_count(buy: Buy) -> None:
    buy("DESK", 5)

    assert (Buyer.objects.get().spend, _percent()) == (Money.zero("USD"), 0)


def test_orders_placed_before_the_discount_keep_their_price(buy: Buy, pay: Change) -> None:
    unpaid = buy("PEN", 10)
    pay(buy("DESK", 3))

    assert Order.objects.get(pk=unpaid.number).discount == Money.zero("USD")


def test_the_spend_counts_totals_after_the_discount(buy: Buy, pay: Change) -> None:
    pay(buy("DESK", 3))
    pay(buy("DESK"))

    assert Buyer.objects.get().spend == Money("11700", "USD")


def test_a_cancellation_lowers_the_spend_and_ends_the_discount(buy: Buy, pay: Change, cancel_confirmed: Change) -> None:
    pay(buy("DESK", 2))
    second = pay(buy("PEN"))
    assert _percent() == 10

    cancel_confirmed(second)  # type: ignore[arg-type]

    assert (Buyer.objects.get().spend, _percent()) == (Money("6000", "USD"), 0)
    assert buy("PEN").discount == Money.zero("USD")


def test_a_cancellation_that_leaves_more_than_six_thousand_does_not_end_the_discount(
    buy: Buy, pay: Change, cancel_confirmed: Change
) -> None:
    pay(buy("DESK", 3))
    second = pay(buy("PEN", 10))

    cancel_confirmed(second)  # type: ignore[arg-type]

    assert (Buyer.objects.get().spend, _percent()) == (Money("9000", "USD"), 10)


def test_the_discount_is_granted_once_and_can_be_earned_again(buy: Buy, pay: Change, cancel_confirmed: Change) -> None:
    first = pay(buy("DESK", 3))
    pay(buy("DESK"))
    cancel_confirmed(first)  # type: ignore[arg-type]
    pay(buy("DESK", 3))

    changes = History.objects.filter(name="ordering.buyer_discount_changed").order_by("version")
    assert [entry.data["percent"] for entry in changes] == [10, 0, 10]


def test_the_discount_applies_to_one_buyer_only(buy: Buy, pay: Change) -> None:
    pay(buy("DESK", 3))

    assert buy("PEN", 10, buyer="B-2").discount == Money.zero("USD")


@pytest.mark.parametrize(("currency", "price"), [("JPY", "3000"), ("EUR", "3000.00"), ("KWD", "3000.000")])
def test_orders_in_other_currencies_are_accounted_in_their_own(
    buy: Buy, pay: Change, currency: str, price: str
) -> None:
    change_product(Sku("DESK"), {"price": Money(price, currency)})

    pay(buy("DESK"))

    catch_up(LifetimeSpend.read_model)
    assert [row.spend for row in LifetimeSpend.objects.all()] == [Money(price, currency)]


def test_orders_in_other_currencies_do_not_count(buy: Buy, pay: Change) -> None:
    change_product(Sku("DESK"), {"price": Money("3000", "EUR")})

    pay(buy("DESK", 3))

    assert (Buyer.objects.get().spend, _percent()) == (Money.zero("USD"), 0)


@pytest.mark.parametrize(("currency", "price"), [("JPY", "3000"), ("EUR", "3000.00"), ("KWD", "3000.000")])
class TestANewCurrencyOfTheShop:
    """A buyer who is registered does not keep the currency of the moment they registered."""

    @pytest.fixture(autouse=True)
    def change_currency(self, buy: Buy, pay: Change, settings: Any, currency: str, price: str) -> None:
        pay(buy("PEN", 5))
        change_product(Sku("DESK"), {"price": Money(price, currency)})
        pay(buy("DESK"))  # does not count yet
        assert Buyer.objects.get().spend == Money("5.00", "USD")
        settings.SHOP_CURRENCY = currency

    @pytest.fixture(autouse=True)
    def verified(self, change_currency: None) -> Iterator[None]:
        yield
        found = verify(["ordering.spend", "read_models.lifetime", "events.rows"])
        assert [finding.complaints for finding in found.values()] == [[]] * 3

    def test_all_orders_in_it_count_and_earn_the_discount(self, buy: Buy, pay: Change, currency: str) -> None:
        pay(buy("DESK", 2))

        assert (Buyer.objects.get().spend, _percent()) == (Money("9000", currency), 10)

    def test_of_two_orders_that_are_confirmed_at_once_both_count_once(
        self, buy: Buy, publish_all: Callable[..., None], drain: Callable[..., int], currency: str
    ) -> None:
        orders = [buy("DESK"), buy("DESK")]
        publish_all(*(StockReserved(order=OrderNumber(order.number)) for order in orders))
        drain("ordering")
        paid = [(OrderNumber(order.number), PaymentId(f"P-{order.number}"), order.total) for order in orders]
        publish_all(*(PaymentSucceeded(order=order, payment=id, amount=total) for order, id, total in paid))
        drain("ordering")

        assert Buyer.objects.get().spend == Money("9000", currency)

    def test_a_cancelled_order_in_it_does_not_count(self, cancel_confirmed: Change, currency: str) -> None:
        cancel_confirmed(Order.objects.get(currency=currency))

        assert Buyer.objects.get().spend == Money.zero(currency)

    def test_the_cancellation_of_an_order_in_the_earlier_one_lowers_nothing(
        self, buy: Buy, pay: Change, cancel_confirmed: Change, currency: str
    ) -> None:
        pay(buy("DESK"))

        cancel_confirmed(Order.objects.get(currency="USD"))

        assert Buyer.objects.get().spend == Money("6000", currency)


def test_a_discount_is_rounded_half_to_even(buy: Buy, pay: Change) -> None:
    pay(buy("DESK", 3))

    discounts = {quantity: buy("TEA", quantity).discount.minor for quantity in (1, 3, 5)}

    assert discounts == {1: 0, 3: 2, 5: 2}
