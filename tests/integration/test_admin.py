"""The admin pages as a whole: every page loads, rows cannot be edited, the number of queries does not grow with the
rows, and stories can be found by id. The actions of a context are tested with that context."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import Model
from django.test import Client, override_settings
from django.urls import reverse
from django.utils.html import escape, strip_tags

from billing.commands import ask_for_refund, note_call_back, note_dispute
from billing.gateways import Disputed
from billing.gateways.sandbox.adapter import adapter as sandbox
from billing.models import Payment
from billing.reconciliation import reconcile
from fulfillment.commands import deliver_shipment, dispatch_shipment, next_shipment, request_return, shipment_of
from fulfillment.models import FulfillmentOrder, Return
from fulfillment.models.return_policy import ReturnReason
from integration.admin.pages import ReadOnlyAdmin
from integration.admin.story import by_cause
from integration.domain import clock
from integration.domain.identifiers import BuyerId, CartId, InvoiceNumber, OrderNumber, PaymentMethodId, Sku
from integration.domain.money import Money
from integration.history.entries import HistoryEntry
from integration.history.story import story
from integration.messaging.archive import archive_batch
from integration.messaging.dead_letters import replay
from integration.messaging.failure_groups import group_of, note_seen
from integration.messaging.holding import hold_and_release
from integration.messaging.models import ArchivedMessage, ConsumerState, Delivery, Message, Status
from integration.messaging.replay_jobs import Selection, replay_now
from integration.messaging.wakeups import DeliveryQueue
from integration.read_models.catch_up import catch_up_all
from integration.webhooks.endpoints import register
from integration.webhooks.sending import send_due
from ordering.commands import cancel_order, change_profile, create_voucher, note_bounce, open_cart, set_item
from ordering.models import CancellationReason, Order, ShippingRate, TaxRate
from tests.broken import broken
from tests.integration.webhooks.conftest import Receivers
from tests.questions import offered, submit

WITHOUT = {"billing.Capture", "billing.Document", "billing.Refund", "integration.ArchivedMessage"}
"""What the story of the sample's delivered order has no rows of."""
OURS = ["integration", "sandbox", *settings.CONTEXTS]
PAGES = sorted(
    (model for model in admin.site._registry if model._meta.app_label in OURS), key=lambda model: model._meta.label
)

TABLES_OF_THE_SHOP = {TaxRate, ShippingRate}
"""What operators enter themselves; every other page shows what commands have done."""
OF_AN_ORDER = {"ordering", "inventory", "billing", "fulfillment"}
"""The contexts that the orders of these tests pass through; one that is added later may have no row."""
PARTS = sorted({model._meta.app_label for model in PAGES})
"""The apps with pages: the longest tests run once for each of them."""

JUNK = [
    " ",
    "'",
    '"',
    "%",
    "\\",
    "\x00",
    "🙂",
    "-1",
    "9" * 40,
    "x" * 10_000,
    "a " * 2_000,
    "'; DROP TABLE ordering_order; --",
    "{123e4567-e89b-12d3-a456-426614174000}",
    "urn:uuid:nonsense",
    "R-1001",
    "MUG",
]


def list_of(model: type[Model]) -> str:
    return address_of(model, "changelist")


def page_of(row: Model, verb: str = "change") -> str:
    return address_of(type(row), verb, row.pk)


