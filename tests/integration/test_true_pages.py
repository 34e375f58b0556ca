"""What the operators' pages, the command line and the API say about personal data, people and causes is true."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils.html import strip_tags

from fulfillment.commands import deliver_shipment, dispatch_shipment, shipment_of
from fulfillment.models import History as ShipmentHistory
from integration.admin.viewer import Viewer, _viewer, may_open, name_of
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.metadata import new_story
from integration.history.shown import shown_facts
from integration.messaging.archive import archive_batch
from integration.messaging.models import ArchivedMessage, Delivery, Message
from integration.read_models.catch_up import catch_up_all
from integration.rest.deliveries import DeliveryDetails
from ordering.commands import cancel_order, change_profile, erase_buyer, register_buyer_if_new
from ordering.models import CancellationReason, History, Order

pytestmark = pytest.mark.django_db

OURS = ["integration", "sandbox", *settings.CONTEXTS]
PAGES = sorted(
    (model for model in admin.site._registry if model._meta.app_label in OURS), key=lambda each: each._meta.label
)

VALUES = ("Ada Lovelace", "12 St James", "SW1Y 4JH")


@pytest.fixture
def order(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> OrderNumber:
    """A delivered order of the user Ada, who has no name, and is known by her username."""
    user = get_user_model().objects.create(username="ada", email="ada@example.com")
    with new_story(f"user:{user.pk}"):
        number = placed(buyer=f"U-{user.pk}")
    drain()
    return number


def deliver(order: OrderNumber, drain: Callable[..., int]) -> None:
    drain()
    dispatch_shipment(shipment_of(order), "DHL", "JD014600003")
    drain()
    deliver_shipment(shipment_of(order))
    drain()


@pytest.fixture
def staff() -> Callable[..., Client]:
    """Logs in a member of staff with these permissions."""

    def log_in(*permissions: str, name: str = "vera") -> Client:
        user, _ = get_user_model().objects.get_or_create(username=name, is_staff=True)
        user.user_permissions.set(
            Permission.objects.filter(
                codename__in=[each.partition(".")[2] for each in permissions],
                content_type__app_label__in={each.partition(".")[0] for each in permissions},
            )
        )
        client = Client()
        client.force_login(user)
        return client

    return log_in


def text(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(strip_tags(response.content.decode()).split())


def pages_with_the_address(order: OrderNumber) -> dict[str, str]:
    """The pages that show the facts of an event or a message with the order's address, by kind."""
    placed = History.objects.get(stream_id=order, name="ordering.order_placed")
    arranged = ShipmentHistory.objects.get(name="fulfillment.shipment_arranged", stream_id=shipment_of(order))
    found = {
        "event": f"/admin/ordering/history/{placed.pk}/change/",
        "event of another context": f"/admin/fulfillment/history/{arranged.pk}/change/",
    }
    if message := Message.objects.filter(name="ordering.shipping-requested").first():
        delivery = Delivery.objects.get(message=message, consumer="fulfillment.arrange-shipment")
        found["message"] = f"/admin/integration/message/{message.pk}/change/"
        found["delivery"] = f"/admin/integration/delivery/{delivery.pk}/change/"
    if archived := ArchivedMessage.objects.filter(name="ordering.shipping-requested").first():
        found["archived message"] = f"/admin/integration/archivedmessage/{archived.pk}/change/"
    return found


WHO_MAY_NOT = [
    "ordering.view_history",
    "fulfillment.view_history",
    "integration.view_message",
    "integration.view_delivery",
    "integration.view_archivedmessage",
    "integration.view_personaldata",
]
WHO_MAY = [*WHO_MAY_NOT, "ordering.view_order", "fulfillment.view_shipment"]


def test_personal_data_is_shown_to_those_who_may_view_it(
    order: OrderNumber, staff: Callable[..., Client], drain: Callable[..., int], later: Callable[..., None]
) -> None:
    deliver(order, drain)
    _archive(later)
    pages = pages_with_the_address(order)
    assert {"event", "event of another context", "archived message"} <= set(pages)
    insider, outsider = staff(*WHO_MAY, name="ina"), staff(*WHO_MAY_NOT, name="otto")

    for kind, url in pages.items():
        shown, hidden = text(insider.get(url)), text(outsider.get(url))
        assert VALUES[0] in shown, kind
        assert not any(value in hidden for value in VALUES), kind
        assert "(personal)" in hidden, kind
        assert "(erased)" not in shown + hidden, kind


