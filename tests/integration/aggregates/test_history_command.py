"""`manage.py history` shows the events of any aggregate and its state at any moment."""

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
    output = StringIO()
    call_command("history", *words, stdout=output, **options)
    return output.getvalue()


@pytest.fixture
def order(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> OrderNumber:
    number = placed({"MUG": 2})
    drain()
    return number


def test_the_events_of_an_aggregate_are_listed(order: OrderNumber) -> None:
    lines = history("Order", order).splitlines()
    events = [line for line in lines if "ordering.order_" in line]
    assert [line.split("│")[1].strip() for line in events] == ["1", "2", "3", "4"]
    assert ["order_placed" in events[0], "goods_reserved" in events[1], "confirmed" in events[2]] == [True] * 3
    assert "status: pending → payment_pending" in events[1]
    assert any("paid_minor: 0 → 2500" in line for line in lines)


@pytest.mark.parametrize("kind", ["Order", "order", "ORDER"])
def test_a_kind_of_aggregate_is_named_by_its_class_or_its_stream(order: OrderNumber, kind: str) -> None:
    assert history(kind, order, json=True) == history("Order", order, json=True)
    assert history("StockItem", "MUG", json=True) == history("stock_item", "MUG", json=True)


def test_the_json_output_contains_every_event_and_change(order: OrderNumber) -> None:
    steps = json.loads(history("Order", order, json=True))
    entries = list(History.objects.filter(stream="order").order_by("version"))
    assert [(step["event_id"], step["data"]) for step in steps] == [(str(entry.id), entry.facts) for entry in entries]
    assert steps[1]["changes"] == {"status": {"before": "pending", "after": "payment_pending"}}
    assert steps[0]["changes"]["lines"]["before"] is None
    assert steps[0]["changes"]["lines"]["after"][0]["sku"] == "MUG"


def test_a_past_state_is_shown(order: OrderNumber) -> None:
    placed_at = History.objects.get(stream="order", version=1).occurred_at
    assert json.loads(history("Order", order, "--version", "2", json=True))["status"] == "payment_pending"
    assert json.loads(history("Order", order, at=placed_at.isoformat(), json=True))["status"] == "pending"
    tomorrow = f"{clock.now() + timedelta(days=1):%Y-%m-%d}"
    assert json.loads(history("Order", order, at=tomorrow, json=True))["status"] == "confirmed"
    assert "payment_pending" in history("Order", order, "--version", "2")


def test_only_the_last_events_are_listed(shop: object) -> None:
    for _ in range(6):
        receive_stock(Sku("MUG"), 1)
    output = history("StockItem", "MUG", last=2)
    assert output.count("inventory.stock_received") == 2
    assert "on_hand: 105 → 106" in output
    assert "7 earlier events are not shown" in output
    assert history("StockItem", "MUG", last=0).count("inventory.") == 9


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["Ordre", "R-1"],
            r"no kind of aggregate named Ordre\. There are: Buyer, Capture, Cart, Dispute, ",
        ),
        (["Order", "R-9"], r"There is no order R-9\."),
        (["Order", "{order}", "--version", "9"], r"There was no order R-\d+ in version 9\."),
        (["Order", "{order}", "--version", "0"], r"There was no order R-\d+ in version 0\."),
        (["Order", "{order}", "--at", "2001-01-01"], r"There was no order R-\d+ at 2001-01-01\."),
        (["Order", "{order}", "--at", "noon"], r"noon is not a valid time: write it as 2026-03-01T12:00:00Z\."),
        (["Order", "{order}", "--at", "2026-13-01"], r"2026-13-01 is not a valid time"),
        (["Order", "{order}", "--at", "2026-01-01T25:00:00Z"], r"is not a valid time"),
        (["Order", "{order}", "--at", "now", "--version", "1"], r"not allowed with argument"),
        (["Order", "{order}", "--last", "-1"], r"--last must be 0 or more"),
    ],
)
def test_bad_input_is_reported_in_a_sentence(order: OrderNumber, words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        history(*[word.format(order=order) for word in words])


def test_the_version_option_replaces_djangos() -> None:
    assert Command().create_parser("manage.py", "history").parse_args(["Order", "R-1", "--version", "2"]).version == 2
