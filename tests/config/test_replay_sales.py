"""A replayed sale is placed once, as a usual order, and every row of the file is accounted for."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from config.shop import replay as replaying
from config.shop.replay import address_of, place, story_of
from config.shop.sales import Sale
from config.shop.sales_export import read_sales
from config.shop.sales_rows import COLUMNS
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from integration.messaging.models import Message
from inventory.commands import adjust_stock
from inventory.models import StockItem
from ordering.commands import change_product
from ordering.models import Buyer, History, Order, Product

pytestmark = pytest.mark.django_db

Rows = Sequence[Mapping[str, str]]

MUG = {
    "InvoiceNo": "536365",
    "StockCode": "85123A",
    "Description": "ENAMEL MUG",
    "Quantity": "6",
    "InvoiceDate": "2010-12-01 08:26:00",
    "UnitPrice": "2.55",
    "CustomerID": "17850",
    "Country": "United Kingdom",
}
LAMP = MUG | {"StockCode": "71053", "Description": "LAMP", "Quantity": "2", "UnitPrice": "10.00"}
OF_ANOTHER = MUG | {"InvoiceNo": "536366", "CustomerID": "13047", "Country": "EIRE"}
CANCELLED = MUG | {"InvoiceNo": "C536379", "Quantity": "-1"}
POSTAGE = MUG | {"StockCode": "POST"}
UNKNOWN_BUYER = MUG | {"InvoiceNo": "536367", "CustomerID": ""}

TWO_SALES = (MUG, LAMP, OF_ANOTHER)
DIRTY = (MUG, POSTAGE, LAMP, CANCELLED, OF_ANOTHER, UNKNOWN_BUYER)


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Path]:
    """Write a sales export with these rows; returns its path."""

    def write(*rows: Mapping[str, str], name: str = "sales.csv") -> Path:
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        return tmp_path / name

    return write


def replay(path: Path, **options: Any) -> str:
    output = StringIO()
    call_command("replay_sales", path, stdout=output, **options)
    return output.getvalue()


def ends() -> Counter[tuple[str, str]]:
    return Counter(Order.objects.values_list("status", "cancellation_reason"))


class TestOrders:
    def test_every_sale_is_placed_and_paid(self, export: Callable[..., Path]) -> None:
        replay(export(*TWO_SALES))

        assert ends() == {("confirmed", ""): 2}
        first = Order.objects.get(buyer="C-17850")
        Order.load_parts([first])
        assert {(line.sku, line.quantity) for line in first.lines} == {("85123A", 6), ("71053", 2)}
        assert first.total == first.paid == Money("35.30", "GBP")
        assert set(Buyer.objects.values_list("pk", flat=True)) == {"C-17850", "C-13047"}

    def test_are_all_delivered_with_ship(self, export: Callable[..., Path]) -> None:
        output = replay(export(*TWO_SALES), ship=True)

        assert ends() == {("delivered", ""): 2}
        assert re.search(r"delivered +│ +│ +2 │ +50\.60 GBP │ +50\.60 GBP │ +0\.00 GBP", output)

    def test_show_their_invoice(self, export: Callable[..., Path]) -> None:
        replay(export(*TWO_SALES), ship=True)

        shipments = {order.buyer_id: order.shipments for order in Order.objects.all()}
        assert shipments["C-17850"][0]["tracking_number"] == "536365"
        assert History.objects.filter(name="ordering.order_placed", actor="sales-export:536366").count() == 1

    def test_are_sent_to_the_country_of_the_customer(self, export: Callable[..., Path]) -> None:
        replay(export(*TWO_SALES))

        address = Order.objects.get(buyer="C-13047").shipping_address
        assert (address["recipient"], address["country"]) == ("Customer 13047", "IE")
        [british, irish] = read_sales(export(*TWO_SALES)).sales
        assert address_of(british) == address_of(british) != address_of(irish)

    def test_have_the_currency_of_the_option(self, export: Callable[..., Path]) -> None:
        replay(export(MUG), currency="EUR")

        assert Order.objects.get().total == Money("15.30", "EUR")

    @pytest.mark.parametrize(
        ("currency", "price", "total"), [("JPY", "255", "1530"), ("USD", "2.555", "15.36"), ("KWD", "1.255", "7.530")]
    )
    def test_have_the_decimals_of_their_currency(
        self, export: Callable[..., Path], currency: str, price: str, total: str
    ) -> None:
        replay(export(MUG | {"UnitPrice": price}), currency=currency)

        assert Order.objects.get().total == Money(total, currency)


class TestCancelledGoods:
    def test_come_back_after_the_delivery_or_are_cancelled_on_the_day_of_the_sale(
        self, export: Callable[..., Path]
    ) -> None:
        later = CANCELLED | {"InvoiceNo": "C2", "InvoiceDate": "2010-12-05 10:00:00", "Quantity": "-2"}
        whole = OF_ANOTHER | {"InvoiceNo": "C3", "Quantity": "-6"}
        foreign = CANCELLED | {"InvoiceNo": "C4", "CustomerID": "1"}
        path = export(*TWO_SALES, CANCELLED, later, whole, foreign)

        for _ in range(2):  # the second run finds what the first has done
            output = replay(path, ship=True)

            assert ends() == {("delivered", ""): 1, ("cancelled", "by_buyer"): 1}
            order = Order.objects.get(buyer="C-17850")
            Order.load_parts([order])
            assert {line.sku: (line.cancelled, line.returned) for line in order.lines} == {
                "85123A": (1, 2),
                "71053": (0, 0),
            }
            assert order.refunded == Money("7.65", "GBP")
            sentence = "3 of 4 invoices that cancel goods match an order: 2 cancellations and 1 returns."
            assert sentence in output.splitlines()
        assert StockItem.objects.get(pk="85123A").on_hand == 9  # six of the other order, a cancelled one, two returned

    def test_are_cancelled_if_nothing_is_shipped(self, export: Callable[..., Path]) -> None:
        later = CANCELLED | {"InvoiceDate": "2010-12-05 10:00:00"}
        output = replay(export(*TWO_SALES, later))

        assert ends() == {("confirmed", ""): 2}
        assert "1 of 1 invoices that cancel goods match an order: 1 cancellations and 0 returns." in output


class TestStock:
    def test_is_what_all_sales_take(self, export: Callable[..., Path]) -> None:
        replay(export(*TWO_SALES), ship=True)

        assert list(StockItem.objects.values_list("on_hand", "reserved").order_by("pk")) == [(0, 0), (0, 0)]

    def test_may_be_limited_and_then_some_sales_fail(self, export: Callable[..., Path]) -> None:
        output = replay(export(*TWO_SALES), stock=7, ship=True)

        assert ends() == {("delivered", ""): 1, ("cancelled", "out_of_stock"): 1}
        assert "out of stock" in output

    def test_of_none_delivers_nothing(self, export: Callable[..., Path]) -> None:
        replay(export(*TWO_SALES), stock=0, ship=True)

        assert ends() == {("cancelled", "out_of_stock"): 2}

    def test_of_an_existing_product_is_filled_up(self, export: Callable[..., Path]) -> None:
        replay(export(MUG), stock=10)

        replay(export(*TWO_SALES), ship=True)

        assert ends() == {("delivered", ""): 2}
        assert StockItem.objects.get(pk="85123A").on_hand == 0

    def test_of_the_option_is_not_received_twice(self, export: Callable[..., Path]) -> None:
        for _ in range(2):
            replay(export(MUG), stock=10)

        assert StockItem.objects.get(pk="85123A").on_hand == 10


class TestRunAgain:
    def test_places_nothing_twice(self, export: Callable[..., Path]) -> None:
        replay(export(*TWO_SALES), ship=True)
        before = Message.objects.count()

        output = replay(export(*TWO_SALES), ship=True)

        assert (Order.objects.count(), Message.objects.count()) == (2, before)
        assert "2 of 2 invoices were orders before this run" in output

    def test_places_what_is_new_in_another_file(self, export: Callable[..., Path]) -> None:
        replay(export(MUG, LAMP), ship=True)

        replay(export(*TWO_SALES, name="later.csv"), ship=True)

        assert ends() == {("delivered", ""): 2}

    def test_ships_what_was_only_placed(self, export: Callable[..., Path]) -> None:
        replay(export(*TWO_SALES))

        replay(export(*TWO_SALES), ship=True)

        assert ends() == {("delivered", ""): 2}

    def test_goes_on_where_it_was_stopped(self, export: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
        def stop_after_first(sale: Sale) -> None:
            if Order.objects.exists():
                raise KeyboardInterrupt
            place(sale)

        with monkeypatch.context() as patched:
            patched.setattr(replaying, "place", stop_after_first)
            with pytest.raises(CommandError, match="Run it again") as stopped:
                replay(export(*TWO_SALES), ship=True)
        assert stopped.value.returncode == 130
        assert ends() == {("pending", ""): 1}

        replay(export(*TWO_SALES), ship=True)

        assert ends() == {("delivered", ""): 2}
        assert set(StockItem.objects.values_list("on_hand", flat=True)) == {0}

    def test_a_sale_placed_in_the_meantime_is_not_placed_again(self, export: Callable[..., Path]) -> None:
        path = export(MUG)
        replay(path)

        place(read_sales(path).sales[0])

        assert Order.objects.count() == 1

    def test_one_number_of_two_customers_is_two_sales(self, export: Callable[..., Path]) -> None:
        replay(export(MUG))
        replay(export(MUG | {"CustomerID": "1"}, name="of-another-shop.csv"))

        assert Order.objects.count() == 2

    def test_finds_what_was_replayed_last_year(self, export: Callable[..., Path]) -> None:
        [sale] = read_sales(export(MUG)).sales

        assert str(story_of(sale)) == "0d8ca974-8251-5d04-a8d4-995a21235f0c"


class TestReport:
    def test_accounts_for_every_row(self, export: Callable[..., Path]) -> None:
        output = replay(export(*DIRTY))

        assert "6 rows = 4 used + 2 left out" in output.splitlines()
        rows = {reason.strip(): int(count) for count, reason in re.findall(r"│ +(\d+) │ ([^│]+)", output)}
        assert rows["used, in 2 accepted invoices and 1 that cancel goods of those"] == 4
        assert rows["left out: it names no customer"] == 1
        assert sum(count for what, count in rows.items() if what.startswith("left out")) == 2
        assert rows["in all"] == 6

    def test_separates_thousands(self, export: Callable[..., Path]) -> None:
        rows = [CANCELLED] * 1_234

        assert "1,235 rows = 7 used + 1,228 left out" in replay(export(MUG, *rows)).splitlines()

    def test_a_limit_is_a_reason_too(self, export: Callable[..., Path]) -> None:
        output = replay(export(*TWO_SALES), limit=1)

        assert Order.objects.count() == 1
        assert "3 rows = 2 used + 1 left out" in output
        assert "beyond the limit" in output

    def test_an_export_without_sales_has_nothing_to_place(self, export: Callable[..., Path]) -> None:
        output = replay(export(CANCELLED), ship=True)

        assert not Order.objects.exists()
        assert "1 rows = 0 used + 1 left out" in output


class TestFailure:
    def test_of_an_accepted_sale_fails_the_command(self, export: Callable[..., Path]) -> None:
        path = export(*TWO_SALES)
        replay(path, stock=7)

        with pytest.raises(CommandError, match=r"1 of 2 accepted invoices were not delivered.*out of stock"):
            replay(path, ship=True)

    def test_of_the_provider_is_reported(self, export: Callable[..., Path], settings: Any) -> None:
        settings.SANDBOX_FAILURE_RATE = 2.0

        with pytest.raises(CommandError, match=r"2 × billing\.collect-payment .*OutcomeUnknown"):
            replay(export(*TWO_SALES), timeout=0.2)

    def test_names_the_product_that_is_not_on_sale(self, export: Callable[..., Path]) -> None:
        replay(export(MUG))
        change_product(Sku("85123A"), {"on_sale": False})

        with pytest.raises(CommandError, match="product 85123A is not on sale"):
            replay(export(*TWO_SALES))

    def test_goods_that_were_removed_are_received_again(self, export: Callable[..., Path]) -> None:
        replay(export(MUG), stock=10)
        adjust_stock(Sku("85123A"), -4, "broken")

        replay(export(*TWO_SALES), ship=True)

        assert ends() == {("delivered", ""): 2}


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"limit": 0}, "--limit must be 1 or more"),
            ({"limit": -3}, "--limit must be 1 or more"),
            ({"stock": -1}, "--stock must be 0 to 1,000,000,000"),
            ({"stock": 10**10}, "--stock must be 0 to 1,000,000,000"),
            ({"timeout": 0}, "--timeout must be more than 0 seconds"),
            ({"currency": "XXY"}, "'XXY' is not an ISO 4217 currency code"),
            ({"currency": "XAU"}, "XAU has no minor unit"),
        ],
    )
    def test_is_reported_and_changes_nothing(
        self, export: Callable[..., Path], options: dict[str, Any], sentence: str
    ) -> None:
        with pytest.raises(CommandError, match=re.escape(sentence)):
            replay(export(MUG), **options)

        assert not Product.objects.exists()

    def test_a_file_that_is_no_export_says_so(self, tmp_path: Path) -> None:
        path = tmp_path / "sales.csv"
        path.write_text("InvoiceNo,StockCode\n")

        with pytest.raises(CommandError, match="lacks the columns Description"):
            replay(path)

    def test_a_file_that_is_not_there_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="cannot be opened: No such file"):
            replay(tmp_path / "nowhere.csv.gz")

    def test_products_sold_in_another_currency_are_named(self, export: Callable[..., Path]) -> None:
        replay(export(MUG))

        with pytest.raises(CommandError, match="product 85123A is sold in GBP here"):
            replay(export(*TWO_SALES), currency="USD")