def test_personal_data_of_live_messages_is_shown_to_those_who_may_view_it(
    order: OrderNumber, staff: Callable[..., Client]
) -> None:
    pages = pages_with_the_address(order)
    assert {"message", "delivery"} <= set(pages)
    insider, outsider = staff(*WHO_MAY, name="ina"), staff(*WHO_MAY_NOT, name="otto")

    for kind, url in pages.items():
        shown, hidden = text(insider.get(url)), text(outsider.get(url))
        assert VALUES[0] in shown, kind
        assert "(personal)" in hidden, kind
        assert VALUES[0] not in hidden, kind
        assert "(erased)" not in shown + hidden, kind


def test_erased_is_said_only_of_what_is_erased(
    order: OrderNumber, staff: Callable[..., Client], placed: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    deliver(order, drain)
    other = placed()
    drain()
    buyer = Order.objects.get(pk=order).buyer_id
    erase_buyer(BuyerId(buyer))
    drain()
    insider, outsider = staff(*WHO_MAY, name="ina"), staff(*WHO_MAY_NOT, name="otto")
    erased, whole = (History.objects.get(stream_id=each, name="ordering.order_placed") for each in (order, other))

    for client in (insider, outsider):
        page = text(client.get(f"/admin/ordering/history/{erased.pk}/change/"))
        assert "(erased)" in page
        assert "(personal)" not in page
        page = text(client.get(f"/admin/ordering/history/{whole.pk}/change/"))
        assert "(erased)" not in page

    registered = History.objects.get(stream_id=buyer, name="ordering.buyer_registered")
    assert '"email": "(erased)"' in text(insider.get(f"/admin/ordering/history/{registered.pk}/change/")).replace(
        "&quot;", '"'
    )


def test_the_command_shows_values_and_what_is_erased(order: OrderNumber, drain: Callable[..., int]) -> None:
    def history(*arguments: str) -> str:
        out = StringIO()
        call_command("history", *arguments, stdout=out)
        return out.getvalue()

    deliver(order, drain)
    assert "Lovelace" in history("Order", order)
    assert json.loads(history("Order", order, "--json"))[0]["data"]["shipping_address"]["recipient"] == VALUES[0]
    assert "(erased)" not in history("Order", order) + history("Shipment", shipment_of(order), "--json")

    erase_buyer(BuyerId(Order.objects.get(pk=order).buyer_id))
    drain()

    for arguments in (("Order", order), ("Shipment", shipment_of(order)), ("Order", order, "--json")):
        assert "(erased)" in history(*arguments)
        assert VALUES[0] not in history(*arguments)
    first = json.loads(history("Order", order, "--json"))[0]
    assert first["data"]["payment_method"] == "(erased)"


def test_facts_of_newer_code_are_not_called_erased(order: OrderNumber, staff: Callable[..., Client]) -> None:
    placed = History.objects.get(stream_id=order, name="ordering.order_placed")
    unknown = History(**{**_columns(placed), "id": placed.id, "name": "ordering.order_wished"})
    unknown._state.adding = False

    assert shown_facts(unknown, may_see=True, is_erased=False)["shipping_address"]["recipient"] == VALUES[0]
    assert shown_facts(unknown, may_see=False, is_erased=False)["shipping_address"]["recipient"] == "(personal)"
    assert shown_facts(unknown, may_see=False, is_erased=False)["shipping_address"]["country"] == "GB"


def life_of(client: Client, buyer: str, version: int) -> str:
    return text(client.get(f"/admin/ordering/buyer/{buyer}/life/?version={version}"))


def test_through_time_an_erased_value_is_called_erased(admin_client: Client) -> None:
    buyer = BuyerId("B-1")
    register_buyer_if_new(buyer)
    change_profile(buyer, {"name": "Ada"})
    assert "(erased)" not in life_of(admin_client, buyer, 1) + life_of(admin_client, buyer, 2)
    erase_buyer(buyer)
    for version in (2, 3):
        page = life_of(admin_client, buyer, version)
        assert "Name (erased) Email (erased) " in page
        assert "Ada" not in page


def test_through_time_what_was_left_empty_after_the_erasing_is_not_called_erased(admin_client: Client) -> None:
    buyer = BuyerId("B-1")
    register_buyer_if_new(buyer)
    change_profile(buyer, {"name": "Ada"})
    erase_buyer(buyer)
    change_profile(buyer, {"name": "Bea"})
    page = life_of(admin_client, buyer, 4)
    assert "Name (erased)Bea Email (erased)– " in page


# --- People and causes ---


def test_pages_name_people_and_say_why_steps_were_automatic(
    order: OrderNumber, admin_client: Client, drain: Callable[..., int]
) -> None:
    user = get_user_model().objects.get(username="ada")
    user.first_name, user.last_name = "Ada", "King"
    user.save()
    story = Order.objects.get(pk=order).correlation_id
    placed = History.objects.get(stream_id=order, name="ordering.order_placed")
    pages = {
        "story": f"/admin/integration/message/story/{story}/",
        "history of the order": f"/admin/ordering/history/?stream=order&stream_id={order}",
        "all events": "/admin/ordering/history/",
        "the event": f"/admin/ordering/history/{placed.pk}/change/",
        "through time": f"/admin/ordering/order/{order}/life/?version=1",
    }
    for kind, url in pages.items():
        page = text(admin_client.get(url))
        assert "Ada King" in page, kind
        assert f"user:{user.pk}" not in page, kind
    for url in ("/admin/billing/history/", "/admin/inventory/history/", "/admin/integration/message/"):
        page = text(admin_client.get(url))
        assert "automatically, because" in page, url
        assert f"user:{user.pk}" not in page, url
    page = text(admin_client.get(pages["story"]))
    assert f"automatically, because order {order} was placed for {Order.objects.get(pk=order).total}: 2 × MUG" in page


def test_a_step_of_time_says_so(
    placed: Callable[..., OrderNumber], admin_client: Client, drain: Callable[..., int]
) -> None:
    number = placed()
    with new_story():
        cancel_order(number, CancellationReason.PAYMENT_TIMEOUT)
    cancelled = History.objects.get(stream_id=number, name="ordering.order_cancelled")

    page = text(admin_client.get(f"/admin/ordering/history/{cancelled.pk}/change/"))

    assert "automatically, because its time had come" in page
    assert "(payment timeout)" in page


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model._meta.label)
def test_links_lead_only_where_the_viewer_may_go(
    model: Any, order: OrderNumber, staff: Callable[..., Client], drain: Callable[..., int]
) -> None:
    cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    catch_up_all()
    name = model._meta.model_name
    permission = "billing.view_payment" if name == "transaction" else f"{model._meta.app_label}.view_{name}"
    viewer = staff(permission)
    listed = reverse(f"admin:{model._meta.app_label}_{name}_changelist")
    rows = [row.pk for row in model._default_manager.order_by("pk")[:2]]
    pages = [listed, *(reverse(f"admin:{model._meta.app_label}_{name}_change", args=[quote(pk)]) for pk in rows)]

    for url in pages:
        response = viewer.get(url)
        assert response.status_code == 200, url
        for link in _links(response.content.decode()):
            assert viewer.get(link).status_code in (200, 302), (url, link)


