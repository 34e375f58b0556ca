"""Erasing a buyer removes their markers from all tables; history, `verify` and `rebuild` work as before."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client
from knox.models import get_token_model
from markers import API, MAIL, NAME, PASSWORD, STREET, TOKEN, places
from rest_framework.test import APIClient

from billing.models import Invoice, Payment
from config.verification import verify
from fulfillment.commands import deliver_shipment, dispatch_shipment, shipment_of
from fulfillment.models import Shipment
from integration.aggregates import past
from integration.aggregates.aggregate import Aggregate
from integration.aggregates.direct_writes import bypassing_history
from integration.aggregates.rebuild import rows_are_their_histories
from integration.aggregates.snapshots import Snapshot
from integration.domain import clock
from integration.domain.address import ERASED, Address
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku
from integration.history.personal_data import PersonalData
from integration.messaging.archive import archive_messages
from integration.messaging.erasure import ERASED as ERROR_ERASED
from integration.messaging.models import ArchivedMessage, Delivery, Message, Status
from integration.read_models.catch_up import catch_up_all
from ordering import commands
from ordering.commands import erase_buyer, erasing, place_order
from ordering.commands.buyers import LooksLikeAnIdentifier
from ordering.models import Buyer, History, Order, OrderBoard, OrderStatus
from ordering.queries import buyer_named
from tests.questions import submit

NOTE = "Yggdrasilnote"
MARKERS = [NAME, MAIL, STREET, NOTE, "zeb", TOKEN, PASSWORD]
STAYS = {"sandbox_transaction", "billing_payer"}
"""The payment provider's own books, which Waybill does not erase, and the payers that the law requires to be stored."""

Statements = Callable[[], AbstractContextManager[list[str]]]


def run(*arguments: str) -> str:
    """Run `manage.py erase_buyer`; returns its output."""
    out = StringIO()
    call_command("erase_buyer", *arguments, stdout=out)
    return out.getvalue()


def left() -> dict[str, set[str]]:
    """The tables that still contain markers, without those that stay."""
    return {marker: found for marker in MARKERS if (found := places(marker) - STAYS)}


@pytest.fixture
def someone_else(placed: Callable[..., OrderNumber]) -> OrderNumber:
    """The order of another buyer."""
    return placed(buyer="B-77")


@pytest.fixture
def a_life(
    buyer: APIClient,
    order: Callable[..., str],
    persist: Callable[[], None],
    admin_user: User,
    admin_client: Client,
    settings: Any,
) -> dict[str, str]:
    """A buyer's orders: a dispatched one, one cancelled with a note, a declined one; and a dead letter."""
    sent, cancelled, declined = order(), order("LAMP"), order("MUG", "pm_card_chargeDeclined")
    persist()
    response = buyer.post(f"{API}/orders/{cancelled}/cancel", {"reason": NOTE}, headers={"Idempotency-Key": "c"})
    assert response.status_code == 202
    staff = APIClient()
    staff.default_format = "json"
    staff.force_authenticate(admin_user)
    body = {"carrier": "DHL", "tracking_number": "JD1"}
    key = {"Idempotency-Key": "by staff"}
    dispatched = staff.post(f"{API}/shipments/{shipment_of(OrderNumber(sent))}/dispatch", body, headers=key)
    assert NAME in dispatched.content.decode()
    settings.DELIVERY_MAX_ATTEMPTS = settings.EXTERNAL_MAX_ATTEMPTS = 1
    quoting = mock.Mock(side_effect=RuntimeError(f"no space for {NAME}, {STREET}"))
    with mock.patch.object(commands, "mark_shipped", quoting):
        persist()
    assert NAME in Delivery.objects.get(status=Status.DEAD).error
    zeb = User.objects.get(username="zeb")
    of_user = {"content_type": ContentType.objects.get_for_model(User), "object_id": str(zeb.pk)}
    LogEntry.objects.create(user=admin_user, object_repr="zeb", action_flag=ADDITION, change_message=NAME, **of_user)
    Client().force_login(zeb)
    catch_up_all()
    return {"buyer": f"U-{zeb.pk}", "sent": sent, "cancelled": cancelled, "declined": declined}


