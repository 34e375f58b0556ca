"""`manage.py replay_sales FILE`: place the sales of a real shop as orders, and account for every row of the file."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.shop.carry import TIMEOUT
from config.shop.opening import Ware, open_shop, receive_missing
from config.shop.replay import check_currency, goods_needed, orders_of, replay, story_of
from config.shop.report import (
    End,
    console_on,
    ends_of,
    lines_set_aside,
    order_bars,
    sentence_of_reversals,
    sum_of_rows,
    table_of_ends,
    table_of_rows,
)
from config.shop.reversing import reversed_so_far
from config.shop.sales import Sale
from config.shop.sales_export import SalesExport, read_sales
from config.shop.sales_goods import Goods
from config.shop.sales_rows import UnreadableExport
from integration.domain.errors import DomainError
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from inventory.models import MAX_QUANTITY
from ordering.models import CancellationReason, OrderStatus

CUSTOMERS_WISH = CancellationReason.BY_BUYER.replace("_", " ")


class Command(BaseCommand):
    """Replays a sales export."""

    help = (
        "Reads a sales export (.csv or .csv.gz, separated by commas, semicolons or tabs, in UTF-8, UTF-16 or "
        "Windows-1252, with the columns InvoiceNo, StockCode, Description, Quantity, "
        "InvoiceDate, UnitPrice, CustomerID, Country), offers its products, and places each usable invoice as an "
        "order of the buyer C-<CustomerID>, paid at once, at the shop's own prices. A shop places each invoice only "
        "once: a second run, after a stop or with another file that has the invoice, finds the order and goes on "
        "with it. An invoice whose number begins with C cancels goods: of the customer's latest earlier invoice that "
        "has them. With --ship they come back after the delivery, unless they are cancelled on the day of the sale. "
        "With --ship the command fails unless every accepted invoice is delivered, or cancelled by the customer; with "
        "--stock as well, shortages are expected."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the sales export")
        parser.add_argument("--limit", type=int, metavar="N", help="only the first N invoices that can be placed")
        parser.add_argument(
            "--stock",
            type=int,
            metavar="N",
            help="open with N of each product that is new to the shop (default: as many as all invoices take)",
        )
        parser.add_argument("--ship", action="store_true", help="dispatch and deliver the orders")
        parser.add_argument(
            "--currency", default="GBP", metavar="CODE", help="of the file's prices, by ISO 4217 (default: %(default)s)"
        )
        parser.add_argument(
            "--timeout",
            "--patience",
            type=float,
            default=TIMEOUT.total_seconds(),
            metavar="SECONDS",
            help="give up when nothing was done for this long (default: %(default)g)",
        )

    def handle(
        self,
        *,
        file: str,
        limit: int | None,
        stock: int | None,
        ship: bool,
        currency: str,
        timeout: float,
        **options: Any,
    ) -> None:
        _check(limit, stock, timeout)
        console, wait = console_on(self.stdout, no_color=options["no_color"]), timedelta(seconds=timeout)
        try:
            export = read_sales(file, limit, currency=currency)
        except (UnreadableExport, DomainError) as error:
            raise CommandError(str(error)) from error
        try:
            placed_before = len(orders_of(export.sales))
            _prepare(export, currency, stock, wait)
            with order_bars(console, len(export.sales)) as bars:
                bars_of = {"on_placed": bars.placed, "on_carried": bars.ended}
                replay(export.sales, export.reversals, ship=ship, timeout=wait, **bars_of)
        except DomainError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("Stopped. Run it again to go on from here.", returncode=130) from None
        orders = [*orders_of(export.sales).values()]
        ends = ends_of(orders)
        console.print(table_of_ends(ends))
        if placed_before:
            console.print(f"{placed_before:,} of {len(export.sales):,} invoices were orders before this run.")
        for sentence in lines_set_aside(export):
            console.print(sentence, markup=False)
        console.print(table_of_rows(export))
        if export.cancellations:
            console.print(sentence_of_reversals(export, reversed_so_far(export.reversals, orders)))
        console.print(sum_of_rows(export))
        if ship and stock is None:
            _expect_all_delivered(export.sales, ends)


def _check(limit: int | None, stock: int | None, timeout: float) -> None:
    if limit is not None and limit < 1:
        raise CommandError("--limit must be 1 or more.")
    if stock is not None and not 0 <= stock <= MAX_QUANTITY:
        raise CommandError(f"--stock must be 0 to {MAX_QUANTITY:,}.")
    if timeout <= 0:
        raise CommandError("--timeout must be more than 0 seconds.")


def _prepare(export: SalesExport, currency: str, stock: int | None, timeout: timedelta) -> None:
    """Offer the products with `stock` of each; if `None`, with as many as the invoices that are not placed yet take."""
    check_currency([Sku(goods.sku) for goods in export.goods], currency)
    placed = orders_of(export.sales)
    needed = goods_needed(sale for sale in export.sales if story_of(sale) not in placed)
    open_shop([_ware(goods, currency, needed, stock) for goods in export.goods], timeout)
    if stock is None:
        receive_missing(needed, "for the sales export", timeout)


def _ware(goods: Goods, currency: str, needed: Counter[Sku], stock: int | None) -> Ware:
    opening_stock = needed[Sku(goods.sku)] if stock is None else stock
    return Ware(Sku(goods.sku), goods.name, "", Money(goods.price, currency), opening_stock)


def _expect_all_delivered(sales: Sequence[Sale], ends: Sequence[End]) -> None:
    ended = (OrderStatus.DELIVERED, OrderStatus.RETURNED)
    delivered = sum(end.orders for end in ends if end.status in ended or end.reason == CUSTOMERS_WISH)
    if delivered != len(sales):
        raise CommandError(
            f"{len(sales) - delivered:,} of {len(sales):,} accepted invoices were not delivered. "
            f"They are: {', '.join(map(str, ends))}"
        )