def address_of(model: type[Model], verb: str, *keys: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{verb}", args=[quote(key) for key in keys])


def _voucher_and_cart() -> str:
    """The code of a new voucher; there is a new cart with it."""
    voucher = create_voucher(f"V-{uuid4().hex[:8].upper()}", {"kind": "percent", "value": Decimal(1)})
    set_item(CartId(open_cart(None)[0].id), None, Sku("MUG"), 1)
    return voucher.code


@pytest.fixture
def sample_orders(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> Callable[[], None]:
    """Creates orders of every kind: delivered, refunded, confirmed, declined, out of stock, just placed; and a cart."""

    def create() -> None:
        register({"url": "https://hooks.example/", "events": ["ordering.order-confirmed"]}, None)
        delivered, refunded = placed(vouchers=[_voucher_and_cart()]), placed()
        for order in ({"MUG": 1}, {"RELIC": 1}):
            placed(order)
        placed(method="pm_card_chargeDeclined")
        change_profile(BuyerId("B-1"), {"email": "ada@example.com"})  # who gets letters
        drain()
        cancel_order(refunded, CancellationReason.BY_BUYER, "changed my mind")
        drain()
        first = shipment_of(delivered)
        dispatch_shipment(first, "DHL", "JD014600003", [(Sku("MUG"), 1)])
        dispatch_shipment(next_shipment(first), "DHL", "JD014600004")
        drain()
        deliver_shipment(first)
        deliver_shipment(next_shipment(first))
        drain()
        request_return(delivered, [(Sku("MUG"), 1, ReturnReason.DAMAGED)])
        drain()
        note_bounce(f"letter-{delivered}", delivered, "delivered", "invalid")
        paid = Payment.objects.get(order=delivered)
        with override_settings(REFUND_APPROVAL_LIMIT=Decimal(0), CAPTURE="at_dispatch"):
            ask_for_refund(InvoiceNumber(paid.invoice_id), Money("1", "USD"), "a scratch")
            captured = placed({"MUG": 1})
            drain()
            dispatch_shipment(shipment_of(captured), "DHL", "JD014600005")
            drain()
        note_dispute(Disputed(f"dp_{delivered}", paid.reference, paid.amount, "inquiry", "warning"))
        body, headers = sandbox.call_back(Payment.objects.get(order=delivered).idempotency_key)
        note_call_back("sandbox", sandbox.read_call_back(body, headers))
        sandbox.charge(f"P-{uuid4().hex}", PaymentMethodId("pm_card_visa"), Money("5", "USD"))
        reconcile(clock.now() - timedelta(days=1))
        with clock.moved(timedelta(days=100)):
            archive_batch(1)
        placed()
        catch_up_all()
        hold_and_release()  # creates the rows of consumers
        note_seen(group_of("billing.issue-invoice", RuntimeError("the shelf fell over")))
        replay_now(Selection(status="dead"), "system")
        send_due(Receivers())
        first_day = date(2020 + TaxRate.objects.count(), 1, 1)
        TaxRate.objects.create(country="GB", tax_class="standard", percent_thousandths=0, valid_from=first_day)
        ShippingRate.objects.create(option="post", name="Post", currency="USD", price_minor=333)

    return create


@pytest.fixture
def dead_letter(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], settings: Any, db: None
) -> Callable[[], Delivery]:
    """Creates a dead letter: a delivery whose consumer failed too often."""

    def create() -> Delivery:
        drain()
        settings.DELIVERY_MAX_ATTEMPTS = 1
        with broken("inventory.reserve-stock"):
            placed()
            drain()
        return Delivery.objects.get(status=Status.DEAD)

    return create


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """Creates a staff user with these permissions, and a client that is logged in as this user."""

    def log_in(*permissions: str) -> Client:
        user = get_user_model().objects.create_user(f"staff-{uuid4()}", is_staff=True)
        for permission in permissions:
            label, _, codename = permission.partition(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=label, codename=codename))
        client = Client()
        client.force_login(user)
        return client

    return log_in


def test_every_aggregate_message_and_delivery_has_pages() -> None:
    named = {model._meta.label for model in PAGES}
    assert {"ordering.Product", "ordering.Buyer", "ordering.Order", "ordering.History"} <= named
    assert {"inventory.StockItem", "inventory.Reservation", "inventory.History"} <= named
    assert {"billing.Invoice", "billing.Payment", "billing.Refund", "billing.History"} <= named
    assert {"fulfillment.Shipment", "fulfillment.History"} <= named
    assert {"integration.Message", "integration.Delivery", "sandbox.Transaction"} <= named


def test_every_page_loads(sample_orders: Callable[[], None], admin_client: Client, subtests: pytest.Subtests) -> None:
    sample_orders()
    for model in PAGES:
        with subtests.test(model._meta.label):
            rows = list(model._default_manager.all())
            assert rows or _is_of_a_new_context(model)
            listed = admin_client.get(list_of(model))
            assert listed.status_code == 200
            assert listed.context["cl"].result_count == len(rows)
            assert not re.search(r"<a [^>]*><a ", listed.content.decode()), "a link within a link"
            for row in rows[:12]:
                shown = admin_client.get(page_of(row))
                assert shown.status_code == 200
                assert escape(str(row)) in shown.content.decode()


def _is_of_a_new_context(model: type[Model]) -> bool:
    return model._meta.app_label in set(settings.CONTEXTS) - OF_AN_ORDER