@pytest.fixture
def over(a_life: dict[str, str], persist: Callable[[], None], settings: Any) -> dict[str, str]:
    """The same buyer with all orders ended; a dead letter's error quotes the buyer's data."""
    quoting = mock.Mock(side_effect=RuntimeError(f"nobody knows {NAME}, {STREET}"))
    deliveries = Delivery.objects.filter(status=Status.DEAD)
    deliveries.update(status=Status.PENDING, attempts=0, due_at=clock.now())
    persist()
    with mock.patch.object(commands, "write_to_buyer", quoting):
        deliver_shipment(shipment_of(OrderNumber(a_life["sent"])))
        Delivery.objects.filter(consumer="ordering.tell-buyer-of-cancellation").update(
            status=Status.PENDING, attempts=0, due_at=clock.now(), done_at=None
        )
        persist()
    assert NAME in Delivery.objects.filter(status=Status.DEAD)[0].error
    return a_life


@pytest.mark.django_db(transaction=True)
def test_every_marker_is_gone_and_everything_else_is_unchanged(
    over: dict[str, str],
    someone_else: OrderNumber,
    persist: Callable[[], None],
    logged: StringIO,
    woken: list[Any],
) -> None:
    persist()
    before = clock.now()
    others = Order.objects.values().get(pk=someone_else)
    booked = {order.pk: (order.total, order.paid, order.refunded, order.status) for order in Order.objects.all()}
    assert left().keys() == {*MARKERS} - {PASSWORD}, "the search must find the markers that are there"

    assert "3 of their orders anonymized, and 0 of their e-mails" in run("zeb", "--yes")
    persist()
    catch_up_all()

    assert left() == {}
    for marker in MARKERS:
        assert marker not in logged.getvalue()
        assert marker not in repr(woken)
    findings = verify(None, None, timedelta(days=30), 60)
    assert {name: found.offenders for name, found in findings.items() if found.offenders or not found.finished} == {}
    assert {each.pk: (each.total, each.paid, each.refunded, each.status) for each in Order.objects.all()} == booked
    assert Order.objects.values().get(pk=someone_else) == others
    assert past.at_version(Order, someone_else, 1).shipping_address["recipient"] == "Ada Lovelace"

    sent = over["sent"]
    then = past.as_of(Order, sent, before)
    assert then is not None
    assert (then.status, then.shipping_address["country"], then.shipping_address["street"]) == (
        OrderStatus.DELIVERED,
        "GB",
        ERASED,
    )
    staff = APIClient()
    staff.force_authenticate(User.objects.get(username="admin"))
    for path in (f"orders/{sent}", f"orders/{sent}/timeline", "orders", "shipments", "deliveries"):
        response = staff.get(f"{API}/{path}")
        assert response.status_code == 200, path
        assert not [marker for marker in MARKERS if marker in response.content.decode()], path
    board = OrderBoard.objects.get(number=sent)
    assert (board.shipping_address["recipient"], board.payment_method) == (ERASED, "")
    dead = Delivery.objects.filter(status=Status.DEAD)
    assert {(delivery.error, delivery.traceback) for delivery in dead} == {(ERROR_ERASED, "")}


@pytest.mark.django_db(transaction=True)
def test_a_second_run_erases_nothing(over: dict[str, str], persist: Callable[[], None]) -> None:
    run(MAIL, "--yes")
    persist()
    versions = {model: {row.pk: row.version for row in model.objects.all()} for model in (Order, Buyer, Shipment)}

    assert run(over["buyer"], "--yes") == f"There was nothing left to erase of buyer {over['buyer']}.\n"

    persist()
    assert versions == {model: {row.pk: row.version for row in model.objects.all()} for model in versions}
    assert erase_buyer(BuyerId(over["buyer"])) == (False, 0, 0)


