"""The operators' pages of inventory: stock comes in and is corrected by commands, and by those who may."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from integration.domain.identifiers import OrderNumber, Sku
from inventory.commands import stock_up
from inventory.models import History, Level, StockItem

STOCK = "/admin/inventory/stockitem/"


@pytest.fixture
def stock(db: None) -> None:
    stock_up([(Sku("MUG"), 100), (Sku("LAMP"), 5), (Sku("ATLAS"), 9)])
    stock_up([(Sku("RELIC"), 1)])
    StockItem.objects.filter(pk="RELIC").update(on_hand=0)


def act(client: Client, action: str, *skus: str, **answers: Any) -> Any:
    answers = {key.replace("each_", "each:"): answer for key, answer in answers.items()}
    return client.post(STOCK, {"action": action, "_selected_action": skus, **answers}, follow=True)


def told(answer: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in answer.context["messages"]]


def on_hand() -> dict[str, int]:
    return dict(StockItem.objects.values_list("sku", "on_hand"))


def test_receiving_asks_how_much_of_each(stock: None, admin_client: Client) -> None:
    before = on_hand()
    asked = act(admin_client, "receive_stock", "MUG", "LAMP")
    assert 'name="each:MUG"' in asked.content.decode()
    assert 'name="each:LAMP"' in asked.content.decode()
    assert on_hand() == before


def test_what_is_received_is_on_hand_with_its_papers(stock: None, admin_client: Client, admin_user: Any) -> None:
    answer = act(
        admin_client, "receive_stock", "MUG", "LAMP", answered="yes", reference="N-7", each_MUG=20, each_LAMP=3
    )
    assert sorted(told(answer)) == [
        ("success", "Stock of LAMP: 3 received, 8 available"),
        ("success", "Stock of MUG: 20 received, 120 available"),
    ]
    assert (on_hand()["MUG"], on_hand()["LAMP"]) == (120, 8)
    received = History.objects.get(stream_id="MUG", name="inventory.stock_received", data__reference="N-7")
    assert (received.data["quantity"], received.actor) == (20, f"user:{admin_user.pk}")


@pytest.mark.parametrize("quantity", ["", "0", "-1", "2.5", "two", "1000000001"])
def test_what_is_no_quantity_is_asked_for_again(stock: None, admin_client: Client, quantity: str) -> None:
    before = on_hand()
    asked = act(admin_client, "receive_stock", "MUG", "LAMP", answered="yes", each_MUG=quantity, each_LAMP=1)
    assert "Please correct the error below." in asked.content.decode()
    assert on_hand() == before


def test_a_count_corrects_the_stock_and_is_refused_where_goods_are_promised(
    shop: object, placed: Callable[..., OrderNumber], drain: Callable[..., int], admin_client: Client
) -> None:
    placed({"LAMP": 20})
    drain()
    answer = act(
        admin_client, "adjust_stock", "MUG", "LAMP", answered="yes", reason="counted", each_MUG=-7, each_LAMP=-1
    )
    assert sorted(told(answer)) == [
        ("success", "Stock of MUG: adjusted by -7, 93 available"),
        ("warning", "Stock of LAMP: That would take goods away that are set aside for orders."),
    ]
    assert (on_hand()["MUG"], on_hand()["LAMP"]) == (93, 20)


def test_an_adjustment_has_a_reason_and_a_difference(stock: None, admin_client: Client) -> None:
    before = on_hand()
    asked = act(admin_client, "adjust_stock", "MUG", answered="yes", reason=" ", each_MUG=1)
    assert "This field is required." in asked.content.decode()
    refused = act(admin_client, "adjust_stock", "MUG", answered="yes", reason="counted", each_MUG=0)
    assert told(refused)[0][0] == "warning"
    assert on_hand() == before


def test_who_may_only_look_cannot_act(stock: None) -> None:
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_stockitem"))
    client = Client()
    client.force_login(user)
    before = on_hand()
    listed = client.get(STOCK).content.decode()
    assert "MUG" in listed
    assert "receive_stock" not in listed
    act(client, "receive_stock", "MUG", answered="yes", each_MUG=1)
    act(client, "adjust_stock", "MUG", answered="yes", reason="counted", each_MUG=1)
    assert on_hand() == before


def test_the_filter_by_level_agrees_with_the_level_shown(stock: None, admin_client: Client) -> None:
    levels = {item.sku: item.level for item in StockItem.objects.all()}
    assert set(levels.values()) == set(Level)
    for level in Level:
        found = admin_client.get(STOCK, {"level": level.value}).context["cl"].queryset
        assert {item.sku for item in found} == {sku for sku, its_level in levels.items() if its_level == level}


def test_stock_is_sorted_by_what_is_available(stock: None, admin_client: Client) -> None:
    listed = admin_client.get(STOCK, {"o": "-2"}).context["cl"].result_list
    assert [item.available for item in listed] == [100, 9, 5, 0]


def test_stock_leads_to_its_reservations(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], admin_client: Client
) -> None:
    order = placed({"LAMP": 1})
    placed({"MUG": 1})
    drain()
    tools = dict(admin_client.get(f"{STOCK}LAMP/change/").context["tools"])
    found = admin_client.get(tools["Reservations"]).context["cl"].queryset
    assert [reservation.order for reservation in found] == [order]
