"""A sales export is read correctly, and every unusable row is left out for its own reason."""

import csv
import gzip
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.shop import sales_export, sales_goods
from config.shop.report import lines_set_aside
from config.shop.sales import Reason, Sale, SaleLine
from config.shop.sales_export import SalesExport, read_sales
from config.shop.sales_goods import Goods
from config.shop.sales_rows import COLUMNS, UnreadableExport
from integration.domain.money import NotMoney
from ordering.models import MAX_LINES, MAX_PRICE_MINOR, MAX_QUANTITY, Buyer, Product

Cells = Sequence[str]
Reader = Callable[..., SalesExport]

GOOD_ROW = {
    "InvoiceNo": "536365",
    "StockCode": "85123A",
    "Description": "WHITE HANGING HEART T-LIGHT HOLDER",
    "Quantity": "6",
    "InvoiceDate": "2010-12-01 08:26:00",
    "UnitPrice": "2.55",
    "CustomerID": "17850",
    "Country": "United Kingdom",
}


def row(**changes: str) -> list[str]:
    return list((GOOD_ROW | changes).values())


def write(path: Path, rows: Sequence[Cells], heading: Cells = COLUMNS) -> Path:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([heading, *rows])
    return path


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Read an export with these rows."""

    def read_rows(*rows: Cells, limit: int | None = None, heading: Cells = COLUMNS, **options: str) -> SalesExport:
        return read_sales(write(tmp_path / "sales.csv", rows, heading), limit, **options)

    return read_rows


class TestWhatIsRead:
    def test_an_invoice_becomes_a_sale(self, read: Reader) -> None:
        export = read(row(), row(StockCode="71053", Quantity="8"))

        assert export.sales == (
            Sale(
                invoice="536365",
                customer="17850",
                placed_at=datetime(2010, 12, 1, 8, 26, tzinfo=UTC),
                country="GB",
                lines=(SaleLine("85123A", 6), SaleLine("71053", 8)),
            ),
        )
        assert (export.rows, export.used, export.left_out) == (2, 2, Counter())

    def test_a_packed_file_reads_the_same(self, tmp_path: Path) -> None:
        rows = [row(), row(InvoiceNo="536366")]

        packed = read_sales(write(tmp_path / "sales.csv.gz", rows))

        assert packed == read_sales(write(tmp_path / "sales.csv", rows))
        assert len(packed.sales) == 2

    def test_sales_are_in_the_order_of_their_first_rows(self, read: Reader) -> None:
        export = read(row(InvoiceNo="2"), row(InvoiceNo="1"), row(InvoiceNo="2", StockCode="71053"))

        assert [sale.invoice for sale in export.sales] == ["2", "1"]
        assert len(export.sales[0].lines) == 2

    def test_the_same_product_twice_on_an_invoice_is_added_up(self, read: Reader) -> None:
        export = read(row(Quantity="6"), row(Quantity="4"))

        assert export.sales[0].lines == (SaleLine("85123A", 10),)
        assert export.used == 2

    def test_codes_that_differ_only_by_case_are_one_product(self, read: Reader) -> None:
        export = read(row(StockCode="85123A"), row(StockCode=" 85123a "))

        assert export.sales[0].lines == (SaleLine("85123A", 12),)
        assert [goods.sku for goods in export.goods] == ["85123A"]

    def test_columns_may_stand_in_another_order_and_among_others(self, read: Reader) -> None:
        cells = row()

        export = read([*reversed(cells), "web"], heading=[*reversed(COLUMNS), "Channel"])

        assert export.sales == read(cells).sales

    def test_a_byte_order_mark_and_blank_lines_are_no_rows(self, tmp_path: Path) -> None:
        path = write(tmp_path / "sales.csv", [row()])
        path.write_text("\ufeff" + path.read_text(encoding="utf-8") + "\n\n", encoding="utf-8")

        assert read_sales(path).rows == 1

    def test_a_heading_alone_is_an_export_without_sales(self, read: Reader) -> None:
        assert read() == SalesExport(sales=(), goods=(), rows=0, used=0, left_out=Counter())

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("2011-12-09 12:50:00", datetime(2011, 12, 9, 12, 50, tzinfo=UTC)),
            ("2011-12-09T12:50:00Z", datetime(2011, 12, 9, 12, 50, tzinfo=UTC)),
            ("2011-12-09 12:50:00+01:00", datetime(2011, 12, 9, 11, 50, tzinfo=UTC)),
        ],
    )
    def test_times_are_utc_unless_they_say_otherwise(self, read: Reader, written: str, meant: datetime) -> None:
        [sale] = read(row(InvoiceDate=written)).sales

        assert sale.placed_at == meant
        assert sale.placed_at.tzinfo is UTC

    def test_the_first_row_says_when_an_invoice_was_placed(self, read: Reader) -> None:
        [sale] = read(row(), row(InvoiceDate="2010-12-01 08:27:00")).sales

        assert sale.placed_at.minute == 26


FORMS = {
    "semicolons": (";", "utf-8"),
    "tabs": ("\t", "utf-8"),
    "bars": ("|", "utf-8"),
    "Windows-1252": (",", "cp1252"),
    "Windows-1252 with semicolons": (";", "cp1252"),
    "UTF-16": (",", "utf-16"),
    "UTF-16 with tabs": ("\t", "utf-16"),
    "UTF-16, big end first": (";", "utf-16-be"),
    "UTF-8 with a mark": (";", "utf-8-sig"),
}


class TestForms:
    @pytest.mark.parametrize(("delimiter", "encoding"), FORMS.values(), ids=FORMS)
    @pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
    @pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    def test_every_form_reads_the_same(
        self, tmp_path: Path, delimiter: str, encoding: str, packed: bool, quoting: Literal[0, 1]
    ) -> None:
        rows = [row(Description="Tasse für Café, groß; rot"), row(InvoiceNo="2", Description='12" Teller – neu')]
        text = StringIO()
        csv.writer(text, delimiter=delimiter, quoting=quoting).writerows([COLUMNS, *rows])
        mark = "\ufeff" if encoding == "utf-16-be" else ""
        raw = (mark + text.getvalue()).encode(encoding)
        path = tmp_path / ("sales.csv.gz" if packed else "sales.csv")
        path.write_bytes(gzip.compress(raw) if packed else raw)

        assert read_sales(path) == read_sales(write(tmp_path / "usual.csv", rows))
        assert [sale.invoice for sale in read_sales(path).sales] == ["536365", "2"]

    @pytest.mark.parametrize("delimiter", ";\t")
    def test_a_price_may_have_a_decimal_comma_where_commas_do_not_separate(
        self, tmp_path: Path, delimiter: str
    ) -> None:
        path = tmp_path / "sales.csv"
        path.write_text("\n".join(delimiter.join(cells) for cells in [COLUMNS, row(UnitPrice="2,55")]))

        assert read_sales(path).goods[0].price == Decimal("2.55")

    @pytest.mark.parametrize(
        ("currency", "written", "price"),
        [("JPY", "255,0", "255"), ("JPY", "1,255", None), ("USD", "1,255", None), ("KWD", "1,255", "1.255")],
    )
    def test_a_comma_before_three_digits_is_decimal_if_the_currency_has_three(
        self, tmp_path: Path, currency: str, written: str, price: str | None
    ) -> None:
        path = tmp_path / "sales.csv"
        path.write_text("\n".join(";".join(cells) for cells in [COLUMNS, row(UnitPrice=written)]))

        export = read_sales(path, currency=currency)

        assert [str(goods.price) for goods in export.goods] == ([price] if price else [])
        assert export.left_out == Counter({} if price else {Reason.NO_NUMBER: 1})

    @pytest.mark.parametrize("length", [131_073, 2_000_000])
    def test_a_cell_may_have_any_length(self, read: Reader, length: int) -> None:
        export = read(row(Description="x" * length), row(InvoiceNo="2", CustomerID="1" * length))

        assert [sale.invoice for sale in export.sales] == ["536365"]
        assert export.left_out == Counter({Reason.CUSTOMER_TOO_LONG: 1})


class TestSetAside:
    def test_rows_that_cannot_be_read_are_named_by_line_and_reason(self, tmp_path: Path) -> None:
        lines = [
            ",".join(row()),
            ",".join(row(InvoiceNo="2", Quantity="six")),
            '3,"85123A"B,x,1,2010-12-01,1,1,GB',
            "",
            ",".join(row(InvoiceNo="4", Description="a\0b")),
            ",".join(row(InvoiceNo="5")[:-1]),
            ",".join(row(InvoiceNo="6", Description='"two\nlines"')),
            ",".join(row(InvoiceNo="7", InvoiceDate="never")),
            ",".join(row(InvoiceNo="8", UnitPrice="")),
            ",".join(row(InvoiceNo="9")),
        ]
        path = tmp_path / "sales.csv"
        path.write_bytes(HEADING + "\n".join(lines).encode())

        export = read_sales(path)

        assert [sale.invoice for sale in export.sales] == ["536365", "6", "9"]
        assert [each.line for each in export.set_aside] == [3, 4, 6, 7, 10, 11]
        reasons = [each.reason for each in export.set_aside]
        assert reasons[1].startswith("it is not well-formed CSV: ")
        assert reasons[2] == "it holds a NUL character"
        assert [reasons[i] for i in (0, 3, 4, 5)] == [
            reason.value
            for reason in (Reason.NO_NUMBER, Reason.WRONG_NUMBER_OF_COLUMNS, Reason.NO_DATE, Reason.VALUE_MISSING)
        ]
        assert export.adds_up

    def test_few_are_listed_and_all_are_counted(self, read: Reader) -> None:
        export = read(*[row(Quantity="x")] * 2_000)

        listed = lines_set_aside(export)
        assert listed[0].startswith("line 2 is set aside: its quantity or price")
        assert (len(listed), listed[-1]) == (21, "1,980 more rows are set aside.")
        assert export.left_out == Counter({Reason.NO_NUMBER: 2_000})


class TestGoods:
    def test_are_those_of_the_accepted_sales_only(self, read: Reader) -> None:
        accepted = [row(StockCode="2"), row(StockCode="1")]
        others = [row(StockCode="3", Quantity="0"), row(InvoiceNo="9", StockCode="4")]

        export = read(*accepted, *others, limit=1)

        assert [goods.sku for goods in export.goods] == ["1", "2"]

    def test_have_their_most_frequent_name(self, read: Reader) -> None:
        names = ["CHILDREN'S APRON", "found in box 7", "", " children's  apron "]

        [goods] = read(*(row(Description=name) for name in names)).goods

        assert goods.name == "Children's Apron"

    def test_without_a_name_have_their_sku_as_name(self, read: Reader) -> None:
        assert read(row(Description=" ")).goods == (Goods("85123A", "85123A", Decimal("2.55")),)

    def test_have_names_that_fit_the_shop(self, read: Reader) -> None:
        [goods] = read(row(Description=f"{'A' * 199} BC")).goods

        assert goods.name == "A" + "a" * 198

    def test_have_their_most_frequent_price(self, read: Reader) -> None:
        prices = ["2.95", "2.55", "2.95", "0.01", "999"]

        [goods] = read(*(row(UnitPrice=price) for price in prices)).goods

        assert goods.price == Decimal("2.95")

    def test_have_the_lower_of_two_equally_frequent_prices(self, read: Reader) -> None:
        for prices in (["2.95", "2.55"], ["2.55", "2.95"]):
            assert read(*(row(UnitPrice=price) for price in prices)).goods[0].price == Decimal("2.55")

    def test_cost_whole_cents(self, read: Reader) -> None:
        [goods] = read(row(UnitPrice="2.5")).goods
        assert str(goods.price) == "2.50"

        [goods] = read(row(UnitPrice="2.555")).goods
        assert str(goods.price) == "2.56"

    @pytest.mark.parametrize(
        ("currency", "written", "price"),
        [
            ("JPY", "255", "255"),
            ("JPY", "254.5", "255"),
            ("USD", "2.5549", "2.55"),
            ("USD", "2.555", "2.56"),
            ("KWD", "2.5", "2.500"),
            ("KWD", "1.255", "1.255"),
            ("KWD", "0.0005", "0.001"),
            ("CLF", "1.25555", "1.2556"),
        ],
    )
    def test_cost_whole_units_of_their_currency(self, read: Reader, currency: str, written: str, price: str) -> None:
        [goods] = read(row(UnitPrice=written), currency=currency).goods

        assert str(goods.price) == price

    @pytest.mark.parametrize(
        ("currency", "highest", "higher", "too_low"),
        [
            ("JPY", "1000000000", "1000000001", "0.4"),
            ("USD", "10000000.00", "10000000.01", "0.004"),
            ("KWD", "1000000.000", "1000000.001", "0.0004"),
        ],
    )
    def test_have_a_price_within_the_bounds_of_their_currency(
        self, read: Reader, currency: str, highest: str, higher: str, too_low: str
    ) -> None:
        export = read(*(row(UnitPrice=price) for price in (highest, higher, too_low)), currency=currency)

        assert str(export.goods[0].price) == highest
        assert export.left_out == Counter({Reason.PRICE_TOO_HIGH: 1, Reason.NO_PRICE: 1})

    def test_have_a_price_in_a_known_currency(self, read: Reader) -> None:
        with pytest.raises(NotMoney, match="'XXY' is not an ISO 4217"):
            read(row(), currency="XXY")


class TestCountries:
    @pytest.mark.parametrize(
        ("name", "code"),
        [
            ("United Kingdom", "GB"),
            ("Germany", "DE"),
            ("EIRE", "IE"),
            ("RSA", "ZA"),
            ("USA", "US"),
            ("Czech Republic", "CZ"),
            ("saudi arabia", "SA"),
            ("fr", "FR"),
        ],
    )
    def test_are_known_by_name_and_by_code(self, read: Reader, name: str, code: str) -> None:
        assert read(row(Country=name)).sales[0].country == code

    @pytest.mark.parametrize("name", ["", "Unspecified", "European Community", "Channel Islands", "Atlantis"])
    def test_are_never_guessed(self, read: Reader, name: str) -> None:
        assert read(row(Country=name)).left_out == Counter({Reason.NO_COUNTRY: 1})


HEADING = ",".join(COLUMNS).encode() + b"\n"

# One row for each reason to be left out.
DIRTY_ROWS = [
    (row()[:-1], Reason.WRONG_NUMBER_OF_COLUMNS),
    ([*row(), "more"], Reason.WRONG_NUMBER_OF_COLUMNS),
    (row(InvoiceNo=""), Reason.VALUE_MISSING),
    (row(StockCode=" "), Reason.VALUE_MISSING),
    (row(Quantity=""), Reason.VALUE_MISSING),
    (row(InvoiceDate=""), Reason.VALUE_MISSING),
    (row(UnitPrice=""), Reason.VALUE_MISSING),
    (row(Quantity="six"), Reason.NO_NUMBER),
    (row(Quantity="1.5"), Reason.NO_NUMBER),
    (row(Quantity="1_000"), Reason.NO_NUMBER),
    (row(Quantity="9" * 5000), Reason.NO_NUMBER),
    (row(UnitPrice="2,55"), Reason.NO_NUMBER),
    (row(UnitPrice="NaN"), Reason.NO_NUMBER),
    (row(UnitPrice="1e9"), Reason.NO_NUMBER),
    (row(InvoiceDate="2011-02-30 10:00:00"), Reason.NO_DATE),
    (row(InvoiceDate="12/1/2010 8:26"), Reason.NO_DATE),
    (row(InvoiceDate="0001-01-01 00:00:00+05:00"), Reason.NO_DATE),
    (row(InvoiceNo="C536379", Quantity="-1", CustomerID="1"), Reason.CANCELLATION),
    (row(InvoiceNo="c536379"), Reason.CANCELLATION),
    (row(InvoiceNo="A563186", StockCode="B"), Reason.BAD_DEBT),
    *[
        (row(StockCode=code), Reason.NO_GOODS)
        for code in ["POST", "DOT", "M", "m", "C2", "D", "S", "BANK CHARGES", "AMAZONFEE", "CRUK", "PADS"]
    ],
    (row(StockCode="gift_0001_20"), Reason.NO_GOODS),
    (row(StockCode="85123/A"), Reason.NO_SKU),
    (row(StockCode="8" * 41), Reason.NO_SKU),
    (row(Quantity="0"), Reason.NOTHING_SOLD),
    (row(Quantity="-6"), Reason.NOTHING_SOLD),
    (row(UnitPrice="0"), Reason.NO_PRICE),
    (row(UnitPrice="0.001"), Reason.NO_PRICE),
    (row(UnitPrice="-11062.06"), Reason.NO_PRICE),
    (row(UnitPrice="10000000.01"), Reason.PRICE_TOO_HIGH),
    (row(CustomerID=""), Reason.NO_CUSTOMER),
    (row(CustomerID="1" * 39), Reason.CUSTOMER_TOO_LONG),
    (row(Country="Unspecified"), Reason.NO_COUNTRY),
    (row(Quantity="100001"), Reason.TOO_MANY_UNITS),
]


class TestWhatIsLeftOut:
    @pytest.mark.parametrize(("dirty", "reason"), DIRTY_ROWS)
    def test_a_bad_row_is_left_out_for_its_reason_and_its_neighbour_is_not(
        self, read: Reader, dirty: Cells, reason: Reason
    ) -> None:
        neighbour = row(InvoiceNo="1")

        export = read(dirty, neighbour)

        assert export.left_out == Counter({reason: 1})
        assert (export.rows, export.used) == (2, 1)
        assert [sale.invoice for sale in export.sales] == ["1"]

    @pytest.mark.parametrize("code", ["DCGSSGIRL", "DCGS0003", "MUG-ENAMEL-BLUE", "GIFTBOX", "1.5_V2"])
    def test_goods_with_an_unusual_code_are_goods_all_the_same(self, read: Reader, code: str) -> None:
        assert read(row(StockCode=code)).goods[0].sku == code

    def test_the_rest_of_the_invoice_is_sold_nevertheless(self, read: Reader) -> None:
        export = read(row(StockCode="POST"), row())

        assert export.sales[0].lines == (SaleLine("85123A", 6),)

    @pytest.mark.parametrize(
        ("wrong_in_many_ways", "first"),
        [
            (row(InvoiceNo="C1", Quantity="-x", CustomerID=""), Reason.NO_NUMBER),
            (row(InvoiceNo="C1", StockCode="POST", Quantity="-1", CustomerID=""), Reason.CANCELLATION),
            (row(StockCode="POST", Quantity="-1", UnitPrice="0"), Reason.NO_GOODS),
            (row(Quantity="-1", UnitPrice="0", CustomerID=""), Reason.NOTHING_SOLD),
            (row(UnitPrice="0", CustomerID=""), Reason.NO_PRICE),
            (row(CustomerID="", Country="Unspecified"), Reason.NO_CUSTOMER),
        ],
    )
    def test_of_several_reasons_the_first_one_counts(
        self, read: Reader, wrong_in_many_ways: Cells, first: Reason
    ) -> None:
        assert read(wrong_in_many_ways).left_out == Counter({first: 1})

    def test_an_invoice_has_one_customer(self, read: Reader) -> None:
        export = read(row(), row(StockCode="71053", CustomerID="1"), row(StockCode="71054", Country="France"))

        assert export.left_out == Counter({Reason.OTHER_CUSTOMER: 2})
        assert export.sales[0].customer == "17850"

    def test_a_line_has_at_most_a_hundred_thousand_units_after_adding_up(self, read: Reader) -> None:
        most = read(row(Quantity="99999"), row(Quantity="1"))
        assert most.sales[0].lines == (SaleLine("85123A", 100_000),)

        more = read(row(Quantity="99999"), row(Quantity="2"), row(StockCode="71053"))
        assert more.sales[0].lines == (SaleLine("71053", 6),)
        assert more.left_out == Counter({Reason.TOO_MANY_UNITS: 2})

    def test_an_invoice_has_at_most_two_thousand_lines(self, read: Reader) -> None:
        rows = [row(StockCode=str(10_000 + number)) for number in range(2_000)]

        most = read(*rows, rows[0])
        assert (len(most.sales[0].lines), most.used) == (2_000, 2_001)

        more = read(*rows, row(StockCode="99999"), row(InvoiceNo="1"))
        assert [sale.invoice for sale in more.sales] == ["1"]
        assert more.left_out == Counter({Reason.TOO_MANY_LINES: 2_001})

    def test_every_reason_says_why_in_words_of_its_own(self) -> None:
        assert len({reason.value for reason in Reason}) == len(Reason)


class TestCancelledGoods:
    """A row of an invoice that begins with C matches the customer's latest earlier sale that has all its units."""

    def test_are_of_the_latest_earlier_sale_that_has_them(self, read: Reader) -> None:
        second = {"InvoiceNo": "2", "InvoiceDate": "2010-12-02 08:00:00"}
        late = {"InvoiceDate": "2010-12-03 09:00:00"}
        export = read(
            row(InvoiceNo="C9", Quantity="-4", **late),
            row(InvoiceNo="C9", Quantity="-6", **late),
            row(InvoiceNo="1"),
            row(**second, Quantity="5"),
            row(**second, StockCode="71053"),
            row(InvoiceNo="C8", StockCode="71053", Quantity="-6", InvoiceDate="2010-12-02 23:59:00"),
            row(InvoiceNo="3", InvoiceDate="2010-12-04 08:00:00", Quantity="100"),
        )

        found = {(each.invoice, each.sale.invoice): (each.lines, each.is_same_day) for each in export.reversals}
        assert found == {
            ("C9", "2"): ((SaleLine("85123A", 4),), False),
            ("C9", "1"): ((SaleLine("85123A", 6),), False),
            ("C8", "2"): ((SaleLine("71053", 6),), True),
        }
        assert (export.used, export.cancellations, export.left_out) == (7, 2, Counter())

    def test_are_cancelled_only_once_and_only_by_their_customer(self, read: Reader) -> None:
        export = read(
            row(),
            row(InvoiceNo="C1", Quantity="-6"),
            row(InvoiceNo="C2", Quantity="-1"),
            row(InvoiceNo="C3", Quantity="-1", CustomerID="1"),
            row(InvoiceNo="C4", Quantity="-1", InvoiceDate="2010-11-30 08:26:00"),
        )

        assert [each.invoice for each in export.reversals] == ["C1"]
        assert (export.used, export.cancellations) == (2, 4)
        assert export.left_out == Counter({Reason.CANCELLATION: 3})


