"""The admin pages of returns: operators approve, refuse and receive them, and see what is refunded."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from fulfillment import commands
from fulfillment.gateways.carriers import CarrierScan
from fulfillment.models import Return
from fulfillment.models.return_policy import ReturnReason
from integration.domain import clock
from integration.domain.identifiers import OrderNumber, Sku
from tests.questions import offered, submit

pytestmark = pytest.mark.django_db

RETURNS, SHIPMENTS = "/admin/fulfillment/return/", "/admin/fulfillment/shipment/"
MUG, LAMP = Sku("MUG"), Sku("LAMP")


@pytest.fixture
def asked(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> str:
    """A return of two mugs and a lamp, which the buyer asked for."""
    order = placed()
    drain()
    commands.dispatch_shipment(commands.shipment_of(order), "DHL", "1")
    commands.deliver_shipment(commands.shipment_of(order))
    drain()
    wanted = [(MUG, 2, ReturnReason.OTHER), (LAMP, 1, ReturnReason.DAMAGED)]
    return str(commands.request_return(order, wanted, "the box was wet").id)


def act(client: Client, action: str, id: str, **form: str) -> list[str]:
    """Run an action on a return; returns the messages."""
    post = submit(client, RETURNS, {"action": action, "_selected_action": id, **form})
    return [message.message for message in post.context.get("messages", ())]


def offered_for(client: Client, id: str) -> list[str]:
    return offered(client, f"{RETURNS}{id}/change/")


def test_a_return_is_approved_and_received_in_parts(
    asked: str, admin_client: Client, drain: Callable[..., int]
) -> None:
    assert offered_for(admin_client, asked) == ["approve_returns", "refuse_returns"]
    assert "is approved; its goods are expected until" in act(admin_client, "approve_returns", asked)[0]
    assert offered_for(admin_client, asked) == ["receive_returns"]
    form = admin_client.post(RETURNS, {"action": "receive_returns", "_selected_action": asked}).content.decode()
    assert "MUG 2 restock\nLAMP 1 restock" in form
    assert "expected: 2 × MUG, 1 × LAMP" in form

    each = f"each:{asked}"
    for wrong in ("MUG", "MUG 0 restock", "MUG 1 burn", "MUG 1 restock now", "MUG 1 restock\nx", ""):
        act(admin_client, "receive_returns", asked, **{each: wrong})
    act(admin_client, "receive_returns", asked, **{each: "MUG 1 restock", "reduction": "1"})
    refused = act(admin_client, "receive_returns", asked, **{each: "MUG 3 restock"})
    assert refused == [f"Return {asked} expects only 2 × MUG"]
    assert Return.objects.get(pk=asked).status == "approved"

    part = {each: "MUG 1 restock\n MUG 1 quarantine ", "fee": "2", "reduction": "3.50", "reduction_reason": "scratched"}
    assert act(admin_client, "receive_returns", asked, **part) == [
        f"Return {asked} is received; still expected: 1 × LAMP"
    ]
    drain()
    assert act(admin_client, "receive_returns", asked, **{each: "LAMP 1 missing"}) == [
        f"Return {asked} is received; still expected: nothing"
    ]
    drain()
    assert offered_for(admin_client, asked) == []
    shown = admin_client.get(f"{RETURNS}{asked}/change/").content.decode()
    for text in ("the box was wet", "scratched", f"{asked}-1: 19.50 USD refunded", f"{asked}-2: 0.00 USD refunded"):
        assert text in shown
    for query in ({"q": asked}, {"q": f"r-{asked.split('-')[1]}"}, {"status__exact": "closed"}):
        assert [row.pk for row in admin_client.get(RETURNS, query).context["cl"].queryset] == [asked]


def test_a_return_is_refused_for_a_reason_by_users_who_may(asked: str, admin_client: Client) -> None:
    clerk = get_user_model().objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_return"))
    viewer = Client()
    viewer.force_login(clerk)
    act(viewer, "refuse_returns", asked, reason="no")
    assert Return.objects.get(pk=asked).status == "requested"

    assert act(admin_client, "refuse_returns", asked, reason="worn for years") == [f"Return {asked} is refused"]

    assert Return.objects.get(pk=asked).refusal == "worn for years"
    assert act(admin_client, "receive_returns", asked, **{f"each:{asked}": "MUG 1 restock"})[0].startswith("Return")


def test_the_task_of_a_scan_after_the_decision_is_closed(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], admin_client: Client
) -> None:
    order = placed()
    drain()
    parcel = commands.shipment_of(order)
    commands.dispatch_shipment(parcel, "sandbox", "SB1")
    commands.lose_shipment(parcel)
    commands.resolve_shipment(parcel, "refund")

    def offers() -> list[Any]:
        return offered(admin_client, f"{SHIPMENTS}{parcel}/change/")

    assert "close_tasks" not in offers()
    commands.note_scan("sandbox", CarrierScan(id="e1", tracking_number="SB1", status="delivered", at=clock.now()))
    assert "close_tasks" in offers()
    submit(admin_client, SHIPMENTS, {"action": "close_tasks", "_selected_action": parcel, "note": "the buyer keeps it"})
    assert "close_tasks" not in offers()
