"""The ledger of a stock item shows every movement with the quantities that it left, page by page."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from rest_framework.test import APIClient

from integration.aggregates import past, unit_of_work
from integration.domain.identifiers import OrderNumber, Sku
from integration.domain.metadata import new_story
from integration.rest.erasure import close_account
from inventory import commands, events, queries
from inventory.models import StockItem
from inventory.queries.movements import KINDS

MUG = Sku("MUG")
LEDGER = "/api/v1/stock/MUG/movements"


@pytest.fixture
def client(admin_user: Any) -> APIClient:
    client = APIClient(HTTP_HOST="localhost")
    client.force_authenticate(admin_user)
    return client


def results(client: APIClient, query: str = "") -> list[dict[str, Any]]:
    """All movements, page after page."""
    found, url = [], f"{LEDGER}?{query}"
    while url:
        page = client.get(url).json()
        found += page["results"]
        url = page["next"]
    return found


def test_each_movement_is_in_the_ledger_with_what_it_left(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], client: APIClient, admin_user: Any
) -> None:
    order = placed({"MUG": 3})
    drain()
    with new_story(actor=f"user:{admin_user.pk}"):
        commands.receive_stock(MUG, 5, "D-1")
        commands.adjust_stock(MUG, -2, "counted")
        commands.quarantine_stock(MUG, 4, "box damaged")
        commands.clear_stock(MUG, 1, "good")
        commands.write_off_stock(MUG, 2, "broken")

    shown = [
        (*(each[key] for key in ("kind", "quantity", "on_hand", "reserved", "quarantined", "reference")), each["by"])
        for each in results(client)
    ]

    by = admin_user.get_username()
    assert shown[:6] == [
        ("written_off", 2, 100, 3, 1, "broken", by),
        ("cleared", 1, 100, 3, 3, "good", by),
        ("quarantined", 4, 99, 3, 4, "box damaged", by),
        ("adjusted", -2, 103, 3, 0, "counted", by),
        ("received", 5, 105, 3, 0, "D-1", by),
        ("reserved", 3, 100, 3, 0, order, "automatically"),
    ]
    assert shown[6][:4] == ("received", 100, 100, 0)
    assert len(shown) == 7


def test_pages_in_either_order_show_the_same_movements(shop: object, client: APIClient) -> None:
    for n in range(5):
        commands.receive_stock(MUG, n + 1, f"D-{n}")
    newest_first = results(client)

    assert [each["on_hand"] for each in newest_first] == [115, 110, 106, 103, 101, 100]
    assert results(client, "page_size=2") == newest_first
    assert results(client, "page_size=4&ordering=version") == newest_first[::-1]


def test_the_number_of_statements_does_not_depend_on_the_number_of_movements(
    shop: object, client: APIClient, statements: Callable[..., Any]
) -> None:
    counts = []
    for _ in range(2):
        with statements() as seen:
            assert client.get(LEDGER).status_code == 200
        counts.append(len(seen))
        for _ in range(20):
            commands.receive_stock(MUG, 1)

    assert counts[0] == counts[1] <= 6


def test_a_long_ledger_is_read_from_the_last_snapshot(
    shop: object, client: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_of_work, "EVERY", 3)
    for n in range(9):
        commands.receive_stock(MUG, 1, f"D-{n}")

    assert [each["on_hand"] for each in results(client, "page_size=2")] == [*range(109, 99, -1)]


def test_somebody_who_was_erased_is_shown_as_such(shop: object, client: APIClient) -> None:
    clerk = get_user_model().objects.create_user("clerk", first_name="Clara", last_name="Clerk")
    with new_story(actor=f"user:{clerk.pk}"):
        commands.receive_stock(MUG, 1, "D-1")
    assert results(client)[0]["by"] == "Clara Clerk"

    close_account(clerk)

    assert results(client)[0]["by"] == f"erased {clerk.pk}"


def test_a_sku_without_stock_has_no_ledger(shop: object, client: APIClient) -> None:
    assert client.get("/api/v1/stock/NONE/movements").status_code == 404


@pytest.mark.parametrize(
    ("query", "pointer"), [("page_size=0", "#/page_size"), ("ordering=at", "#/ordering"), ("kind=sold", "#/kind")]
)
def test_a_query_that_the_ledger_does_not_know_is_refused(
    shop: object, client: APIClient, query: str, pointer: str
) -> None:
    response = client.get(f"{LEDGER}?{query}")

    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]


def test_every_event_that_changes_quantities_is_a_kind_of_movement() -> None:
    others = {events.StockItemOpened, events.StockLevelChanged}

    assert set(StockItem._appliers) - set(KINDS) == others


def test_the_balances_are_those_of_the_past(shop: object) -> None:
    for n in range(5):
        commands.receive_stock(MUG, n + 1, f"D-{n}")
    entries = list(queries.movements_of(MUG).order_by("version"))
    balances = {entry.version: past.at_version(StockItem, MUG, entry.version) for entry in entries}

    for page in (entries[first : first + n] for first in range(len(entries)) for n in range(1, 4)):
        for order in page, page[::-1]:
            for entry, movement in zip(order, queries.with_balances(MUG, order), strict=True):
                then = balances[entry.version]
                assert then is not None
                assert (movement.on_hand, movement.reserved) == (then.on_hand, then.reserved)
