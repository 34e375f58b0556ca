"""The page of an order that operators work from: what it says, what it offers, and what it costs."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils.html import strip_tags

from fulfillment.commands import (
    deliver_shipment,
    dispatch_shipment,
    lose_shipment,
    next_shipment,
    request_return,
    shipment_of,
)
from fulfillment.models.return_policy import ReturnReason
from integration.domain.identifiers import BuyerId, OrderNumber, Sku
from integration.domain.metadata import new_story
from ordering.commands import cancel_order, change_profile, erase_buyer, hold_order
from ordering.models import CancellationReason, HoldReason, Order
from tests.broken import broken
from tests.once import one_database

pytestmark = one_database

MOST_STATEMENTS = 30


def path_of(number: str, query: str = "") -> str:
    return f"/admin/ordering/order/{number}/change/{query}"


def words_of(client: Client, number: str, query: str = "") -> str:
    response = client.get(path_of(number, query))
    assert response.status_code == 200
    return " ".join(strip_tags(response.content.decode().replace("<", " <")).split())


@pytest.fixture
def order(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> OrderNumber:
    number = placed()
    change_profile(BuyerId("B-1"), {"name": "Ada Byron", "email": "ada@example.com"})
    drain()
    return number


@pytest.fixture
def clerk(db: None) -> Callable[..., Client]:
    """Creates a client of a staff user with these permissions."""

    def log_in(*permissions: str) -> Client:
        user = get_user_model().objects.create_user(f"clerk-{len(permissions)}", is_staff=True)
        for permission in permissions:
            label, _, codename = permission.partition(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
        client = Client()
        client.force_login(user)
        return client

    return log_in


def test_the_headline_says_whose_order_it_is_what_it_costs_and_what_it_waits_for(
    order: OrderNumber, admin_client: Client
) -> None:
    words = words_of(admin_client, order)
    head = words.partition(f" Order {order} ")[2]
    assert head.startswith("Ada Byron order Confirmed payment paid shipment arranged 105.00 USD "), head[:200]
    assert f"Waiting for the warehouse to dispatch shipment {shipment_of(order)}" in words
    assert {"2 to ship", "1 to ship"} <= {*re.findall(r"\d to ship", words)}


def test_the_rows_of_all_contexts_have_their_own_actions_and_the_reasons_against_the_others(
    order: OrderNumber, admin_client: Client
) -> None:
    sections = {each["title"]: each for each in admin_client.get(path_of(order)).context["sections"]}
    assert list(sections) == ["Shipments", "Invoice", "Payments", "Reservation"]
    [shipment] = sections["Shipments"]["rows"]
    acts = {act.name: act.why_not for act in shipment["acts"]}
    assert acts["dispatch_shipments"] == ""
    assert acts["deliver_shipments"] == (
        "it is arranged; possible only while dispatched, in transit, failed, returned or lost"
    )
    [invoice] = sections["Invoice"]["rows"]
    assert [(act.name, act.why_not) for act in invoice["acts"]] == [("refund_in_part", "")]


def test_an_action_returns_to_the_page_of_the_order(order: OrderNumber, admin_client: Client) -> None:
    data = {"action": "dispatch_shipments", "_selected_action": shipment_of(order), "came_from": path_of(order)}
    form = admin_client.post("/admin/fulfillment/shipment/", data)
    assert form.status_code == 200
    values = {"submitted": "yes", "token": form.context["form"].token, "carrier": "DHL"}
    done = admin_client.post("/admin/fulfillment/shipment/", {**data, **values, f"each:{shipment_of(order)}": "JD1"})
    assert (done.status_code, done["Location"]) == (302, path_of(order))


def test_each_step_says_what_happened_to_how_much_and_who_did_it(
    order: OrderNumber, admin_client: Client, admin_user: Any, drain: Callable[..., int], later: Callable[..., None]
) -> None:
    later(timedelta(days=2))
    with new_story(actor=f"user:{admin_user.pk}"):
        hold_order(order, HoldReason.FRAUD_RISK)
    drain()
    steps = admin_client.get(path_of(order)).context["steps"]
    said = " ".join(strip_tags(f"{each['sentence']} by {each['by']}") for each in steps if "pause" not in each)
    assert f"Order {order} was placed for 105.00 USD: 2 × MUG, 1 × LAMP" in said
    hold = f"H-{order.removeprefix('R-')}-1"
    assert f"Hold {hold} was placed on order {order} (fraud risk) by admin" in said
    assert "by automatically, because" in said
    [pause] = [each for each in steps if "pause" in each]
    assert pause == {"pause": "2 days", "until": "for admin"}
    tracks = admin_client.get(path_of(order)).context["waterfall"]["tracks"]
    of_order = next(track for track in tracks if f"order {order}" in strip_tags(track["about"]))
    assert of_order["waited"] == "2 days"
    assert {span["kind"] for span in of_order["spans"]} == {"waits", "works"}


def test_who_sent_what_to_whom_is_the_second_view(order: OrderNumber, admin_client: Client) -> None:
    page = admin_client.get(path_of(order, "?story=sequence"))
    shown = page.context["sequence"]
    assert shown["columns"] == ["external", "ordering", "inventory", "billing", "fulfillment"]
    said = [(each["start"], each["end"], strip_tags(str(each["text"]))) for each in shown["arrows"]]
    assert ("ordering", "inventory", "ordering.order-placed") in said
    assert ("billing", "ordering", "billing.payment-succeeded") in said
    assert ("billing", "external", "billing.charge-invoice") in said or any(end == "external" for _, end, _ in said)
    assert page.context["steps"] == []


def test_personal_data_of_steps_is_for_those_who_may_see_it_and_erased_data_for_nobody(
    order: OrderNumber, admin_client: Client, clerk: Callable[..., Client], drain: Callable[..., int]
) -> None:
    assert "St James" in words_of(admin_client, order)
    cancel_order(order, CancellationReason.BY_BUYER, "moved away")
    drain()
    assert "moved away" in words_of(admin_client, order)
    erase_buyer(BuyerId("B-1"))
    drain()
    words = words_of(admin_client, order)
    assert [secret for secret in ("St James", "moved away", "Ada") if secret in words] == []


def test_the_page_shows_only_what_the_viewer_may_view(order: OrderNumber, clerk: Callable[..., Client]) -> None:
    plain = clerk("ordering.view_order")
    page = plain.get(path_of(order))
    assert (page.context["sections"], page.context["acts"], page.context["steps"]) == ([], [], [])
    assert page.context["steps_hidden"].keys() == {"ordering", "inventory", "billing", "fulfillment"}
    assert (page.context["has_sequence"], page.context["sequence"]) == (False, None)
    assert "Ada Byron" not in page.content.decode()
    assert plain.get(path_of(order, "?story=sequence")).context["sequence"] is None

    reader = clerk("ordering.view_order", "ordering.view_history", "fulfillment.view_shipment")
    page = reader.get(path_of(order))
    assert [section["title"] for section in page.context["sections"]] == ["Shipments"]
    assert {step["context"] for step in page.context["steps"]} == {"ordering"}


def test_a_dead_letter_is_on_the_page_with_its_error_and_is_tried_again_from_there(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], admin_client: Client, settings: Any
) -> None:
    settings.DELIVERY_MAX_ATTEMPTS = 1
    with broken("inventory.reserve-stock"):
        number = placed()
        drain()
    [failure] = admin_client.get(path_of(number)).context["failures"]
    assert (failure["is_dead"], failure["error"]) == (True, "RuntimeError: the shelf fell over")
    assert "This order is stuck" in words_of(admin_client, number)
    again = next(act for act in failure["acts"] if act.name == "try_again_now")
    data = {"action": again.name, "_selected_action": again.key, "came_from": path_of(number)}
    assert admin_client.post(again.url, data)["Location"] == path_of(number)
    drain()
    assert admin_client.get(path_of(number)).context["failures"] == []
    assert Order.objects.get(pk=number).status == "confirmed"


def test_an_order_that_is_over_waits_for_nothing(
    order: OrderNumber, admin_client: Client, drain: Callable[..., int]
) -> None:
    dispatch_shipment(shipment_of(order), "DHL", "JD1")
    deliver_shipment(shipment_of(order))
    drain()
    assert "This order waits for nothing" in words_of(admin_client, order)


@pytest.fixture
def eventful(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], statements: Any
) -> Callable[[], OrderNumber]:
    """An order with several of everything: parcels, a return, a hold, a lost parcel."""

    def create() -> OrderNumber:
        number = placed({"MUG": 6, "LAMP": 2})
        drain()
        shipment = shipment_of(number)
        for parcel in range(4):
            dispatch_shipment(shipment, "DHL", f"JD{parcel}", [(Sku("MUG"), 1)])
            drain()
            (lose_shipment if parcel == 3 else deliver_shipment)(shipment)
            drain()
            shipment = next_shipment(shipment)
        request_return(number, [(Sku("MUG"), 1, ReturnReason.DAMAGED)])
        request_return(number, [(Sku("MUG"), 1, ReturnReason.DAMAGED)])
        hold_order(number, HoldReason.OTHER)
        drain()
        return number

    return create


@pytest.mark.parametrize("view", ["", "?story=sequence"])
def test_the_page_takes_the_same_few_statements_whatever_the_size_of_the_order(
    order: OrderNumber,
    eventful: Callable[[], OrderNumber],
    admin_client: Client,
    statements: Callable[[], AbstractContextManager[list[str]]],
    view: str,
) -> None:
    big = eventful()
    admin_client.get(path_of(order, view))
    with statements() as few:
        admin_client.get(path_of(order, view))
    with statements() as many:
        words = words_of(admin_client, big, view)
    assert len(re.findall("DHL", words)) >= 4
    assert len(many) < MOST_STATEMENTS, many
    assert len(many) - len(few) <= 4, (len(few), len(many))  # returns, their lines, and what only they cause
