"""The forms of actions show what is left, retain their input, and lead back to where the operator came from."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from billing.models import Invoice
from fulfillment.commands import dispatch_shipment, shipment_of
from integration.domain.identifiers import OrderNumber
from integration.messaging.holding import hold_and_release
from inventory.models import StockItem
from ordering.models import Order

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> OrderNumber:
    number = placed()
    drain()
    return number


def ask(client: Client, model: str, action: str, key: str, **values: str) -> Any:
    """Post an action for one row from the row's page, with the values of its form if there are any."""
    data = {"action": action, "_selected_action": key, "came_from": f"/admin/{model}/{key}/change/", **values}
    asked = client.post(f"/admin/{model}/", data)
    if not values:
        return asked
    return client.post(f"/admin/{model}/", {**data, "submitted": "yes", "token": asked.context["form"].token, **values})


def invoice_of(order: OrderNumber) -> str:
    return str(Invoice.objects.get(order=order).pk)


def test_forms_show_what_is_left(order: OrderNumber, admin_client: Client) -> None:
    paid = Invoice.objects.get(order=order).paid
    mugs = StockItem.objects.get(pk="MUG")
    shown = {
        ("billing/invoice", "refund_in_part", invoice_of(order)): f"{paid} of {paid} can still be refunded",
        ("inventory/stockitem", "receive_stock", "MUG"): f"{mugs.on_hand} on hand, {mugs.reserved} of them reserved",
        ("inventory/stockitem", "adjust_stock", "MUG"): f"{mugs.available} available",
        (
            "fulfillment/shipment",
            "dispatch_shipments",
            shipment_of(order),
        ): "3 units of 2 SKUs, for Ada Lovelace",
        ("ordering/order", "cancel_as_operator", order): f"Confirmed, {Order.objects.get(pk=order).total}",
    }
    for asked, text in shown.items():
        assert text in ask(admin_client, *asked).content.decode(), asked


def test_a_refund_in_part_leaves_less(order: OrderNumber, admin_client: Client) -> None:
    paid = Invoice.objects.get(order=order).paid
    key = invoice_of(order)
    response = ask(
        admin_client, "billing/invoice", "refund_in_part", key, reason="scratched", **{f"each:{key}": "5.00"}
    )
    assert response.status_code == 302

    page = ask(admin_client, "billing/invoice", "refund_in_part", key).content.decode()

    left = paid - Invoice.objects.get(order=order).refund_owed
    assert left < paid
    assert f"{left} of {paid} can still be refunded" in page


def test_the_input_stays_when_it_is_wrong_or_refused(order: OrderNumber, admin_client: Client) -> None:
    key = invoice_of(order)
    wrong = ask(admin_client, "billing/invoice", "refund_in_part", key, reason="scratched lid", **{f"each:{key}": "x"})
    refused = ask(
        admin_client, "billing/invoice", "refund_in_part", key, reason="scratched lid", **{f"each:{key}": "99999.00"}
    )

    for page, typed in ((wrong, "x"), (refused, "99999.00")):
        assert page.status_code == 200
        assert 'value="scratched lid"' in page.content.decode()
        assert f'value="{typed}"' in page.content.decode()
    too_many = ask(
        admin_client, "inventory/stockitem", "adjust_stock", "MUG", reason="counted anew", **{"each:MUG": "-90000"}
    )
    assert 'value="counted anew"' in too_many.content.decode()
    dispatch_shipment(shipment_of(order), "DHL", "1")
    late = ask(
        admin_client,
        "fulfillment/shipment",
        "dispatch_shipments",
        shipment_of(order),
        carrier="Royal Mail",
        **{f"each:{shipment_of(order)}": "RM-1"},
    )
    assert 'value="RM-1"' in late.content.decode()


@pytest.mark.parametrize(
    ("model", "action", "values"),
    [
        ("inventory/stockitem", "receive_stock", {"reference": "D-1", "each:MUG": "5"}),
        ("inventory/stockitem", "adjust_stock", {"reason": "found", "each:MUG": "1"}),
        ("integration/consumerstate", "resume_consumers", {}),
    ],
)
def test_an_action_leads_back_to_where_one_came_from(
    order: OrderNumber, admin_client: Client, model: str, action: str, values: dict[str, str]
) -> None:
    hold_and_release()
    key = "MUG" if model.startswith("inventory") else "ordering.confirm-paid-order"
    page = f"/admin/{model}/{key}/change/"

    assert ask(admin_client, model, action, key, **values).headers["Location"] == page


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_nothing_leads_to_another_site(order: OrderNumber, admin_client: Client, elsewhere: str) -> None:
    data = {"action": "receive_stock", "_selected_action": "MUG", "came_from": elsewhere}
    asked = admin_client.post("/admin/inventory/stockitem/", data)
    token = asked.context["form"].token
    done = admin_client.post(
        "/admin/inventory/stockitem/", {**data, "submitted": "yes", "token": token, "each:MUG": "5"}
    )

    assert elsewhere not in asked.content.decode()
    assert done.headers["Location"].startswith("/admin/inventory/stockitem/")


def test_orders_and_shipments_are_found_by_tracking_number_and_recipient(
    order: OrderNumber, placed: Callable[..., OrderNumber], admin_client: Client, drain: Callable[..., int]
) -> None:
    other = placed()
    drain()
    dispatch_shipment(shipment_of(order), "DHL", "JD0146-77")
    drain()

    def found(model: str, words: str) -> set[str]:
        changelist = admin_client.get(f"/admin/{model}/", {"q": words}).context["cl"]
        return {str(row.pk) for row in changelist.result_list}

    for words in ("JD0146-77", "jd0146", "0146-77"):
        assert found("ordering/order", words) == {order}, words
        assert found("fulfillment/shipment", words) == {shipment_of(order)}, words
    for words in ("Ada Lovelace", "lovelace", "Ada"):
        assert found("ordering/order", words) == {order, other}, words
        assert found("fulfillment/shipment", words) == {shipment_of(order), shipment_of(other)}, words
    assert found("ordering/order", "Nobody") == found("fulfillment/shipment", "Nobody") == set()