class TestLimit:
    def test_counts_accepted_invoices_and_accounts_for_the_others(self, read: Reader) -> None:
        rows = [
            row(InvoiceNo="C1"),
            row(InvoiceNo="1"),
            row(InvoiceNo="2", CustomerID=""),
            row(InvoiceNo="3"),
            row(InvoiceNo="4"),
            row(InvoiceNo="4", StockCode="71053"),
            row(InvoiceNo="C5"),
            row(InvoiceNo="1", StockCode="71053"),
        ]

        export = read(*rows, limit=2)

        assert [sale.invoice for sale in export.sales] == ["1", "3"]
        assert len(export.sales[0].lines) == 2
        assert export.left_out == Counter({Reason.CANCELLATION: 2, Reason.NO_CUSTOMER: 1, Reason.BEYOND_LIMIT: 2})

    def test_of_zero_reads_no_sales(self, read: Reader) -> None:
        assert read(row(), limit=0).left_out == Counter({Reason.BEYOND_LIMIT: 1})

    def test_cannot_be_negative(self, read: Reader) -> None:
        with pytest.raises(ValueError, match="-1"):
            read(row(), limit=-1)


UNREADABLE = [
    ("empty.csv", b"", "is empty"),
    ("empty.csv.gz", gzip.compress(b""), "is empty"),
    ("plain.csv.gz", HEADING, "is not an intact gzip file"),
    ("cut.csv.gz", gzip.compress(HEADING)[:-9], "is not an intact gzip file"),
    ("packed.csv", gzip.compress(b"anything"), "is not UTF-8 text"),
    ("latin.csv", "InvoiceNo;Währung".encode("latin-1"), "lacks the columns StockCode"),
    ("undefined.csv", HEADING + b"\x81\x8d\n", "is not UTF-8 text"),
    ("cut16.csv", HEADING.decode().encode("utf-16")[:-1], "is not UTF-8 text"),
    ("quote.csv", HEADING + b'1,"never closed\n2,\n', "well-formed CSV near line 3"),
]