def test_deleted_users_and_other_actors_have_names(db: None) -> None:
    assert name_of("user:99999") == "user 99999, who is deleted"
    assert name_of("anonymous") == "somebody who is not logged in"
    assert name_of("command line (root)") == "command line (root)"
    assert name_of("user:x") == "user:x"


def test_the_api_shows_no_placeholder_as_erased(order: OrderNumber, rf: Any) -> None:
    delivery = Delivery.objects.select_related("message").get(consumer="fulfillment.arrange-shipment")

    payload = DeliveryDetails(delivery).data["payload"]

    assert payload["recipient"]["recipient"] == "(personal)"
    assert payload["recipient"]["country"] == "GB"


def test_the_page_decides_whether_it_may_be_opened(rf: Any, db: None) -> None:
    request = rf.get("/admin/")
    request.user = get_user_model().objects.create(username="stan", is_staff=True)
    token = _viewer.set(Viewer(request))
    try:
        assert not may_open("/admin/ordering/order/?q=1")
        assert may_open("/admin/integration/message/events/")
    finally:
        _viewer.reset(token)


def _links(page: str) -> list[str]:
    return sorted(set(re.findall(r'href="(/admin/[^"#?]+)', page)))


def _columns(row: Any) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def _archive(later: Callable[..., None]) -> None:
    later(timedelta(days=100))
    while archive_batch(100):
        pass
    catch_up_all()
