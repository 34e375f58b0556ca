"""The admin pages of fulfillment: operators with the permission dispatch and deliver shipments."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from fulfillment.commands import arrange_shipment, dispatch_shipment, stop_shipment
from fulfillment.events import LineToPack
from fulfillment.models import History, Shipment
from integration.domain.address import Address
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from tests.questions import offered, submit

SHIPMENTS = "/admin/fulfillment/shipment/"


@pytest.fixture
def shipments(db: None, address: Address) -> list[str]:
    """Four shipments: two arranged, one dispatched, one cancelled."""
    lines = [LineToPack(Sku("MUG"), "Mug", 2), LineToPack(Sku("LAMP"), "Lamp", 1)]
    for order in ("R-1", "R-2", "R-3", "R-4"):
        arrange_shipment(OrderNumber(order), address, lines)
    dispatch_shipment(ShipmentId("S-3-1"), "DHL", "JD014600003")
    stop_shipment(OrderNumber("R-4"), "by_buyer")
    return ["S-1-1", "S-2-1", "S-3-1", "S-4-1"]


def act(client: Client, action: str, ids: Sequence[str], form: dict[str, str] | None = None) -> Any:
    return submit(client, SHIPMENTS, {"action": action, "_selected_action": ids, **(form or {})})


def dispatch_form(ids: Sequence[str]) -> dict[str, str]:
    return {"carrier": "UPS", **{f"each:{id}": f"1Z-{id}" for id in ids}}


def messages_of(response: Any) -> list[tuple[str, str]]:
    return sorted((message.level_tag, message.message) for message in response.context["messages"])


def statuses() -> list[str]:
    return list(Shipment.objects.order_by("id").values_list("status", flat=True))


def test_dispatching_asks_for_the_carrier_and_each_tracking_number(shipments: list[str], admin_client: Client) -> None:
    asked = act(admin_client, "dispatch_shipments", shipments[:2]).content.decode()
    assert 'name="carrier"' in asked
    assert 'name="each:S-1-1"' in asked
    assert 'name="each:S-2-1"' in asked
    assert statuses() == ["arranged", "arranged", "dispatched", "cancelled"]


def test_each_shipment_is_dispatched_alone_and_has_its_own_message(
    shipments: list[str], admin_client: Client, admin_user: Any
) -> None:
    response = act(admin_client, "dispatch_shipments", shipments, dispatch_form(shipments))
    assert messages_of(response) == [
        ("success", "Shipment S-1-1 is dispatched with UPS"),
        ("success", "Shipment S-2-1 is dispatched with UPS"),
        ("warning", "Shipment S-3-1 is dispatched: cannot dispatch"),
        ("warning", "Shipment S-4-1 is cancelled: cannot dispatch"),
    ]
    assert statuses() == ["dispatched", "dispatched", "dispatched", "cancelled"]
    assert set(Shipment.objects.filter(status="dispatched").values_list("carrier", "tracking_number")) == {
        ("UPS", "1Z-S-1-1"),
        ("UPS", "1Z-S-2-1"),
        ("DHL", "JD014600003"),
    }
    entry = History.objects.get(stream_id="S-1-1", name="fulfillment.shipment_dispatched")
    assert entry.actor == f"user:{admin_user.pk}"
    assert entry.correlation_id == Shipment.objects.get(pk="S-1-1").correlation_id


@pytest.mark.parametrize("missing", ["carrier", "each:S-2-1"])
def test_a_missing_field_is_asked_for_again(shipments: list[str], admin_client: Client, missing: str) -> None:
    form = {**dispatch_form(shipments[:2]), missing: "  "}
    asked = act(admin_client, "dispatch_shipments", shipments[:2], form)
    assert "This field is required." in asked.content.decode()
    assert statuses()[:2] == ["arranged", "arranged"]


def test_dispatched_shipments_are_delivered_and_others_are_refused(shipments: list[str], admin_client: Client) -> None:
    response = act(admin_client, "deliver_shipments", shipments[1:])
    assert messages_of(response) == [
        ("success", "Shipment S-3-1 is delivered"),
        ("warning", "Shipment S-2-1 is arranged: cannot deliver"),
        ("warning", "Shipment S-4-1 is cancelled: cannot deliver"),
    ]
    assert statuses() == ["arranged", "arranged", "delivered", "cancelled"]


def test_a_user_who_may_only_view_cannot_act(shipments: list[str]) -> None:
    user = get_user_model().objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_shipment"))
    client = Client()
    client.force_login(user)
    before = statuses()
    assert "dispatch_shipments" not in client.get(SHIPMENTS).content.decode()
    act(client, "dispatch_shipments", shipments[:1], dispatch_form(shipments[:1]))
    act(client, "deliver_shipments", shipments[2:3])
    assert statuses() == before


def test_a_page_offers_only_the_actions_that_the_state_allows(shipments: list[str], admin_client: Client) -> None:
    offers = [offered(admin_client, f"{SHIPMENTS}{id}/change/") for id in shipments]
    on_its_way = ["deliver_shipments", "fail_shipments", "return_shipments", "lose_shipments"]
    assert offers == [["dispatch_shipments"], ["dispatch_shipments"], on_its_way, []]


def test_a_shipment_is_found_by_order_tracking_number_and_status(shipments: list[str], admin_client: Client) -> None:
    for query in ({"q": "S-3-1"}, {"q": "r-3"}, {"q": "JD0146"}, {"status__exact": "dispatched"}):
        assert [row.pk for row in admin_client.get(SHIPMENTS, query).context["cl"].queryset] == ["S-3-1"]


def test_a_shipment_shows_its_lines_and_its_recipient(shipments: list[str], admin_client: Client) -> None:
    shown = admin_client.get(f"{SHIPMENTS}S-3-1/change/").content.decode()
    for text in ("Ada Lovelace<br>", "SW1Y 4JH London", "LAMP", "JD014600003"):
        assert text in shown
    assert "Ada Lovelace, London, GB" in admin_client.get(SHIPMENTS).content.decode()
