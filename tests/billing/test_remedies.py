"""What is proposed about a discrepancy, and what happens when an operator does it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from billing import commands, remedies
from billing.commands.discrepancies import note_discrepancy
from billing.gateways import Booked, RefundFailed
from billing.gateways.sandbox.adapter import SandboxProvider
from billing.models import Discrepancy, Payment, Refund, invoice_of
from integration.aggregates.direct_writes import bypassing_history
from integration.domain.errors import NotFound, OutcomeUnknown
from integration.domain.identifiers import OrderNumber, RefundId
from integration.domain.money import Money
from integration.rest.middleware import POLICY
from tests.questions import offered, submit

PAGE = "/admin/billing/discrepancy/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def paid(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> Payment:
    number = placed()
    drain()
    return Payment.objects.get(order=number)


@pytest.fixture
def failed(paid: Payment, drain: Callable[..., int]) -> Refund:
    """A refund that failed after it was issued."""
    commands.refund_in_part(invoice_of(OrderNumber(paid.order)), Money("5", "USD"), "scratched")
    drain()
    refund = Refund.objects.get()
    outcome = RefundFailed(refund.reference, "lost_or_stolen_card")
    commands.settle_refund(RefundId(refund.id), Booked(refund.idempotency_key, outcome, refund.amount))
    drain()
    return Refund.objects.get()


def test_a_failed_refund_is_requested_again_with_the_reason(
    failed: Refund, drain: Callable[..., int], admin_client: Client
) -> None:
    page = f"{PAGE}{failed.pk}/change/"
    assert "Request the refund of 5.00 USD again" in admin_client.get(page).content.decode()
    assert offered(admin_client, page) == ["carry_out", "settle"]
    form = {"action": "carry_out", "_selected_action": failed.pk, "reason": "the buyer has a new card"}
    assert "is requested again" in submit(admin_client, PAGE, form).content.decode()
    drain()
    settled = Discrepancy.objects.get()
    assert settled.settlement == "It was requested again: the buyer has a new card"
    assert Refund.objects.get().status == "issued"
    assert offered(admin_client, page) == []


def test_what_the_provider_has_is_recorded(paid: Payment) -> None:
    with bypassing_history():
        Payment.objects.update(status="unknown", reference="")
    note_discrepancy("no-such-key", "the provider moved 1.00 USD that we did not request")
    with pytest.raises(remedies.NoRemedy):
        remedies.carry_out("no-such-key", "try")
    note_discrepancy(paid.pk, "we have it as unknown")
    assert "Ask the provider for payment" in remedies.remedy_of(Discrepancy.objects.get(pk=paid.pk)).says  # type: ignore[union-attr]
    assert "the provider charged; it is recorded" in remedies.carry_out(paid.pk, "the buyer called")
    assert Payment.objects.get().status == "succeeded"
    with pytest.raises(remedies.NoRemedy):
        remedies.carry_out(paid.pk, "again")
    with pytest.raises(NotFound):
        remedies.carry_out("nothing", "again")


def test_what_still_differs_stays_open(paid: Payment, monkeypatch: pytest.MonkeyPatch) -> None:
    note_discrepancy(paid.pk, "we have it as paid")
    with bypassing_history():
        Payment.objects.update(amount_minor=1)
    with pytest.raises(remedies.StillDiffers, match=r"we have 0\.01 USD, the provider"):
        remedies.carry_out(paid.pk, "try")

    def fail(*args: object) -> None:
        raise OutcomeUnknown("timed out")

    monkeypatch.setattr(SandboxProvider, "find_charge", fail)
    with pytest.raises(remedies.StillDiffers, match="did not respond: timed out"):
        remedies.carry_out(paid.pk, "try")
    assert Discrepancy.objects.get().settled_at is None


def test_the_books_are_compared_at_once(
    paid: Payment, admin_client: Client, later: Callable[[timedelta], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    later(timedelta(hours=1))
    with bypassing_history():
        Payment.objects.update(status="unknown", reference="")
    assert f"{PAGE}compare/" in admin_client.get(PAGE).content.decode()

    def compare(days: int) -> str:
        token = admin_client.get(f"{PAGE}compare/").context["form"].token
        return admin_client.post(f"{PAGE}compare/", {"days": days, "token": token}, follow=True).content.decode()

    assert "1 entries were compared; 1 were repaired" in compare(3)
    assert Payment.objects.get().status == "succeeded"
    assert "none differ" in compare(3)
    assert "less than or equal to 30" in compare(31)

    def fail(*args: object) -> None:
        raise OutcomeUnknown("timed out")

    monkeypatch.setattr(SandboxProvider, "books", fail)
    assert "did not respond: timed out" in compare(3)


def test_an_invoice_is_printed(paid: Payment, admin_client: Client, client: Client) -> None:
    path = f"/admin/billing/invoice/{paid.invoice_id}/"
    assert f"{path}print/" in admin_client.get(f"{path}change/").content.decode()
    page = admin_client.get(f"{path}print/")
    assert "unsafe-inline" in page.headers[POLICY]
    assert paid.invoice_id in page.content.decode()
    assert admin_client.get("/admin/billing/invoice/I-0/print/").status_code == 404
    assert "/login/" in client.get(f"{path}print/").url  # type: ignore[attr-defined]


def test_the_pages_of_money_take_few_statements(failed: Refund, admin_client: Client) -> None:
    note_discrepancy("other", "the provider moved 1.00 USD that we did not request")
    for page in (
        "discrepancy/",
        f"discrepancy/{failed.pk}/change/",
        f"invoice/{failed.invoice_id}/change/",
        "payment/",
    ):
        with CaptureQueriesContext(connection) as seen:
            assert admin_client.get(f"/admin/billing/{page}").status_code == 200
        assert len(seen) < 30, page
    opened = admin_client.get(f"{PAGE}?open=yes").content.decode()
    assert failed.pk in opened
    assert failed.pk not in admin_client.get(f"{PAGE}?open=no").content.decode()