class TestUnreadableFiles:
    def test_a_missing_column_is_named(self, read: Reader) -> None:
        with pytest.raises(UnreadableExport, match="lacks the columns CustomerID, Country"):
            read(heading=COLUMNS[:-2])

    def test_a_column_that_occurs_twice_is_named(self, read: Reader) -> None:
        with pytest.raises(UnreadableExport, match="has the column Quantity more than once"):
            read(heading=[*COLUMNS, "Quantity"])

    # The ids are file names only: a gzip file contains its creation time, and ids must be equal in all processes.
    @pytest.mark.parametrize(("name", "content", "problem"), UNREADABLE, ids=[name for name, *_ in UNREADABLE])
    def test_a_file_that_is_no_export_says_what_is_wrong(
        self, tmp_path: Path, name: str, content: bytes, problem: str
    ) -> None:
        path = tmp_path / name
        path.write_bytes(content)

        with pytest.raises(UnreadableExport, match=problem) as refusal:
            read_sales(path)

        assert name in str(refusal.value)

    def test_a_file_that_is_not_there_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableExport, match="cannot be opened: No such file"):
            read_sales(tmp_path / "nowhere.csv")


def test_what_is_accepted_fits_into_the_shop() -> None:
    assert Product._meta.get_field("name").max_length == sales_goods.LONGEST_NAME
    assert sales_export.HIGHEST_PRICE_MINOR <= MAX_PRICE_MINOR
    assert sales_export.LONGEST_CUSTOMER + len("C-") == Buyer._meta.get_field("id").max_length
    assert (sales_export.MOST_UNITS_PER_LINE, sales_export.MOST_LINES_PER_INVOICE) == (MAX_QUANTITY, MAX_LINES)


