"""Notes on orders, and addresses that are corrected before the goods leave."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from msgspec.structs import replace

from fulfillment.commands import dispatch_shipment, next_shipment, shipment_of
from fulfillment.models import Shipment
from integration import contracts
from integration.domain.address import Address
from integration.domain.errors import Refused
from integration.domain.identifiers import BuyerId, OrderNumber, Sku
from integration.history.personal_data import PersonalData
from ordering.commands import add_note, cancel_order, correct_address, erase_buyer
from ordering.models import CancellationReason, Order, OrderBoard
from ordering.models.order_corrections import CorrectionUnderWay, CountryStays, OrderIsErased, SameAddress
from ordering.queries import order_board
from tests.questions import offered, submit

ORDERS = "/admin/ordering/order/"


@pytest.fixture
def next_door(address: Address) -> Address:
    return replace(address, street="14 St James's Square")


def street_of(order: OrderNumber) -> tuple[str, str, str]:
    """Where the order and its last shipment say that they go, and what became of the correction."""
    board: OrderBoard = order_board().get(number=order)
    found = Order.objects.get(pk=order)
    assert board.shipping_address == found.shipping_address
    parcel = Shipment.objects.filter(order=order).order_by("-pk").first()
    return found.shipping_address["street"], parcel.recipient["street"] if parcel else "", found.correction_status


def test_an_address_is_corrected_at_once_before_the_order_is_confirmed(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], next_door: Address
) -> None:
    order = placed()
    correct_address(order, next_door, "a wrong number")
    assert street_of(order) == (next_door.street, "", "")
    drain()
    assert street_of(order) == (next_door.street, next_door.street, "")


def test_fulfillment_sends_what_has_not_left_to_the_corrected_address(
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
    address: Address,
    next_door: Address,
    compare_rows_with_history: Callable[[], set[str]],
) -> None:
    order = placed()
    drain()
    first = shipment_of(order)
    dispatch_shipment(first, "DHL", "JD1", [(Sku("MUG"), 1)])
    drain()

    correct_address(order, next_door, "a wrong number")
    assert street_of(order) == (address.street, address.street, "requested")
    with pytest.raises(CorrectionUnderWay):
        correct_address(order, replace(next_door, street="16 St James's Square"), "again")
    drain()

    assert street_of(order) == (next_door.street, next_door.street, "corrected")
    assert Shipment.objects.get(pk=first).recipient["street"] == address.street
    assert Shipment.objects.get(pk=next_shipment(first)).correction == 1
    compare_rows_with_history()


def test_a_correction_that_comes_after_the_dispatch_changes_nothing_and_says_so(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], address: Address, next_door: Address
) -> None:
    order = placed()
    drain()
    correct_address(order, next_door, "a wrong number")
    dispatch_shipment(shipment_of(order), "DHL", "JD1")
    drain()
    assert street_of(order) == (address.street, address.street, "too_late")


def test_a_correction_that_is_out_of_date_does_not_replace_a_later_one(
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
    next_door: Address,
    publish_all: Callable[..., None],
    published: Callable[..., list[Any]],
) -> None:
    order = placed()
    drain()
    later = replace(next_door, street="16 St James's Square")
    for wanted in (next_door, later):
        correct_address(order, wanted, "a wrong number")
        drain()
    [first, _] = published(contracts.ordering.AddressCorrectionRequested)
    publish_all(first)
    drain()
    assert street_of(order) == (later.street, later.street, "corrected")


def test_an_address_stays_in_its_country_and_changes_by_a_correction(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], address: Address
) -> None:
    order = placed()
    abroad = Address("Ada Lovelace", "1 Rue de Rivoli", "Paris", "75001", "FR")
    for wanted, refusal in ((abroad, CountryStays), (address, SameAddress)):
        with pytest.raises(refusal):
            correct_address(order, wanted, "moved")
    drain()
    dispatch_shipment(shipment_of(order), "DHL", "JD1")
    drain()
    with pytest.raises(Refused, match="cannot correct address"):
        correct_address(order, replace(address, street="elsewhere"), "moved")


def test_erasing_the_buyer_erases_notes_and_requested_addresses(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], next_door: Address
) -> None:
    order = placed()
    drain()
    add_note(order, "Ada calls on Mondays")
    correct_address(order, next_door, "Ada moved next door")
    cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    erase_buyer(BuyerId("B-1"))
    drain()
    assert not PersonalData.objects.filter(values__icontains="Ada").exists()
    assert next_door.street not in str(vars(Order.objects.get(pk=order)))
    with pytest.raises(OrderIsErased):
        add_note(order, "Ada called again")


def test_an_operator_notes_something_on_the_order_under_their_name(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], admin_client: Client, admin_user: Any
) -> None:
    order = placed()
    drain()
    submit(admin_client, ORDERS, {"action": "note_on_orders", "_selected_action": order, "text": "calls on Mondays"})
    page = admin_client.get(f"{ORDERS}{order}/change/")
    [(_, by, text)] = page.context["notes"]
    assert (by, text) == (admin_user.get_username(), "calls on Mondays")


def test_an_operator_corrects_the_address_in_a_form_that_shows_it_and_keeps_the_input(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], admin_client: Client, address: Address
) -> None:
    order = placed()
    drain()
    data = {"action": "correct_addresses", "_selected_action": order}
    form = admin_client.post(ORDERS, data).context["form"]
    assert form.initial.get("street") or form["street"].value() == address.street
    assert "says whether that came too late" in form.by_row()[0][2]

    parts = {"recipient": "Ada Lovelace", "street": "14 Elm", "city": "London", "country": "GB", "reason": "moved"}
    wrong = submit(admin_client, ORDERS, {**data, **parts}).content.decode()
    assert "required" in wrong and 'value="14 Elm"' in wrong  # noqa: PT018 - one page
    submit(admin_client, ORDERS, {**data, **parts, "postal_code": "SW1Y 4JH"})
    drain()
    assert street_of(order) == ("14 Elm", "14 Elm", "corrected")

    dispatch_shipment(shipment_of(order), "DHL", "JD1")
    drain()
    assert "correct_addresses" not in offered(admin_client, f"{ORDERS}{order}/change/")