@pytest.mark.parametrize("part", PARTS)
def test_every_filter_loads(
    part: str, sample_orders: Callable[[], None], admin_client: Client, subtests: pytest.Subtests
) -> None:
    sample_orders()
    junk = [
        "?status__exact=junk",
        "?level=junk",
        "?created_at__year=junk",
        "?o=1.-2.99.x",
        "?p=junk",
        "?stream_id=",
        "?_facets=True",
    ]
    for model in _pages_of(part):
        changes = admin_client.get(list_of(model)).context["cl"]
        filters = [choice["query_string"] for spec in changes.filter_specs for choice in spec.choices(changes)]
        with subtests.test(model._meta.label):
            for query in filters + junk:
                assert admin_client.get(list_of(model) + query, follow=True).status_code == 200, query


@pytest.mark.parametrize("part", PARTS)
def test_a_search_accepts_any_text(
    part: str, sample_orders: Callable[[], None], admin_client: Client, subtests: pytest.Subtests
) -> None:
    sample_orders()
    for model in _pages_of(part):
        with subtests.test(model._meta.label):
            for junk in JUNK:
                assert admin_client.get(list_of(model), {"q": junk}).status_code == 200, junk


def _pages_of(part: str) -> list[type[Model]]:
    return [model for model in PAGES if model._meta.app_label == part]


def test_an_unknown_row_redirects(db: None, admin_client: Client, subtests: pytest.Subtests) -> None:
    for model in PAGES:
        with subtests.test(model._meta.label):
            for key in ("junk", "9" * 40, "_00", str(uuid4())):
                assert admin_client.get(address_of(model, "change", key)).status_code == 302
                assert admin_client.get(address_of(model, "history", key), follow=True).status_code == 200


def test_rows_cannot_be_added_changed_or_deleted(
    sample_orders: Callable[[], None], admin_client: Client, subtests: pytest.Subtests
) -> None:
    sample_orders()
    pages = [model for model in PAGES if model._default_manager.exists() or not _is_of_a_new_context(model)]
    for model in [model for model in pages if model not in TABLES_OF_THE_SHOP]:
        with subtests.test(model._meta.label):
            row, count = model._default_manager.all()[0], model._default_manager.count()
            for address in (address_of(model, "add"), page_of(row, "delete")):
                assert admin_client.get(address).status_code == 403
                assert admin_client.post(address, {"post": "yes"}).status_code == 403
            assert admin_client.post(page_of(row), {"status": "dead", "name": "x"}).status_code == 403
            chosen = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
            admin_client.post(list_of(model), chosen)
            assert model._default_manager.count() == count
            shown = admin_client.get(page_of(row)).content.decode().partition('id="content-main"')[2]
            assert not re.search(r'<(textarea|select|input type="(text|number)") ', shown)


def test_a_tax_rate_is_added_and_never_changed(db: None, admin_client: Client) -> None:
    rate = {"country": "GB", "region": "", "tax_class": "standard", "valid_from": "2026-01-01"}
    admin_client.post(address_of(TaxRate, "add"), {**rate, "percent_thousandths": 20_000})
    added = TaxRate.objects.get()
    assert (added.country, added.percent) == ("GB", 20)

    assert admin_client.post(page_of(added), {**rate, "percent_thousandths": 1}).status_code == 403
    assert TaxRate.objects.get().percent == 20


