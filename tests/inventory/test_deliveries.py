"""Goods are received against a delivery note, counted, and their movements are on the stock item's page."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from integration.domain.errors import NotFound
from integration.domain.identifiers import OrderNumber, Sku
from integration.storage.sql import is_postgresql
from inventory import commands
from inventory.commands.receiving import AlreadyReceived
from inventory.commands.stock import StockMoved
from inventory.models import History, ReservedGoods, StockItem

MUG, LAMP = Sku("MUG"), Sku("LAMP")
PAGE = "/admin/inventory/stockitem/receive/"


def on_hand(sku: Sku) -> int:
    return StockItem.objects.get(pk=sku).on_hand


@pytest.fixture
def stock(db: None) -> None:
    commands.stock_up([(MUG, 10), (LAMP, 4)])


@pytest.mark.usefixtures("stock")
def test_a_delivery_is_received_as_a_whole_and_once() -> None:
    commands.receive_delivery("DN-1", {MUG: 5, LAMP: 1})
    with pytest.raises(AlreadyReceived, match="LAMP, MUG was received under DN-1 before"):
        commands.receive_delivery("DN-1", {MUG: 5, LAMP: 1})
    with pytest.raises(NotFound, match="there is no stock item GLOBE"):
        commands.receive_delivery("DN-2", {MUG: 5, Sku("GLOBE"): 1})
    assert (on_hand(MUG), on_hand(LAMP)) == (15, 5)


@pytest.mark.usefixtures("stock")
def test_a_reference_counts_once_for_a_sku_and_no_reference_counts_always() -> None:
    commands.receive_stock(MUG, 1, "DN-1")
    commands.receive_stock(LAMP, 1, "DN-1")
    commands.adjust_stock(MUG, 1, "DN-9")
    with pytest.raises(AlreadyReceived):
        commands.receive_stock(MUG, 2, "DN-1")
    for _ in range(2):
        commands.receive_stock(MUG, 1)
    commands.receive_stock(MUG, 1, "DN-9")
    assert on_hand(MUG) == 15


@pytest.mark.usefixtures("stock")
def test_a_reference_is_looked_up_by_its_index() -> None:
    if not is_postgresql():
        return  # the embedded mode searches the events of one stock item
    with CaptureQueriesContext(connection) as seen:
        commands.receive_stock(MUG, 1, "DN-1")
    (asked,) = [query["sql"] for query in seen if "reference" in query["sql"] and query["sql"].startswith("SELECT")]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {asked}")
        assert "stock_received_by_reference" in str(cursor.fetchall())


def test_a_count_corrects_what_is_on_hand(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> None:
    placed({"MUG": 2})
    drain()
    there = on_hand(MUG)
    commands.count_stock(MUG, there, "yearly", there)
    assert History.objects.filter(name="inventory.stock_adjusted").count() == 0
    commands.count_stock(MUG, there - 3, "yearly", there)
    assert on_hand(MUG) == there - 3
    with pytest.raises(StockMoved, match=f"{there} were on hand when they were counted, and {there - 3} are now"):
        commands.count_stock(MUG, there, "yearly", there)
    with pytest.raises(ReservedGoods):
        commands.count_stock(MUG, 1, "yearly", there - 3)


def send(client: Client, **values: str) -> str:
    token = client.get(PAGE).context_data["form"].token  # type: ignore[attr-defined]
    return client.post(PAGE, {**values, "token": token}, follow=True).content.decode()


@pytest.mark.usefixtures("stock")
def test_a_delivery_is_typed_or_scanned(admin_client: Client) -> None:
    assert "Receive a delivery" in admin_client.get("/admin/inventory/stockitem/").content.decode()
    shown = send(admin_client, reference="DN-7", goods="MUG 5\nLAMP x2\n\nMUG\nMUG\n")
    assert "DN-7: 9 units of 2 SKUs received" in shown
    assert (on_hand(MUG), on_hand(LAMP)) == (17, 6)
    again = send(admin_client, reference="DN-7", goods="MUG 5")
    assert "MUG was received under DN-7 before" in again
    assert "MUG 5" in again
    assert "is not a SKU and a quantity" in send(admin_client, reference="DN-8", goods="two red mugs, please")
    assert "here is no stock item GLOBE" in send(admin_client, reference="DN-8", goods="GLOBE 1")
    assert "too many" in send(admin_client, reference="DN-8", goods="MUG 9999999999")
    assert on_hand(MUG) == 17


@pytest.mark.usefixtures("stock")
def test_a_delivery_that_is_sent_twice_counts_once(admin_client: Client) -> None:
    token = admin_client.get(PAGE).context_data["form"].token  # type: ignore[attr-defined]
    form = {"reference": "DN-7", "goods": "MUG 5", "token": token}
    admin_client.post(PAGE, form)
    assert "sent before" in admin_client.post(PAGE, form, follow=True).content.decode()
    assert on_hand(MUG) == 15


@pytest.mark.usefixtures("stock")
def test_who_may_only_view_stock_receives_none(client: Client) -> None:
    user = get_user_model().objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_stockitem"))
    client.force_login(user)
    assert "Receive a delivery" not in client.get("/admin/inventory/stockitem/").content.decode()
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"reference": "DN-7", "goods": "MUG 5"}).status_code == 403


@pytest.mark.usefixtures("stock")
def test_stock_is_counted_in_the_admin(admin_client: Client) -> None:
    path, chosen = "/admin/inventory/stockitem/", {"action": "count_stock", "_selected_action": "MUG"}
    asked = admin_client.post(path, chosen)
    assert 'name="each:MUG_1" value="10"' in asked.content.decode()
    token = asked.context_data["form"].token  # type: ignore[attr-defined]
    filled = {**chosen, "submitted": "yes", "reason": "shelf 12", "each:MUG_0": "8", "each:MUG_1": "10"}
    assert (
        "8 counted, -2 than before" in admin_client.post(path, {**filled, "token": token}, follow=True).content.decode()
    )
    token = admin_client.post(path, chosen).context_data["form"].token  # type: ignore[attr-defined]
    moved = admin_client.post(path, {**filled, "token": token}, follow=True).content.decode()
    assert "10 were on hand when they were counted, and 8 are now" in moved
    assert on_hand(MUG) == 8


def test_the_page_of_a_stock_item_shows_its_movements(
    admin_client: Client, placed: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    number = placed({"MUG": 2})
    drain()
    for i in range(30):
        commands.receive_stock(MUG, 1, f"DN-{i}")
    path = "/admin/inventory/stockitem/MUG/change/"

    def shown(query: str = "") -> tuple[list[Any], Any, str]:
        page = admin_client.get(path + query)
        return page.context["movements"], page.context["older"], page.content.decode()

    newest, older, text = shown()
    assert [movement["reference"] for movement in newest] == [f"DN-{i}" for i in range(29, 4, -1)]
    assert "Older movements" in text
    rest, none, text = shown(f"?before={older}")
    assert [movement["reference"] for movement in rest[:5]] == [f"DN-{i}" for i in range(4, -1, -1)]
    assert (rest[5]["kind"], rest[5]["reference"], rest[5]["reserved"], none) == ("reserved", number, 2, None)
    assert "Newest movements" in text
    assert len(shown("?before=x")[0]) == 25
    with CaptureQueriesContext(connection) as seen:
        shown()
    assert len(seen) < 30
