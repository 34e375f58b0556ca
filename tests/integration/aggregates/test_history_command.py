"""`manage.py history` tells any aggregate's life, and what it was at any moment of it."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from integration.domain import clock
from integration.domain.identifiers import OrderNumber, Sku
from integration.management.commands.history import Command
from inventory.commands import receive_stock
from ordering.models import History


def history(*words: str, **options: Any) -> str:
    said = StringIO()
    call_command("history", *words, stdout=said, **options)
    return said.getvalue()


@pytest.fixture
def order(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> OrderNumber:
    number = placed({"MUG": 2})
    drain()
    return number


def test_a_life_is_told_line_by_line(order: OrderNumber) -> None:
    lines = history("Order", order).splitlines()
    told = [line for line in lines if "ordering.order_" in line]
    assert [line.split("│")[1].strip() for line in told] == ["1", "2", "3"]
    assert ["order_placed" in told[0], "goods_reserved" in told[1], "confirmed" in told[2]] == [True] * 3
    assert "status: pending → payment_pending" in told[1]
    assert any("paid_minor: 0 → 2500" in line for line in lines)


@pytest.mark.parametrize("kind", ["Order", "order", "ORDER"])
def test_a_kind_is_named_by_its_class_or_its_stream(order: OrderNumber, kind: str) -> None:
    assert history(kind, order, json=True) == history("Order", order, json=True)
    assert history("StockItem", "MUG", json=True) == history("stock_item", "MUG", json=True)


def test_a_life_for_machines_says_it_all(order: OrderNumber) -> None:
    told = json.loads(history("Order", order, json=True))
    entries = list(History.objects.filter(stream="order").order_by("version"))
    assert [(step["event_id"], step["data"]) for step in told] == [(str(entry.id), entry.data) for entry in entries]
    assert told[1]["changes"] == {"status": {"before": "pending", "after": "payment_pending"}}
    assert told[0]["changes"]["lines"]["before"] is None
    assert told[0]["changes"]["lines"]["after"][0]["sku"] == "MUG"


def test_what_it_was_then_is_told(order: OrderNumber) -> None:
    birth = History.objects.get(stream="order", version=1).occurred_at
    assert json.loads(history("Order", order, "--version", "2", json=True))["status"] == "payment_pending"
    assert json.loads(history("Order", order, at=birth.isoformat(), json=True))["status"] == "pending"
    tomorrow = f"{clock.now() + timedelta(days=1):%Y-%m-%d}"
    assert json.loads(history("Order", order, at=tomorrow, json=True))["status"] == "confirmed"
    assert "payment_pending" in history("Order", order, "--version", "2")


def test_a_long_life_is_told_from_its_end(shop: object) -> None:
    for _ in range(6):
        receive_stock(Sku("MUG"), 1)
    said = history("StockItem", "MUG", last=2)
    assert said.count("inventory.stock_received") == 2
    assert "on_hand: 105 → 106" in said
    assert "7 earlier events are not shown" in said
    assert history("StockItem", "MUG", last=0).count("inventory.") == 9


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["Ordre", "R-1"], r"no kind of aggregate named Ordre\. There are: Buyer, Invoice, Order, Payment, "),
        (["Order", "R-9"], r"There is no order R-9\."),
        (["Order", "{order}", "--version", "9"], r"There was no order R-\d+ in version 9\."),
        (["Order", "{order}", "--version", "0"], r"There was no order R-\d+ in version 0\."),
        (["Order", "{order}", "--at", "2001-01-01"], r"There was no order R-\d+ at 2001-01-01\."),
        (["Order", "{order}", "--at", "noon"], r"noon is no moment: write it as 2026-03-01T12:00:00Z\."),
        (["Order", "{order}", "--at", "2026-13-01"], r"2026-13-01 is no moment"),
        (["Order", "{order}", "--at", "2026-01-01T25:00:00Z"], r"is no moment"),
        (["Order", "{order}", "--at", "now", "--version", "1"], r"not allowed with argument"),
        (["Order", "{order}", "--last", "-1"], r"--last must be 0 or more"),
    ],
)
def test_bad_input_gets_a_sentence(order: OrderNumber, words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        history(*[word.format(order=order) for word in words])


def test_its_own_version_takes_the_place_of_djangos() -> None:
    assert Command().create_parser("manage.py", "history").parse_args(["Order", "R-1", "--version", "2"]).version == 2