@pytest.mark.django_db(transaction=True)
def test_an_erased_user_cannot_log_in(over: dict[str, str], buyer: APIClient) -> None:
    run("zeb", "--yes")

    number = int(over["buyer"].removeprefix("U-"))
    user = User.objects.get(pk=number)
    assert (user.username, user.is_active, user.has_usable_password()) == (f"erased {number}", False, False)
    assert get_token_model().objects.filter(user=user).count() == 0
    assert buyer.get(f"{API}/me").status_code == 401
    credentials = {"username": "zeb", "password": PASSWORD}
    assert APIClient().post(f"{API}/auth/tokens", credentials, format="json").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_erasing_is_refused_while_an_order_has_not_ended(a_life: dict[str, str]) -> None:
    before = places(NAME)

    with pytest.raises(CommandError, match=rf"orders that are under way.*: .*{a_life['sent']}"):
        run("zeb", "--yes")

    assert places(NAME) == before
    assert User.objects.get(username="zeb").is_active


@pytest.mark.parametrize("typed", ["", "yes", "U-0"])
def test_nothing_is_erased_without_the_identifier_as_confirmation(
    typed: str, placed: Callable[..., OrderNumber], monkeypatch: pytest.MonkeyPatch
) -> None:
    placed(buyer="B-1")
    monkeypatch.setattr("builtins.input", lambda prompt: typed)
    with pytest.raises(CommandError, match=r"Nothing was erased\."):
        run("B-1")


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["username", "email", "profile"])
def test_the_exact_identifier_comes_before_names_and_addresses_that_equal_it(field: str) -> None:
    victim = commands.register_customer("victim", "a-long-pass-phrase-9", "Vic", "vic@example.com")
    other = commands.register_customer("other", "a-long-pass-phrase-9", "Other", "other@example.com")
    if field == "profile":
        with bypassing_history():
            Buyer.objects.filter(pk=other.id).update(email=victim.id)
    else:
        User.objects.filter(pk=other.user_id).update(**{field: victim.id})
    assert buyer_named(victim.id) == victim.id
    run(victim.id, "--yes")
    assert Buyer.objects.get(pk=victim.id).name == ""
    assert Buyer.objects.get(pk=other.id).name == "Other"


@pytest.mark.django_db
def test_who_is_meant_is_shown_before_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    buyer = commands.register_customer("ada", "a-long-pass-phrase-9", "Ada Lovelace", "ada@example.com")
    monkeypatch.setattr("builtins.input", lambda prompt: buyer.id)
    said = run("ada")
    shown = f"Buyer {buyer.id} (user ada, Ada Lovelace, ada@example.com) with 0 orders."
    assert said.splitlines()[0] == shown
    assert Buyer.objects.get(pk=buyer.id).name == ""


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["U-1", "u-17", "B-1", "R-1001", "I-1001", "S-1001-1", "\uff35-1", "erased 5"])
def test_a_username_that_looks_like_an_identifier_cannot_be_registered(name: str) -> None:
    with pytest.raises(LooksLikeAnIdentifier, match="must not look like an identifier") as refused:
        commands.register_customer(name, "a-long-pass-phrase-9", "Ada", "ada@example.com")
    assert refused.value.pointer == "/username"
    assert not User.objects.exists()


@pytest.mark.django_db
def test_an_unknown_and_an_ambiguous_buyer_are_refused() -> None:
    with pytest.raises(CommandError, match="there is no buyer nobody"):
        run("nobody", "--yes")
    for name in ("B-1", "B-2"):
        commands.register_buyer_if_new(BuyerId(name))
        commands.change_profile(BuyerId(name), {"email": "two@example.com"})
    with pytest.raises(CommandError, match=r"two@example\.com may be any of B-1, B-2"):
        run("two@example.com", "--yes")
    assert buyer_named("B-2") == "B-2"


