"""The admin pages of billing: invoices, payments and refunds link to each other."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from billing.commands import settle_refund
from billing.gateways import Booked, RefundFailed
from billing.models import Invoice, Payment, Refund
from integration.domain.identifiers import OrderNumber, RefundId
from ordering.commands import cancel_order
from ordering.models import CancellationReason
from tests.questions import offered, submit

BILLING, BOOKS = "/admin/billing/", "/admin/sandbox/transaction/"


@pytest.fixture
def refunded(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> Invoice:
    """The invoice of an order that was paid and then cancelled. The shop has a declined and a paid order as well."""
    order = placed()
    placed(method="pm_card_chargeDeclined")
    placed({"MUG": 1}, buyer="B-2")
    drain()
    cancel_order(order, CancellationReason.BY_BUYER)
    drain()
    return Invoice.objects.get(order=order)


def found(client: Client, address: str, **query: str) -> list[str]:
    return sorted(row.pk for row in client.get(address, query).context["cl"].queryset)


def test_an_invoice_shows_its_lines_payments_and_refunds(refunded: Invoice, admin_client: Client) -> None:
    shown = admin_client.get(f"{BILLING}invoice/{refunded.number}/change/").content.decode()
    payment, refund = refunded.payments.get(), refunded.refunds.get()
    for text in ("MUG", "12.50 USD", "105.00 USD", payment.reference, refund.reference, "B-1"):
        assert text in shown
    assert f"{BILLING}payment/{payment.id}/change/" in shown
    assert f"{BILLING}refund/{refund.id}/change/" in shown


def test_a_payment_and_a_refund_link_to_the_invoice_and_to_the_sandboxs_record(
    refunded: Invoice, admin_client: Client
) -> None:
    for kind, row in (("payment", refunded.payments.get()), ("refund", refunded.refunds.get())):
        shown = admin_client.get(f"{BILLING}{kind}/{row.pk}/change/").content.decode()
        assert f"{BILLING}invoice/{refunded.number}/change/" in shown
        assert f"{BOOKS}{row.idempotency_key}/change/" in shown
        entry = admin_client.get(f"{BOOKS}{row.idempotency_key}/change/").content.decode()
        assert row.reference in entry
        assert "105.00 USD" in entry


def test_rows_are_found_by_numbers_and_references(refunded: Invoice, admin_client: Client) -> None:
    payment, refund = refunded.payments.get(), refunded.refunds.get()
    for term in (refunded.number, refunded.order, refunded.order.lower()):
        assert found(admin_client, f"{BILLING}invoice/", q=term) == [refunded.number]
        assert found(admin_client, f"{BILLING}payment/", q=term) == [payment.id]
        assert found(admin_client, f"{BILLING}refund/", q=term) == [refund.id]
    assert found(admin_client, f"{BILLING}payment/", q=payment.reference) == [payment.id]
    assert found(admin_client, f"{BILLING}refund/", q=payment.id) == [refund.id]
    assert len(found(admin_client, f"{BILLING}invoice/", q="B-1")) == 2
    assert found(admin_client, BOOKS, q=refund.reference) == [refund.key]
    assert found(admin_client, BOOKS, q=refund.id) == [refund.key]


def test_the_sandboxs_records_are_filtered_by_kind(refunded: Invoice, admin_client: Client) -> None:
    succeeded = sorted(Payment.objects.filter(status="succeeded").values_list("key", flat=True))
    assert found(admin_client, BOOKS, kind="charge") == succeeded
    assert found(admin_client, BOOKS, kind="declined charge") == [Payment.objects.get(status="failed").key]
    assert found(admin_client, BOOKS, kind="refund") == [Refund.objects.get().key]
    assert len(found(admin_client, BOOKS)) == 4


def test_the_sandboxs_records_require_the_permission_to_view_payments(refunded: Invoice) -> None:
    user: Any = get_user_model().objects.create_user("clerk", is_staff=True)
    client = Client()
    client.force_login(user)
    assert client.get(BOOKS).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_payment"))
    assert client.get(BOOKS).status_code == 200
    assert "Transactions" in client.get("/admin/").content.decode()


def refund_in_part(client: Client, invoice: Invoice, amount: str) -> str:
    """Submit the form of the action; returns the content of the next page."""
    asked = {"action": "refund_in_part", "_selected_action": invoice.pk, "reason": "scratched"}
    response = submit(client, f"{BILLING}invoice/", {**asked, f"each:{invoice.pk}": amount})
    return response.content.decode()


def test_an_operator_refunds_in_part(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], admin_client: Client
) -> None:
    placed()
    drain()
    invoice = Invoice.objects.get()
    question = {"action": "refund_in_part", "_selected_action": invoice.pk}
    assert "amount in the invoice" in admin_client.post(f"{BILLING}invoice/", question).content.decode()
    assert not Refund.objects.exists()

    shown = refund_in_part(admin_client, invoice, "5.50")
    drain()

    assert "5.50 USD will be refunded" in shown
    refund = Refund.objects.get()
    assert (str(refund.amount), refund.reason, refund.status) == ("5.50 USD", "scratched", "issued")
    assert str(Invoice.objects.get().refunded) == "5.50 USD"


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("105.01", "A refund must be more than zero"),
        ("0", "A refund must be more than zero"),
        ("0.001", "finer than the currency"),
        ("1" * 20, "Ensure that there are no more than 19 digits in total"),
        ("much", "Enter a number"),
    ],
)
def test_an_operator_sees_why_a_refund_is_refused(
    amount: str, expected: str, placed: Callable[..., OrderNumber], drain: Callable[..., int], admin_client: Client
) -> None:
    placed()
    drain()
    assert expected in refund_in_part(admin_client, Invoice.objects.get(), amount)
    assert not Refund.objects.exists()


def test_only_a_paid_invoice_offers_a_refund(refunded: Invoice, admin_client: Client) -> None:
    offers = {
        invoice.status: offered(admin_client, f"{BILLING}invoice/{invoice.pk}/change/")
        for invoice in Invoice.objects.all()
    }
    assert offers == {"paid": ["refund_in_part"], "refunded": [], "void": []}


def test_payments_and_issued_refunds_offer_no_action(refunded: Invoice, admin_client: Client) -> None:
    for kind, row in (("payment", refunded.payments.get()), ("refund", refunded.refunds.get())):
        assert offered(admin_client, f"{BILLING}{kind}/{row.pk}/change/") == []
    assert admin_client.get(f"{BILLING}payment/").context["action_form"] is None


def test_an_operator_requests_a_failed_refund_again(refunded: Invoice, admin_client: Client) -> None:
    refund = refunded.refunds.get()
    failed = RefundFailed(refund.reference, "lost_or_stolen_card")
    settle_refund(RefundId(refund.id), Booked(refund.idempotency_key, failed, refund.amount))
    page = f"{BILLING}refund/{refund.pk}/change/"
    assert offered(admin_client, page) == ["retry"]

    submit(admin_client, f"{BILLING}refund/", {"action": "retry", "_selected_action": refund.pk})

    assert Refund.objects.get().status == "requested"
