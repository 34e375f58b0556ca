"""The admin pages of inventory: operators with the permission receive and adjust stock."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from integration.aggregates.direct_writes import bypassing_history
from integration.domain.identifiers import OrderNumber, Sku
from inventory.commands import stock_up
from inventory.models import History, Level, StockItem
from tests.questions import submit

STOCK = "/admin/inventory/stockitem/"


@pytest.fixture
def stock(db: None) -> None:
    stock_up([(Sku("MUG"), 100), (Sku("LAMP"), 5), (Sku("ATLAS"), 9)])
    stock_up([(Sku("RELIC"), 1)])
    with bypassing_history():
        StockItem.objects.filter(pk="RELIC").update(on_hand=0)


def open_form(client: Client, action: str, *skus: str) -> Any:
    return client.post(STOCK, {"action": action, "_selected_action": skus}, follow=True)


def submit_form(client: Client, action: str, *skus: str, **fields: Any) -> Any:
    data = {"action": action, "_selected_action": skus}
    return submit(client, STOCK, data | {key.replace("each_", "each:"): value for key, value in fields.items()})


def messages_of(response: Any) -> list[tuple[str, str]]:
    return [(message.level_tag, message.message) for message in response.context["messages"]]


def on_hand() -> dict[str, int]:
    return dict(StockItem.objects.values_list("sku", "on_hand"))


def test_the_receive_form_has_a_quantity_field_for_each_chosen_item(stock: None, admin_client: Client) -> None:
    before = on_hand()
    form = open_form(admin_client, "receive_stock", "MUG", "LAMP")
    assert 'name="each:MUG"' in form.content.decode()
    assert 'name="each:LAMP"' in form.content.decode()
    assert on_hand() == before


def test_received_units_are_on_hand_and_their_reference_is_in_the_history(
    stock: None, admin_client: Client, admin_user: Any
) -> None:
    response = submit_form(admin_client, "receive_stock", "MUG", "LAMP", reference="N-7", each_MUG=20, each_LAMP=3)
    assert sorted(messages_of(response)) == [
        ("success", "Stock of LAMP: 3 received, 8 available"),
        ("success", "Stock of MUG: 20 received, 120 available"),
    ]
    assert (on_hand()["MUG"], on_hand()["LAMP"]) == (120, 8)
    received = History.objects.get(stream_id="MUG", name="inventory.stock_received", data__reference="N-7")
    assert (received.data["quantity"], received.actor) == (20, f"user:{admin_user.pk}")


@pytest.mark.parametrize("quantity", ["", "0", "-1", "2.5", "two", "1000000001"])
def test_an_invalid_quantity_shows_the_form_again(stock: None, admin_client: Client, quantity: str) -> None:
    before = on_hand()
    response = submit_form(admin_client, "receive_stock", "MUG", "LAMP", each_MUG=quantity, each_LAMP=1)
    assert "Please correct the error below." in response.content.decode()
    assert on_hand() == before


def test_an_adjustment_corrects_the_stock_but_is_refused_for_reserved_units(
    shop: object, placed: Callable[..., OrderNumber], drain: Callable[..., int], admin_client: Client
) -> None:
    placed({"LAMP": 20})
    drain()
    response = submit_form(admin_client, "adjust_stock", "MUG", "LAMP", reason="counted", each_MUG=-7, each_LAMP=-1)
    assert sorted(messages_of(response)) == [
        ("success", "Stock of MUG: adjusted by -7, 93 available"),
        ("warning", "Stock of LAMP: The adjustment would remove units that are reserved for orders."),
    ]
    assert (on_hand()["MUG"], on_hand()["LAMP"]) == (93, 20)


def test_an_adjustment_requires_a_reason_and_a_difference(stock: None, admin_client: Client) -> None:
    before = on_hand()
    response = submit_form(admin_client, "adjust_stock", "MUG", reason=" ", each_MUG=1)
    assert "This field is required." in response.content.decode()
    refused = submit_form(admin_client, "adjust_stock", "MUG", reason="counted", each_MUG=0)
    assert messages_of(refused)[0][0] == "warning"
    assert on_hand() == before


def test_units_go_into_quarantine_and_leave_it(stock: None, admin_client: Client, admin_user: Any) -> None:
    into = submit_form(admin_client, "quarantine_stock", "MUG", "LAMP", reason="box damaged", each_MUG=9, each_LAMP=6)
    out = submit_form(admin_client, "clear_stock", "MUG", reason="good", each_MUG=4)
    gone = submit_form(admin_client, "write_off_stock", "MUG", reason="broken", each_MUG=3)
    refused = submit_form(admin_client, "write_off_stock", "MUG", reason="broken", each_MUG=3)

    assert [message for response in (into, out, gone, refused) for message in sorted(messages_of(response))] == [
        ("success", "Stock of MUG: 9 put into quarantine, 91 available"),
        ("warning", "Stock of LAMP: Fewer units are available than requested."),
        ("success", "Stock of MUG: 4 released from quarantine, 95 available"),
        ("success", "Stock of MUG: 3 written off, 2 left in quarantine"),
        ("warning", "Stock of MUG: Fewer units are in quarantine than requested."),
    ]
    assert (on_hand()["MUG"], on_hand()["LAMP"]) == (95, 5)
    assert StockItem.objects.get(pk="MUG").quarantined == 2
    assert "2 in quarantine" in open_form(admin_client, "clear_stock", "MUG").content.decode()
    written_off = History.objects.get(name="inventory.stock_written_off")
    assert (written_off.data, written_off.actor) == ({"quantity": 3, "reason": "broken"}, f"user:{admin_user.pk}")


def test_staff_with_only_view_permission_cannot_change_stock(stock: None) -> None:
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_stockitem"))
    client = Client()
    client.force_login(user)
    before = on_hand()
    listed = client.get(STOCK).content.decode()
    assert "MUG" in listed
    assert "receive_stock" not in listed
    submit_form(client, "receive_stock", "MUG", each_MUG=1)
    submit_form(client, "adjust_stock", "MUG", reason="counted", each_MUG=1)
    for action in "quarantine_stock", "clear_stock", "write_off_stock":
        submit_form(client, action, "MUG", reason="looked at", each_MUG=1)
    assert on_hand() == before


def test_the_level_filter_agrees_with_the_level_shown(stock: None, admin_client: Client) -> None:
    levels = {item.sku: item.level for item in StockItem.objects.all()}
    assert set(levels.values()) == set(Level)
    for level in Level:
        found = admin_client.get(STOCK, {"level": level.value}).context["cl"].queryset
        assert {item.sku for item in found} == {sku for sku, shown in levels.items() if shown == level}


def test_stock_can_be_sorted_by_available_units(stock: None, admin_client: Client) -> None:
    listed = admin_client.get(STOCK, {"o": "-2"}).context["cl"].result_list
    assert [item.available for item in listed] == [100, 9, 5, 0]


def test_a_stock_item_links_to_its_reservations(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], admin_client: Client
) -> None:
    order = placed({"LAMP": 1})
    placed({"MUG": 1})
    drain()
    tools = dict(admin_client.get(f"{STOCK}LAMP/change/").context["tools"])
    found = admin_client.get(tools["Reservations"]).context["cl"].queryset
    assert [reservation.order for reservation in found] == [order]