@pytest.mark.django_db
def test_archived_messages_and_snapshots_are_erased_as_well(
    placed: Callable[..., OrderNumber],
    drain: Callable[..., int],
    later: Callable[[timedelta], None],
    address: Address,
    settings: Any,
) -> None:
    number = placed()
    drain()
    dispatch_shipment(shipment_of(number), "DHL", "1")
    drain()
    deliver_shipment(shipment_of(number))
    drain()
    states = [past.at_version(Order, number, 3), past.at_version(Shipment, shipment_of(number), 1)]
    Snapshot.objects.bulk_create([Snapshot.of(aggregate) for aggregate in states if aggregate])
    later(settings.ARCHIVE_AFTER + timedelta(days=1))
    archive_messages()
    skipped = ArchivedMessage.objects.get(name="ordering.shipping-requested")
    skipped.deliveries = [{**skipped.deliveries[0], "error": address.street, "traceback": address.street}]
    skipped.save()
    assert skipped.event.recipient == address  # type: ignore[attr-defined]

    assert erase_buyer(BuyerId("B-1")).orders == 1
    drain()

    assert places(address.street) == {"billing_payer"}
    assert ArchivedMessage.objects.get(pk=skipped.pk).event.recipient == address.erased()  # type: ignore[attr-defined]
    assert rows_are_their_histories().offenders == []
    assert PersonalData.objects.count() == 0


@pytest.mark.django_db
def test_a_later_profile_is_stored_and_can_be_erased_again(address: Address) -> None:
    buyer = BuyerId("B-9")
    commands.register_buyer_if_new(buyer)
    for name in ("First", "Second"):
        commands.change_profile(buyer, {"name": name, "default_shipping_address": address})
        assert past.at_version(Buyer, buyer, Buyer.objects.get().version).name == name
        assert erase_buyer(buyer) == (True, 0, 0)
        assert Buyer.objects.get().name == Buyer.objects.get().email == ""
        assert places(name) == set()
    assert rows_are_their_histories().offenders == []


@pytest.mark.django_db
def test_verify_names_a_cart_that_a_request_in_flight_opened_after_the_erasing() -> None:
    buyer, user = BuyerId("B-9"), User.objects.create_user("zeb")
    commands.register_buyer_if_new(buyer, user=user.pk)
    commands.open_cart(buyer)
    erase_buyer(buyer)
    check = "erasing.an_erased_buyer_has_no_open_cart"
    assert verify([check])[check].offenders == []

    left, _ = commands.open_cart(buyer)
    assert verify([check])[check].offenders == [f"{left.id} of B-9 (erased {user.pk}) is open [it is open]"]

    erase_buyer(buyer)
    assert verify([check])[check].offenders == []


@pytest.fixture
def many(shop: object, address: Address, drain: Callable[..., int]) -> Callable[[str, int], None]:
    """Place orders of a buyer that are all cancelled, and deliver until nothing is due."""

    def place(buyer: str, count: int) -> None:
        for _ in range(count):
            placed = place_order(BuyerId(buyer), [(Sku("RELIC"), 1)], address, PaymentMethodId("pm_card_visa"))
            assert placed.status == "pending"
        drain()

    return place


def _erasing(buyer: str, statements: Statements, drain: Callable[..., int]) -> dict[str, int]:
    with statements() as ordering:
        erase_buyer(BuyerId(buyer))
    with statements() as others:
        drain("billing", "fulfillment")
    return {"ordering": len(ordering), "the others": len(others)}