def test_the_number_of_statements_does_not_depend_on_the_length_of_a_list(
    sample_orders: Callable[[], None],
    admin_client: Client,
    statements: Callable[[], AbstractContextManager[list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    subtests: pytest.Subtests,
) -> None:
    monkeypatch.setattr(ReadOnlyAdmin, "list_per_page", 10_000)

    def count_statements(model: type[Model], query: str) -> int:
        with statements() as seen:
            assert admin_client.get(list_of(model), {"q": query} if query else {}).status_code == 200
        return len(seen)

    sample_orders()
    few = {(model, query): count_statements(model, query) for model in PAGES for query in ("", "e")}
    for _ in range(3):
        sample_orders()
    for (model, query), before in few.items():
        with subtests.test(f"{model._meta.label} {query}"):
            assert count_statements(model, query) == before


def test_the_number_of_statements_does_not_depend_on_the_number_of_lines(
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
    admin_client: Client,
    statements: Callable[[], AbstractContextManager[list[str]]],
    subtests: pytest.Subtests,
) -> None:
    def count_statements(model: Any, *skus: str) -> int:
        with statements() as seen:
            shown = admin_client.get(page_of(model.objects.latest("created_at"))).content.decode()
        assert all(sku in shown for sku in skus)
        return len(seen)

    made_later = (FulfillmentOrder, Return)
    with_lines = [model for model in PAGES if getattr(model, "parts", None) and model not in made_later]
    assert len(with_lines) == 4
    placed({"MUG": 1})
    drain()
    for model in with_lines:  # The first request fills Django's caches.
        count_statements(model)
    few = {model: count_statements(model, "MUG") for model in with_lines}
    placed({"MUG": 1, "LAMP": 2, "ATLAS": 1})
    drain()
    for model in with_lines:
        with subtests.test(model._meta.label):
            assert count_statements(model, "MUG", "LAMP", "ATLAS") == few[model]


def test_the_page_of_goods_in_several_parcels_takes_the_same_statements_for_any_lines(
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
    admin_client: Client,
    statements: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    counts = []
    for lines in ({"MUG": 2}, {"MUG": 2}, {"MUG": 2, "LAMP": 2, "ATLAS": 1}):
        order = placed(lines)
        drain()
        dispatch_shipment(shipment_of(order), "DHL", "1", [(Sku("MUG"), 1)])
        with statements() as seen:
            shown = admin_client.get(page_of(FulfillmentOrder.objects.get(pk=order))).content.decode()
        assert all(sku in shown for sku in lines)
        counts.append(len(seen))
    assert counts[1] == counts[2]  # the first request fills Django's caches


def test_the_number_of_statements_does_not_depend_on_the_number_of_consumers(
    sample_orders: Callable[[], None],
    admin_client: Client,
    statements: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    sample_orders()
    admin_client.get(page_of(Message.objects.latest("id")))  # The first request fills Django's caches.
    counts = set()
    for name in ("ordering.order-placed", "ordering.shipping-requested"):
        with statements() as seen:
            admin_client.get(page_of(Message.objects.filter(name=name).latest("id")))
        counts.add(sum("integration_delivery" in statement for statement in seen))
    assert len(counts) == 1


# --- Finding a story ---


@pytest.fixture
def order(sample_orders: Callable[[], None]) -> Order:
    sample_orders()
    return Order.objects.get(status="delivered")


def test_a_correlation_id_finds_all_rows_of_the_story(
    order: Order, admin_client: Client, subtests: pytest.Subtests
) -> None:
    id = order.correlation_id
    paths = {model: "correlation_id" for model in PAGES if "correlation_id" in _columns(model)}
    for model, path in {**paths, Delivery: "message__correlation_id"}.items():
        with subtests.test(model._meta.label):
            for written in (str(id), id.hex, str(id).upper(), f"  {id} "):
                found = admin_client.get(list_of(model), {"q": written}).context["cl"].queryset
                # This story has no refund and no capture, and none of its messages is old enough to be archived.
                without = model._meta.label in WITHOUT
                if not without and not _is_of_a_new_context(model):
                    assert set(found.values_list(path, flat=True)) == {id}


def _columns(model: type[Model]) -> set[str]:
    return {field.name for field in model._meta.concrete_fields}


def test_the_number_of_an_order_invoice_or_shipment_finds_its_messages(order: Order, admin_client: Client) -> None:
    number = OrderNumber(order.number)
    for key in (number, number.lower(), number.replace("R", "I"), shipment_of(number)):
        for model, path in ((Message, "correlation_id"), (Delivery, "message__correlation_id")):
            found = admin_client.get(list_of(model), {"q": key}).context["cl"].queryset
            assert set(found.values_list(path, flat=True)) == {order.correlation_id}


def test_events_and_messages_are_found_by_id(order: Order, admin_client: Client) -> None:
    message = Message.objects.first()
    assert message is not None
    assert list(admin_client.get(list_of(Message), {"q": message.id}).context["cl"].queryset) == [message]
    event = story(order.correlation_id)[0]
    assert list(admin_client.get(list_of(type(event)), {"q": event.id}).context["cl"].queryset) == [event]


def test_a_consumer_finds_its_deliveries(order: Order, admin_client: Client) -> None:
    found = admin_client.get(list_of(Delivery), {"q": "reserve-stock"}).context["cl"].queryset
    assert set(found.values_list("consumer", flat=True)) == {"inventory.reserve-stock"}


def test_an_aggregate_links_to_its_history_in_order(order: Order, admin_client: Client) -> None:
    for model in PAGES:
        if hasattr(model, "stream") and not issubclass(model, HistoryEntry) and not _is_of_a_new_context(model):
            row = model.objects.first()
            listed = admin_client.get(page_of(row, "history"), follow=True).context["cl"].result_list
            assert {entry.stream_id for entry in listed} == {row.pk}
            assert [entry.version for entry in listed] == list(range(1, row.version + 1))


def test_an_aggregate_links_to_the_others_of_its_story(order: Order, admin_client: Client) -> None:
    shown = admin_client.get(page_of(order)).content.decode()
    digits = order.number.partition("-")[2]
    rows = [f"inventory/reservation/{order.number}", f"billing/invoice/I-{digits}", f"billing/payment/P-{digits}-1"]
    for row in [*rows, f"fulfillment/shipment/S-{digits}-1"]:
        assert f'href="/admin/{row}/change/"' in shown
    assert _story_of(order) in shown
    invoice = admin_client.get(f"/admin/billing/invoice/I-{digits}/change/").content.decode()
    assert f"reservation for {order.number}" in invoice


def test_a_product_and_its_stock_item_link_to_each_other(order: Order, admin_client: Client) -> None:
    assert "stock of MUG" in admin_client.get("/admin/ordering/product/MUG/change/").content.decode()
    assert "product MUG" in admin_client.get("/admin/inventory/stockitem/MUG/change/").content.decode()


# --- The page of a story ---


def _story_of(order: Order) -> str:
    return reverse("admin:integration_story", args=[order.correlation_id])


def test_a_story_shows_every_event_below_its_cause(order: Order, admin_client: Client) -> None:
    entries = story(order.correlation_id)
    page = admin_client.get(_story_of(order))
    assert page.status_code == 200
    lines = page.context["events"]
    assert [line["id"] for line in lines] == [entry.id for _, entry in by_cause(entries)]
    assert {line["context"] for line in lines} >= OF_AN_ORDER
    text = page.content.decode()
    assert f"Order {order.number} was placed for" in text
    assert f"order {order.number}" in text
    assert "ordering.order-placed" in text
    assert "inventory.reserve-stock" in text


def test_an_effect_is_one_level_below_its_cause(order: Order) -> None:
    entries = story(order.correlation_id)
    depths: dict[Any, int] = {}
    for depth, entry in by_cause(entries):
        assert depth == (depths[entry.causation_id] + 1 if entry.causation_id else 0)
        depths[entry.id] = depth
    assert set(depths) == {entry.id for entry in entries}


def test_an_event_whose_cause_is_not_in_the_story_is_at_the_top_level(order: Order) -> None:
    entries = [entry for entry in story(order.correlation_id) if entry.causation_id]
    assert len(list(by_cause(entries))) == len(entries)


def test_an_unknown_story_says_that_it_is_empty(admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:integration_story", args=[uuid4()]))
    assert page.status_code == 200
    assert "There are no events or messages with this id" in page.content.decode()


def test_a_story_shows_its_dead_letters(dead_letter: Callable[[], Delivery], admin_client: Client) -> None:
    delivery = dead_letter()
    page = admin_client.get(reverse("admin:integration_story", args=[delivery.message.correlation_id]))
    assert "1 dead" in page.content.decode()
    assert "the shelf fell over" in page.content.decode()


def test_a_long_story_is_truncated_with_a_note(
    order: Order, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.admin.story.LONGEST_PAGE", 3)
    page = admin_client.get(_story_of(order))
    assert len(page.context["events"]) == len(page.context["messages_sent"]) == 3
    assert f"{len(story(order.correlation_id)) - 3} more events are not shown" in page.content.decode()


def test_a_story_requires_the_permission_to_view_messages(order: Order, staff: Callable[..., Client]) -> None:
    assert Client().get(_story_of(order)).status_code == 302
    assert staff("ordering.view_order").get(_story_of(order)).status_code == 403
    assert staff("integration.view_message").get(_story_of(order)).status_code == 200


@pytest.mark.usefixtures("unprotected_history")
def test_an_unknown_event_is_shown_by_its_name(order: Order, admin_client: Client) -> None:
    entry = story(order.correlation_id)[0]
    type(entry).objects.filter(pk=entry.pk).update(name="ordering.order_dreamt_of")
    assert "ordering.order_dreamt_of" in admin_client.get(_story_of(order)).content.decode()
    assert admin_client.get(page_of(entry)).status_code == 200


# --- Permissions ---


def test_staff_see_only_what_their_permissions_allow(order: Order, staff: Callable[..., Client]) -> None:
    clerk = staff("ordering.view_order")
    shown = clerk.get(page_of(order)).content.decode()
    assert "LAMP" in shown
    assert "Cancel (as operator)" not in shown
    assert "Whole story" not in shown
    assert clerk.get(list_of(Delivery)).status_code == 403
    assert staff().get(list_of(Order)).status_code == 403


# --- Replaying and skipping ---


def test_a_dead_letter_shows_its_error_and_cause(dead_letter: Callable[[], Delivery], admin_client: Client) -> None:
    delivery = dead_letter()
    shown = admin_client.get(page_of(delivery)).content.decode()
    assert "RuntimeError: the shelf fell over" in shown
    assert "Traceback (most recent call last)" in shown
    assert "&quot;MUG&quot;" in shown
    assert f"#{delivery.message.causation_id}" in shown
    listed = admin_client.get(list_of(Delivery), {"status__exact": "dead"})
    assert [row.pk for row in listed.context["cl"].result_list] == [delivery.pk]
    assert "the shelf fell over" in listed.content.decode()


def test_a_replay_makes_dead_and_pending_deliveries_due_but_not_done_ones(
    sample_orders: Callable[[], None],
    dead_letter: Callable[[], Delivery],
    woken: list[DeliveryQueue],
    django_capture_on_commit_callbacks: Any,
) -> None:
    sample_orders()
    dead = dead_letter()
    pending = Delivery.objects.filter(consumer="billing.issue-invoice").latest("id")
    Delivery.objects.filter(pk=pending.pk).update(
        status=Status.PENDING, done_at=None, attempts=4, due_at=clock.now().replace(year=3000)
    )
    done = list(Delivery.objects.filter(status=Status.DONE).values_list("pk", "attempts", "due_at", "done_at"))
    woken.clear()
    with django_capture_on_commit_callbacks(execute=True):
        assert replay(Delivery.objects.select_related("message").defer("traceback").order_by("-id")) == 2
    assert sorted(woken) == [DeliveryQueue("billing", False), DeliveryQueue("inventory", False)]
    for row in Delivery.objects.filter(pk__in=[dead.pk, pending.pk]):
        assert (row.status, row.attempts) == (Status.PENDING, 0)
        assert row.due_at <= clock.now()
    assert list(Delivery.objects.filter(status=Status.DONE).values_list("pk", "attempts", "due_at", "done_at")) == done


def test_the_number_of_statements_of_a_replay_is_constant(
    sample_orders: Callable[[], None], statements: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    sample_orders()
    Delivery.objects.update(status=Status.DEAD, done_at=None)
    counts = []
    for deliveries in (Delivery.objects.order_by("id")[:1], Delivery.objects.filter(status=Status.DEAD)):
        with statements() as seen:
            replay(deliveries)
        counts.append(len(seen))
    assert counts == [3, 3]


def test_replaying_no_deliveries_sends_no_wakeup(
    db: None, woken: list[DeliveryQueue], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert replay(Delivery.objects.all()) == 0
    assert woken == []


def test_an_operator_can_retry_a_dead_letter(
    dead_letter: Callable[[], Delivery], drain: Callable[..., int], staff: Callable[..., Client]
) -> None:
    delivery = dead_letter()
    order = Order.objects.get(correlation_id=delivery.message.correlation_id)
    chosen = {"action": "try_again_now", "_selected_action": [delivery.pk]}
    staff("integration.view_delivery").post(list_of(Delivery), chosen)
    delivery.refresh_from_db()
    assert delivery.status == Status.DEAD
    response = staff("integration.change_delivery").post(list_of(Delivery), chosen, follow=True)
    assert "will be tried again now" in response.content.decode()
    drain()
    delivery.refresh_from_db()
    order.refresh_from_db()
    assert (delivery.status, delivery.error, order.status) == (Status.DONE, "", "confirmed")


def test_the_retry_button_is_hidden_for_done_deliveries(
    dead_letter: Callable[[], Delivery], admin_client: Client
) -> None:
    assert "try_again_now" in offered(admin_client, page_of(dead_letter()))
    done = Delivery.objects.filter(status=Status.DONE).latest("id")
    assert "try_again_now" not in offered(admin_client, page_of(done))


def skip(client: Client, delivery: Delivery, reason: str) -> str:
    """Submit the form of the skip action; returns the next page."""
    submitted = {"action": "skip_for_good", "_selected_action": [delivery.pk], "reason": reason}
    return submit(client, list_of(Delivery), submitted).content.decode()


def test_an_operator_can_skip_a_dead_letter_with_a_reason(
    dead_letter: Callable[[], Delivery], staff: Callable[..., Client]
) -> None:
    delivery = dead_letter()
    skip(staff("integration.view_delivery"), delivery, "refunded by hand")
    delivery.refresh_from_db()
    assert delivery.status == Status.DEAD
    operator = staff("integration.change_delivery", "integration.view_delivery")

    assert "This field is required" in skip(operator, delivery, " ")
    assert "is skipped permanently" in skip(operator, delivery, "refunded by hand")

    delivery.refresh_from_db()
    assert (delivery.status, delivery.skip_reason) == (Status.SKIPPED, "refunded by hand")
    assert delivery.skipped_by.startswith("user:")
    assert "refunded by hand" in operator.get(page_of(delivery)).content.decode()
    assert "and stays so" in skip(operator, delivery, "again")


def test_the_skip_button_is_hidden_for_deliveries_that_have_not_failed(
    dead_letter: Callable[[], Delivery], admin_client: Client
) -> None:
    assert "skip_for_good" in offered(admin_client, page_of(dead_letter()))
    done = Delivery.objects.filter(status=Status.DONE).latest("id")
    assert "skip_for_good" not in offered(admin_client, page_of(done))


def test_an_archived_message_is_shown_on_its_own_page_and_in_its_story(order: Order, admin_client: Client) -> None:
    story = reverse("admin:integration_story", args=[order.correlation_id])
    before = admin_client.get(story).context
    with clock.moved(timedelta(days=100)):
        assert archive_batch(1_000) > 0
    archived = ArchivedMessage.objects.filter(correlation_id=order.correlation_id).earliest("pk")

    after = admin_client.get(story).context

    assert after["standing"] == before["standing"]
    assert [strip_tags(row["what"]) for row in after["messages_sent"]] == [
        strip_tags(row["what"]) for row in before["messages_sent"]
    ]
    assert [len(row["deliveries"]) for row in after["messages_sent"]] == [
        len(row["deliveries"]) for row in before["messages_sent"]
    ]
    assert f"{archived.pk}/change/" in admin_client.get(story).content.decode()
    assert archived.deliveries[0]["consumer"] in admin_client.get(page_of(archived)).content.decode()
    assert archived in admin_client.get(list_of(ArchivedMessage), {"q": order.number}).context["cl"].queryset


def test_operators_pause_and_resume_consumers_with_their_names_recorded(
    order: Order, staff: Callable[..., Client]
) -> None:
    hold_and_release()  # creates the rows
    state = ConsumerState.objects.get(pk="billing.collect-payment")
    asked = {"action": "pause_consumers", "_selected_action": [state.pk], "reason": "it moves"}
    submit(staff("integration.view_consumerstate"), list_of(ConsumerState), asked)
    state.refresh_from_db()
    assert not state.is_paused
    operator = staff("integration.change_consumerstate", "integration.view_consumerstate")

    assert "is paused" in submit(operator, list_of(ConsumerState), asked).content.decode()
    state.refresh_from_db()
    assert (state.is_paused, state.reason) == (True, "it moves")
    assert state.paused_by.startswith("user:")
    assert "Resume" in operator.get(page_of(state)).content.decode()

    chosen = {"action": "resume_consumers", "_selected_action": [state.pk]}
    assert "is resumed" in operator.post(list_of(ConsumerState), chosen, follow=True).content.decode()
    state.refresh_from_db()
    assert (state.is_paused, state.resumed_by[:5]) == (False, "user:")
    assert "is not paused" in operator.post(list_of(ConsumerState), chosen, follow=True).content.decode()
