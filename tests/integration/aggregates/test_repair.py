"""`manage.py rebuild_rows` makes an aggregate's row equal to its history again, whatever happened to the row."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from config.verification import verify
from fulfillment.models import Shipment
from integration.domain.identifiers import OrderNumber
from inventory.models import StockItem
from ordering.models import Order


def run(*args: str) -> str:
    said = StringIO()
    try:
        call_command("rebuild_rows", *args, stdout=said)
    except CommandError as error:
        return f"{said.getvalue()}\n{error}"
    return said.getvalue()


@pytest.fixture
def order(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> OrderNumber:
    number = placed()
    drain()
    return number


def offenders() -> list[str]:
    return [f"{name}: {what}" for name, finding in verify(["events."]).items() for what in finding.complaints]


@pytest.mark.parametrize(
    ("kind", "sql", "named"),
    [
        ("Order", "UPDATE ordering_order SET note = 'x', refunded_minor = 1", "refunded_minor is 1, by its history 0"),
        ("order", "UPDATE ordering_orderline SET name = 'x'", "lines is [{"),
        ("Order", "DELETE FROM ordering_orderline WHERE sku = 'LAMP'", "lines is [{"),
        (
            "Order",
            "INSERT INTO ordering_orderline (order_id, sku, name, quantity, shipped, currency, unit_price_minor) "
            "SELECT number, 'BRICK', 'Brick', 1, 0, 'USD', 1 FROM ordering_order",
            "BRICK",
        ),
        ("shipment", "DELETE FROM fulfillment_shipmentline; DELETE FROM fulfillment_shipment", "the row is missing"),
        ("StockItem", "DELETE FROM inventory_stockitem WHERE sku = 'MUG'", "the row is missing"),
        ("Invoice", "UPDATE billing_invoice SET version = 9, payer = 'B-0'", "payer is 'B-0', by its history 'B-1'"),
        ("Product", "DELETE FROM ordering_product WHERE sku = 'MUG'", "the row is missing"),
    ],
)
def test_a_row_that_differs_is_rebuilt(order: OrderNumber, kind: str, sql: str, named: str) -> None:
    key = {"shipment": f"S{order[1:]}-1", "Invoice": f"I{order[1:]}", "StockItem": "MUG", "Product": "MUG"}.get(
        kind, order
    )
    with connection.cursor() as cursor:
        for statement in sql.split("; "):
            cursor.execute(statement)
    before = offenders()
    assert before != []
    checked = run(kind, key, "--check")
    assert named in checked
    assert checked.rstrip().endswith("differences")
    assert offenders() == before

    said = run(kind, key)
    assert named in said
    assert f"{key} is rebuilt." in said
    assert offenders() == []
    assert f"{key} equals its history." in run(kind, key, "--check")


def test_rows_that_equal_their_histories_are_left_alone(order: OrderNumber) -> None:
    rows = list(Order.objects.values()), list(Shipment.objects.values()), list(StockItem.objects.values())
    assert run("StockItem", "MUG", "LAMP", "MUG").splitlines() == [
        "stock item MUG equals its history.",
        "stock item LAMP equals its history.",
    ]
    assert rows == (list(Order.objects.values()), list(Shipment.objects.values()), list(StockItem.objects.values()))


@pytest.mark.usefixtures("unprotected_history")
@pytest.mark.parametrize(
    ("args", "sql", "error"),
    [
        (("Sheep", "1"), "", "There is no kind of aggregate named Sheep. There are: Buyer, "),
        (("Order", "R-0"), "", "Order R-0: there are no events of order R-0"),
        (
            ("StockItem", "MUG"),
            "DELETE FROM inventory_history WHERE version = 2",
            "Events of the aggregate are missing",
        ),
        (
            ("StockItem", "MUG"),
            "UPDATE inventory_history SET name = 'inventory.shelf_painted' WHERE version = 2",
            "this code cannot read the whole history: no domain event is named",
        ),
    ],
)
def test_what_cannot_be_rebuilt_is_an_error_in_words(
    order: OrderNumber, args: tuple[str, ...], sql: str, error: str
) -> None:
    if sql:
        with connection.cursor() as cursor:
            cursor.execute(sql)
    assert error in run(*args)