@pytest.mark.django_db
def test_statements_grow_with_the_batches_and_not_with_the_orders(
    many: Callable[[str, int], None],
    statements: Statements,
    drain: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    many("B-1", 2)
    many("B-2", 20)
    of_two, of_twenty = (_erasing(buyer, statements, drain) for buyer in ("B-1", "B-2"))
    assert of_twenty == of_two
    assert of_two["ordering"] < 35
    assert of_two["the others"] < 35

    many("B-3", 20)
    monkeypatch.setattr(erasing, "ERASED_AT_ONCE", 5)
    assert _erasing("B-3", statements, drain)["ordering"] < of_two["ordering"] * 4
    assert Message.objects.filter(name="ordering.buyer-erased").count() == 1 + 1 + 4
    assert not Order.objects.exclude(payment_method="").exists()
    assert not Invoice.objects.exclude(payment_method="").exists()
    assert not Payment.objects.exclude(method="").exists()
    assert rows_are_their_histories().offenders == []


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_erasure_goes_on(
    many: Callable[[str, int], None], monkeypatch: pytest.MonkeyPatch, drain: Callable[..., int]
) -> None:
    many("B-1", 6)
    monkeypatch.setattr(erasing, "ERASED_AT_ONCE", 4)
    whole, calls = erasing.forget_errors, []

    def dies_at_the_third(stories: Any) -> None:
        calls.append(stories)
        if len(calls) == 3:
            raise RuntimeError("the process died")
        whole(stories)

    with mock.patch.object(erasing, "forget_errors", dies_at_the_third), pytest.raises(RuntimeError):
        erase_buyer(BuyerId("B-1"))
    assert Order.objects.filter(payment_method="").count() == 4
    assert rows_are_their_histories().offenders == []

    assert erase_buyer(BuyerId("B-1")) == (False, 2, 0)
    drain()
    assert PersonalData.objects.count() == 0
    assert rows_are_their_histories().offenders == []


@pytest.mark.django_db
def test_the_admin_requires_confirmation_before_erasing(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], admin_client: Client
) -> None:
    placed({"RELIC": 1})
    drain()
    commands.change_profile(BuyerId("B-1"), {"name": NAME})
    action = {"action": "erase_for_good", "_selected_action": ["B-1"]}
    page = admin_client.post("/admin/ordering/buyer/", action)
    assert b"I am sure" in page.content
    submit(admin_client, "/admin/ordering/buyer/", action)
    assert Buyer.objects.get().name == NAME

    done = submit(admin_client, "/admin/ordering/buyer/", {**action, "sure": "on"})

    assert "Buyer B-1 is erased, and 1 of their orders anonymized" in done.content.decode()
    assert Buyer.objects.get().name == ""


@pytest.mark.django_db
def test_history_and_messages_have_the_personal_values_until_they_are_erased(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], address: Address, statements: Statements
) -> None:
    number = placed()
    drain()
    message = Message.objects.get(name="ordering.shipping-requested")
    assert message.data["recipient"] == {**dict.fromkeys(message.data["recipient"], ERASED), "country": "GB"}
    assert message.event.recipient == address  # type: ignore[attr-defined]
    with statements() as seen:
        then: Aggregate | None = past.at_version(Order, number, 1)
    assert then is not None
    assert then.shipping_address["street"] == address.street
    assert len([sql for sql in seen if "personaldata" in sql]) == 1


@pytest.mark.django_db
def test_reading_many_events_reads_the_personal_data_store_once(
    many: Callable[[str, int], None], statements: Statements, drain: Callable[..., int]
) -> None:
    many("B-1", 5)
    with statements() as seen:
        assert rows_are_their_histories().offenders == []
    asked = [sql for sql in seen if "personaldata" in sql]
    assert len(asked) == 3, "for buyers, orders and invoices; none for aggregates without personal data"
    with transaction.atomic(), statements() as seen:
        catch_up_all()
    asked = [sql for sql in seen if "personaldata" in sql]
    assert len(asked) == 2, "for all read models of orders, and for that of invoices"


@pytest.mark.django_db
@pytest.mark.usefixtures("unprotected_history")
def test_verify_names_personal_values_in_the_log(placed: Callable[..., OrderNumber], drain: Any) -> None:
    placed()
    drain()
    check = "events.nothing_personal_is_told"
    assert verify([check], None, None, 60)[check].offenders == []
    looked_at = verify([check], None, None, 60)[check].looked_at
    assert looked_at == PersonalData.objects.count() + 1, "a buyer without a name has no personal data"

    rows = [History.objects.get(name="ordering.order_placed"), Message.objects.get(name="ordering.shipping-requested")]
    for row in rows:
        type(row).objects.filter(pk=row.pk).update(data=row.facts)

    offenders = verify([check], None, None, 60)[check].offenders
    assert sorted(line.partition(" ")[0] for line in offenders) == ["integration_message:", "ordering_history:"]
