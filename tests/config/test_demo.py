"""A demo carries every kind of order to its end, prints the results, and never waits for ever."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from random import Random
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Sum

from billing.gateways.sandbox.adapter import SandboxProvider
from billing.reconciliation import open_discrepancies
from config.shop.carry import NotCarriedThrough, carry_on
from config.shop.demo_orders import Kind, wishes
from config.shop.demo_shop import fill_demo_shop
from fulfillment.models import Return, Shipment
from integration.aggregates.direct_writes import bypassing_history
from integration.domain.identifiers import OrderNumber, Sku
from integration.messaging.models import Delivery, Status
from integration.messaging.retries import Retries
from inventory.models import StockItem
from ordering.commands import change_product
from ordering.models import Cart, Order, Product, VoucherClaim

pytestmark = pytest.mark.django_db

Placed = Callable[..., OrderNumber]


def demo(*, work: bool = False, **options: Any) -> str:
    output = StringIO()
    call_command("demo", stdout=output, work=work, **options)
    return output.getvalue()


def ends() -> Counter[tuple[str, str]]:
    return Counter(Order.objects.values_list("status", "cancellation_reason"))


class TestOrders:
    def test_reach_every_end(self) -> None:
        demo(orders=10)

        assert ends() == {
            ("delivered", ""): 5,
            ("cancelled", "payment_failed"): 2,
            ("cancelled", "by_buyer"): 2,
            ("cancelled", "out_of_stock"): 1,
        }
        assert set(Delivery.objects.values_list("status", flat=True)) == {Status.DONE}
        assert sorted(len(order.shipments) for order in Order.objects.filter(status="delivered")) == [1, 1, 1, 1, 2]

    def test_five_reach_every_kind_of_end(self) -> None:
        demo(orders=5)

        assert len(ends()) == 4

    def test_a_single_order_is_delivered(self) -> None:
        output = demo(orders=1)

        assert ends() == {("delivered", ""): 1}
        assert "was delivered in shipment" in output

    def test_leave_no_debt_and_no_reserved_goods(self) -> None:
        demo(orders=10)

        for order in Order.objects.all():
            owed = order.total_minor if order.status == "delivered" else 0
            assert order.paid_minor - order.refunded_minor == owed
        assert Order.objects.filter(refunded_minor__gt=0).count() == 1
        assert StockItem.objects.aggregate(Sum("reserved"))["reserved__sum"] == 0

    def test_are_the_same_for_the_same_seed(self) -> None:
        fill_demo_shop()

        assert wishes(12, Random(7)) == wishes(12, Random(7)) != wishes(12, Random(8))
        kinds = Counter(wish.kind for wish in wishes(12, Random(7)))
        assert (kinds[Kind.GOOD], kinds[Kind.TWO_PARCELS]) == (5, 1)

    def test_may_exceed_the_opening_stock(self) -> None:
        fill_demo_shop()
        plenty = StockItem.objects.filter(on_hand__gt=3)
        with bypassing_history():
            plenty.update(on_hand=4)

        demo(orders=10)

        assert ends()["delivered", ""] == 5

    def test_are_placed_in_a_filled_shop(self) -> None:
        demo(orders=5)

        demo(orders=5)

        assert Order.objects.count() == 10

    def test_are_not_placed_for_products_that_are_not_on_sale(self) -> None:
        fill_demo_shop()
        for sku in list(Product.objects.values_list("pk", flat=True))[1:]:
            change_product(Sku(sku), {"on_sale": False})

        demo(orders=5)

        assert Order.objects.count() == 5


class TestReport:
    def test_shows_ends_and_money_and_one_story(self) -> None:
        output = demo(orders=10, seed=1)

        lines = [line.split() for line in output.splitlines()]
        assert ["│", "delivered", "│", "│", "5", "│"] in [line[:6] for line in lines]
        assert ["│", "all", "│", "│", "10", "│"] in [line[:6] for line in lines]
        assert "payment failed" in output
        for context in ("ordering order", "inventory reservation", "billing payment", "fulfillment shipment"):
            assert context in output

    def test_shows_each_event_below_its_cause(self) -> None:
        story = demo(orders=1).partition("The story of")[2].splitlines()

        lines = [(line.strip("│├└─ "), len(line) - len(line.lstrip("│├└─ "))) for line in story]

        def depth(words: str) -> int:
            return next(depth for line, depth in lines if words in line)

        causes = ["was placed for", "were reserved for order", "A payment of", "The payment of", "was paid with"]
        assert [depth(cause) for cause in causes] == sorted({depth(cause) for cause in causes})
        assert depth("was handed to") == depth("was placed for")


class TestWork:
    def test_is_left_for_an_operator(self) -> None:
        output = demo(orders=1, work=True)

        held = Order.objects.get(order_holds__isnull=False)
        (guests,) = Cart.objects.filter(status="checked_out").values_list("became", flat=True)
        assert Shipment.objects.filter(status="arranged").exclude(order__in=[held.pk, guests]).count() == 2
        assert Cart.objects.filter(status="open").count() == 1
        assert [claim.order for claim in VoucherClaim.objects.filter(status="redeemed")] == [guests]
        assert [each.status for each in Return.objects.all()] == ["approved"]
        assert Shipment.objects.filter(status="lost").count() == 1
        assert Delivery.objects.filter(status=Status.DEAD).exists()
        assert open_discrepancies().count() == 1
        assert [item for item in StockItem.objects.all() if item.level == "low"]
        assert "2 parcels to send, a dead letter, a discrepancy, low stock, goods in quarantine" in " ".join(
            output.split()
        )

    def test_is_not_heaped_up(self) -> None:
        demo(orders=1, work=True)
        dead = Delivery.objects.filter(status=Status.DEAD).count()
        demo(orders=1, work=True)

        assert Delivery.objects.filter(status=Status.DEAD).count() == dead
        assert (Return.objects.count(), Cart.objects.count()) == (1, 2)
        assert open_discrepancies().count() == 1

    def test_is_left_unless_it_is_declined(self) -> None:
        output = StringIO()
        call_command("demo", "--orders", "1", "--no-work", stdout=output)

        assert not Shipment.objects.filter(status="arranged").exists()
        assert "Left for an operator" not in output.getvalue()


class TestBadInput:
    @pytest.mark.parametrize("orders", [0, -1])
    def test_a_number_of_orders_below_one_is_refused(self, orders: int) -> None:
        with pytest.raises(CommandError, match="--orders must be 1 or more"):
            demo(orders=orders)

    def test_a_number_must_be_a_number(self) -> None:
        with pytest.raises(CommandError, match="invalid int value: 'many'"):
            call_command("demo", "--orders", "many")

    def test_a_timeout_of_zero_is_refused(self) -> None:
        with pytest.raises(CommandError, match="--timeout"):
            demo(timeout=0)

    def test_a_shop_that_sells_nothing_says_so(self) -> None:
        fill_demo_shop()
        for sku in Product.objects.values_list("pk", flat=True):
            change_product(Sku(sku), {"on_sale": False})

        with pytest.raises(CommandError, match="sells none of the demo's goods"):
            demo()


class TestTimeout:
    def test_names_the_deliveries_that_are_still_pending(self, settings: Any) -> None:
        settings.SANDBOX_FAILURE_RATE = 2.0

        with pytest.raises(CommandError) as refusal:
            demo(orders=1, timeout=0.2)

        assert "Still pending after 0.2 s without progress:\n" in str(refusal.value)
        assert "1 × billing.collect-payment (0 attempts): OutcomeUnknown: The external system did not respond" in str(
            refusal.value
        )

    def test_does_not_wait_for_dead_letters(
        self, settings: Any, placed: Placed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SandboxProvider, "charge", lambda *args: 1 / 0)
        settings.EXTERNAL_MAX_ATTEMPTS = 1
        order = Order.objects.get(pk=placed())

        with pytest.raises(NotCarriedThrough, match=r"Dead letters.*:\n  1 × billing.collect-payment .1 att"):
            carry_on({order.correlation_id})

    def test_is_longer_than_a_short_outage(
        self, settings: Any, placed: Placed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.SANDBOX_FAILURE_RATE = 2.0
        monkeypatch.setattr(Retries, "wait", lambda *args: timedelta(milliseconds=300))
        monkeypatch.setattr(
            "config.shop.carry.time.sleep", lambda seconds: setattr(settings, "SANDBOX_FAILURE_RATE", 0.0)
        )
        order = Order.objects.get(pk=placed())

        carry_on({order.correlation_id})

        order.refresh_from_db()
        assert order.status == "confirmed"

    def test_counts_only_for_the_given_stories(self, placed: Placed) -> None:
        waits, ours = (Order.objects.get(pk=placed()) for _ in range(2))
        later = Delivery.objects.filter(message__correlation_id=waits.correlation_id)
        later.update(due_at=waits.created_at + timedelta(hours=1))

        carry_on({ours.correlation_id})

        assert Order.objects.get(pk=ours.pk).status == "confirmed"
        assert Order.objects.get(pk=waits.pk).status == "pending"

    def test_without_stories_nothing_is_awaited(self) -> None:
        carry_on([])