def test_an_export_that_does_not_add_up_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="1 rows used"):
        SalesExport(sales=(), goods=(), rows=3, used=1, left_out=Counter({Reason.NO_PRICE: 1}))


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


def one_of(*usual: str) -> st.SearchStrategy[str]:
    """Mostly usual cells of an export, sometimes any text."""
    return st.sampled_from(usual) | TEXT


ANY_ROW = st.tuples(
    one_of("1", "2", "3", "C4", "A5", ""),
    one_of("85123A", "85123a", "71053", "POST", "M", "gift_0001_20", "", "a/b"),
    one_of("MUG", "mug", ""),
    one_of("1", "60000", "100001", "0", "-3", "x"),
    one_of("2010-12-01 08:26:00", "2010-12-01", "never"),
    one_of("2.55", "0", "-1", "0.001", "1.005"),
    one_of("17850", "17851", ""),
    one_of("United Kingdom", "EIRE", "Unspecified", ""),
)
ANY_RECORD = ANY_ROW | st.lists(TEXT, min_size=1, max_size=10)


@settings(deadline=None)  # it writes files: a busy disk is no failure
@given(st.lists(ANY_RECORD, max_size=30), st.none() | st.integers(0, 3))
def test_whatever_the_rows_each_is_either_used_or_left_out(rows: list[Cells], limit: int | None) -> None:
    with TemporaryDirectory() as folder:
        export = read_sales(write(Path(folder) / "sales.csv", rows), limit)

    assert export.adds_up
    assert export.used + sum(export.left_out.values()) == export.rows == len(rows)
    assert limit is None or len(export.sales) <= limit
    assert_every_sale_can_be_placed(export)


def assert_every_sale_can_be_placed(export: SalesExport) -> None:
    skus = [line.sku for sale in export.sales for line in sale.lines]
    assert {goods.sku for goods in export.goods} == set(skus)
    assert all(goods.name and goods.price > 0 for goods in export.goods)
    assert len({sale.invoice for sale in export.sales}) == len(export.sales)
    for sale in export.sales:
        assert len({line.sku for line in sale.lines}) == len(sale.lines) > 0
        assert all(1 <= line.quantity <= 100_000 for line in sale.lines)
        assert len(sale.country) == 2
        assert sale.customer
