"""Tables and trees that commands write to their standard output, a terminal or a file."""

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple, TextIO, cast
from uuid import UUID

from django.core.management.base import OutputWrapper
from django.db.models import Count, Sum
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from config.shop.sales import UNREADABLE, Reason
from config.shop.sales_export import SalesExport
from integration.domain.identifiers import OrderNumber
from integration.domain.money import Money
from integration.history.entries import HistoryEntry
from integration.storage.outages import repeated_after_outages
from ordering.models import Order
from ordering.queries import timeline

WIDTH_OF_A_FILE = 120
AT_ONCE = 500
MOST_LINES = 20


def console_on(stdout: OutputWrapper, *, no_color: bool = False) -> Console:
    """A console that writes to the command's output."""
    stdout.ending = ""  # rich ends its lines itself
    width = None if stdout.isatty() else WIDTH_OF_A_FILE
    return Console(file=cast(TextIO, stdout), width=width, highlight=False, no_color=no_color or None)


class OrderBars(NamedTuple):
    """A progress bar for placed orders, and one for orders that cannot go further."""

    progress: Progress

    def placed(self, orders: int) -> None:
        """Advance the bar of placed orders."""
        self.progress.advance(self.progress.task_ids[0], orders)

    def ended(self, orders: int) -> None:
        """Advance the bar of orders that cannot go further."""
        self.progress.advance(self.progress.task_ids[1], orders)


@contextmanager
def order_bars(console: Console, orders: int) -> Iterator[OrderBars]:
    """Show the progress of a command that handles `orders` orders."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        progress.add_task("Orders placed", total=orders)
        progress.add_task("Orders carried on", total=orders)
        yield OrderBars(progress)


class End(NamedTuple):
    """The orders with one final status and reason, and their money."""

    status: str
    reason: str
    orders: int
    ordered: Money
    paid: Money
    refunded: Money

    def __str__(self) -> str:
        return f"{self.orders:,} {self.status}" + (f" ({self.reason})" if self.reason else "")


@repeated_after_outages
def ends_of(orders: Collection[OrderNumber]) -> list[End]:
    """The ends of the orders, the most frequent first."""
    ends: dict[tuple[str, str, str], list[int]] = {}
    numbers = list(orders)
    for start in range(0, len(numbers), AT_ONCE):
        some = Order.objects.filter(pk__in=numbers[start : start + AT_ONCE]).order_by()
        for status, reason, currency, *sums in some.values_list("status", "cancellation_reason", "currency").annotate(
            Count("pk"), Sum("total_minor"), Sum("paid_minor"), Sum("refunded_minor")
        ):
            before = ends.get((status, reason, currency), [0] * 4)
            ends[status, reason, currency] = [a + b for a, b in zip(before, sums, strict=True)]
    found = [
        End(status, reason.replace("_", " "), count, *(Money.of_minor(minor, currency) for minor in minors))
        for (status, reason, currency), (count, *minors) in ends.items()
    ]
    return sorted(found, key=lambda end: (-end.orders, end.status, end.reason))


def table_of_ends(ends: Collection[End]) -> Table:
    """The ends as a table, with a sum for each currency."""
    table = Table("Status", "Reason", title="Orders by status")
    for heading in ("Orders", "Ordered", "Paid", "Refunded"):
        table.add_column(heading, justify="right", no_wrap=True)
    for end in ends:
        table.add_row(
            end.status.replace("_", " "),
            end.reason,
            f"{end.orders:,}",
            *map(_amount, (end.ordered, end.paid, end.refunded)),
        )
    table.add_section()
    for currency in sorted({end.ordered.currency for end in ends}):
        of_currency = [end for end in ends if end.ordered.currency == currency]
        columns = zip(*((end.ordered, end.paid, end.refunded) for end in of_currency), strict=True)
        sums = [Money.sum(column, currency) for column in columns]
        table.add_row("all", "", f"{sum(end.orders for end in of_currency):,}", *map(_amount, sums))
    return table


def table_of_rows(export: SalesExport) -> Table:
    """How many rows of a sales export were used, and how many were left out for which reason."""
    table = Table(title="Rows of the file")
    table.add_column("Rows", justify="right", no_wrap=True)
    table.add_column("Result")
    matched = len({reversal.invoice for reversal in export.reversals})
    used = f"used, in {len(export.sales):,} accepted invoices"
    table.add_row(f"{export.used:,}", f"{used} and {matched:,} that cancel goods of those" if matched else used)
    for reason in Reason:
        if export.left_out[reason]:
            table.add_row(f"{export.left_out[reason]:,}", f"left out: {reason.value}")
    table.add_section()
    table.add_row(f"{export.used + export.left_out.total():,}", "in all")
    return table


def lines_set_aside(export: SalesExport) -> list[str]:
    """The rows that cannot be read, by their lines, as sentences; at most `MOST_LINES`, and how many more."""
    named = [f"line {each.line:,} is set aside: {each.reason}" for each in export.set_aside[:MOST_LINES]]
    more = sum(export.left_out[reason] for reason in UNREADABLE) - len(named)
    return [*named, f"{more:,} more rows are set aside."] if more else named


def sentence_of_reversals(export: SalesExport, reversed_: Counter[str]) -> str:
    """How many of the invoices that cancel goods match an order, and what became of the goods.

    Args:
        reversed_: how many reversals were cancelled, and how many returned.
    """
    matched = len({reversal.invoice for reversal in export.reversals})
    became = f"{reversed_['cancelled']:,} cancellations and {reversed_['returned']:,} returns"
    return f"{matched:,} of {export.cancellations:,} invoices that cancel goods match an order: {became}."


def sum_of_rows(export: SalesExport) -> str:
    """The sum that shows that no row is missing."""
    return f"{export.rows:,} rows = {export.used:,} used + {export.left_out.total():,} left out"


def tree_of_causes(order: Order) -> Tree:
    """The order's story as a tree: each event below the event that caused it."""
    entries = timeline(order)
    branches: dict[UUID, Tree] = {}
    root = Tree(Text(f"The story of {order}: {order.get_status_display().lower()}", style="bold"))
    for entry in entries:
        cause = branches.get(entry.causation_id, root) if entry.causation_id else root
        branches[entry.id] = cause.add(_line_of(entry, entries[0].occurred_at))
    return root


def _line_of(entry: HistoryEntry, began: datetime) -> Text:
    after = (entry.occurred_at - began).total_seconds()
    return Text.assemble(
        entry.summary,
        (f"  {entry.context}", "cyan"),
        (f" {entry.stream.replace('_', ' ')} {entry.stream_id}", "dim"),
        (f"  +{after:.3f} s", "dim"),
    )


def _amount(money: Money) -> str:
    return f"{money.amount:,} {money.currency}"
