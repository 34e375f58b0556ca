"""A refund above the limit needs a second person, in the admin and over REST."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from billing import commands
from billing.commands.proposing import WorthChanged
from billing.models import (
    REFUND_PROPOSAL_LIFE,
    History,
    Invoice,
    MoreThanIsLeft,
    NotInvoiced,
    Refund,
    RefundProposal,
    SamePerson,
    invoice_of,
)
from config.verification import verify
from integration.aggregates.aggregate import Aggregate
from integration.domain.identifiers import InvoiceNumber, OrderNumber, RefundId, Sku
from integration.domain.metadata import new_story
from integration.domain.money import Money
from integration.history.personal_data import load_personal

USD = partial(Money, currency="USD")
SEND: dict[str, Callable[[RefundProposal], None]] = {
    "approve": lambda proposal: proposal.approve(RefundId("F-1-1"), "", "user:2"),
    "refuse": lambda proposal: proposal.refuse("no", "user:2"),
}
REACHED_BY = {"proposed": (), "approved": ("approve",), "refused": ("refuse",)}


def in_state(state: str) -> RefundProposal:
    invoice = Invoice(number="I-1", order="R-1", currency="USD")
    proposal = RefundProposal.propose(invoice, 1, USD("10"), None, "broken", "user:1")
    for message in REACHED_BY[state]:
        SEND[message](proposal)
    return proposal


def test_a_proposal_does_what_its_table_says(
    judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None],
) -> None:
    assert (set(REACHED_BY), set(SEND)) == (set(REFUND_PROPOSAL_LIFE.states), set(REFUND_PROPOSAL_LIFE.messages))
    for state in REACHED_BY:
        assert in_state(state).status == state
        for message, send in SEND.items():
            proposal = in_state(state)
            judge_by_table(proposal, message, partial(send, proposal))


def test_who_proposed_a_refund_does_not_decide_about_it() -> None:
    with pytest.raises(SamePerson):
        in_state("proposed").approve(RefundId("F-1-1"), "", "user:1")
    with pytest.raises(SamePerson):
        in_state("proposed").refuse("typed wrong", "user:1")


@pytest.fixture
def invoice(placed: Callable[..., OrderNumber], drain: Callable[..., int], settings: Settings) -> InvoiceNumber:
    """A paid invoice of two mugs and a lamp, in a shop where a refund above 10 needs a second person."""
    settings.REFUND_APPROVAL_LIMIT = Decimal(10)
    number = placed()
    drain()
    return invoice_of(number)


def ask(invoice: InvoiceNumber, wanted: Any, by: str = "user:1") -> Any:
    with new_story(by):
        return commands.ask_for_refund(invoice, wanted, "broken")


def owed(invoice: InvoiceNumber) -> Money:
    return Invoice.objects.get(pk=invoice).refund_owed


@pytest.mark.django_db
def test_a_refund_up_to_the_limit_needs_nobody(invoice: InvoiceNumber) -> None:
    assert isinstance(ask(invoice, USD("10")), Invoice)
    assert owed(invoice) == USD("10")


@pytest.mark.django_db
def test_several_refunds_together_are_not_above_the_limit(invoice: InvoiceNumber) -> None:
    ask(invoice, USD("6"))
    assert isinstance(ask(invoice, USD("4.01")), RefundProposal)
    assert owed(invoice) == USD("6")
    assert isinstance(ask(invoice, USD("4")), Invoice)


@pytest.mark.django_db
def test_without_a_limit_nobody_is_asked_and_in_another_currency_always(
    invoice: InvoiceNumber, settings: Settings
) -> None:
    settings.SHOP_CURRENCY = "EUR"
    assert isinstance(ask(invoice, USD("0.01")), RefundProposal)
    settings.REFUND_APPROVAL_LIMIT = None
    assert isinstance(ask(invoice, USD("11")), Invoice)


@pytest.mark.django_db
def test_a_second_person_approves_units_of_lines(invoice: InvoiceNumber, drain: Callable[..., int]) -> None:
    proposal = ask(invoice, {Sku("MUG"): 1, Sku("LAMP"): 1})
    assert (proposal.status, owed(invoice)) == ("proposed", USD("0"))
    with new_story("user:2"):
        approved = commands.approve_refund(proposal.id, "seen the pictures")
    drain()
    refund = Refund.objects.get(pk=approved.refund)
    assert (refund.status, refund.amount, owed(invoice)) == ("issued", proposal.amount, proposal.amount)
    lines = {line.sku: line.units_refunded for line in Invoice.objects.get(pk=invoice).line_rows.all()}
    assert (lines["MUG"], lines["LAMP"]) == (1, 1)
    entries = History.objects.filter(stream=RefundProposal.stream).order_by("version")
    assert [entry.summary for entry in load_personal(entries)] == [
        f"A refund of {proposal.amount} for order {proposal.order} was proposed to a second person (broken)",
        f"A second person approved the refund of {proposal.amount} for order {proposal.order}",
    ]
    assert [name for name, found in verify().items() if found.offenders] == []


@pytest.mark.django_db
def test_what_cannot_be_refunded_is_not_even_proposed(invoice: InvoiceNumber) -> None:
    with pytest.raises(MoreThanIsLeft):
        ask(invoice, USD("9999"))
    with pytest.raises(MoreThanIsLeft):
        ask(invoice, {Sku("MUG"): 99})
    with pytest.raises(NotInvoiced):
        ask(invoice, {Sku("ATLAS"): 1})
    assert not RefundProposal.objects.exists()


@pytest.mark.django_db
def test_a_proposal_that_came_true_otherwise_is_not_approved(invoice: InvoiceNumber, settings: Settings) -> None:
    whole, unit = ask(invoice, Invoice.objects.get(pk=invoice).paid), ask(invoice, {Sku("LAMP"): 1})
    settings.REFUND_APPROVAL_LIMIT = None
    ask(invoice, unit.amount - USD("1"))
    settings.REFUND_APPROVAL_LIMIT = Decimal(10)
    for proposal, refusal in ((whole, MoreThanIsLeft), (unit, WorthChanged)):
        with new_story("user:2"), pytest.raises(refusal):
            commands.approve_refund(proposal.id)
        assert RefundProposal.objects.get(pk=proposal.id).status == "proposed"
    with new_story("user:2"):
        commands.refuse_refund(whole.id, "refunded by now")


class Operator(Client):
    """A client that is signed in as `user`."""

    def __init__(self, user: Any) -> None:
        super().__init__()
        self.user = user
        self.force_login(user)


def operator(name: str, *permissions: str) -> Operator:
    user = get_user_model().objects.create_user(name, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="billing", codename__in=permissions))
    return Operator(user)


def act(client: Client, page: str, action: str, key: str, **values: str) -> str:
    """Fill in an action's form and send it; returns the page that is shown next."""
    path, chosen = f"/admin/billing/{page}/", {"action": action, "_selected_action": key}
    asked = client.post(path, chosen)
    form = (asked.context_data or {}).get("form")  # type: ignore[attr-defined]
    token = form.token if form else ""
    return client.post(path, {**chosen, **values, "submitted": "yes", "token": token}, follow=True).content.decode()


AGENT = ("view_invoice", "change_invoice", "view_refundproposal", "change_refundproposal")


@pytest.mark.django_db
def test_two_people_refund_in_the_admin(invoice: InvoiceNumber, drain: Callable[..., int]) -> None:
    ada, grace = operator("ada", *AGENT), operator("grace", *AGENT)
    shown = act(ada, "invoice", "refund_in_part", invoice, reason="broken", **{f"each:{invoice}": "12.00"})
    proposal = RefundProposal.objects.get()
    assert f"refund proposal {proposal.id} waits for a second person" in shown
    assert "The person who proposed a refund cannot" in act(ada, "refundproposal", "approve", proposal.id, note="mine")
    assert owed(invoice) == USD("0")
    page = grace.get(f"/admin/billing/refundproposal/{proposal.id}/change/").content.decode()
    assert "ada" in page
    assert "12.00 USD" in page
    assert "12.00 USD will be refunded" in act(grace, "refundproposal", "approve", proposal.id, note="seen")
    assert owed(invoice) == USD("12.00")


@pytest.mark.django_db
def test_who_may_not_decide_is_not_offered_to(invoice: InvoiceNumber) -> None:
    ask(invoice, USD("12"))
    viewer = operator("viewer", "view_refundproposal")
    assert viewer.get("/admin/billing/refundproposal/").status_code == 200
    proposal = RefundProposal.objects.get()
    assert "Approve" not in viewer.get(f"/admin/billing/refundproposal/{proposal.id}/change/").content.decode()
    act(viewer, "refundproposal", "approve", proposal.id, note="")
    assert RefundProposal.objects.get().status == "proposed"
    assert operator("nobody").get("/admin/billing/refundproposal/").status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("route", "body", "status"), [("approve", {}, "approved"), ("refuse", {"reason": "no"}, "refused")]
)
def test_two_people_decide_over_rest(invoice: InvoiceNumber, route: str, body: dict[str, str], status: str) -> None:
    ada, grace = rest("ada"), rest("grace")
    asked = {"amount": {"amount": "12.00", "currency": "USD"}, "reason": "broken"}
    response = ada(f"/api/v1/invoices/{invoice}/refunds", asked)
    proposal = response.json()
    assert (response.status_code, proposal["status"], proposal["proposed_by"]) == (202, "proposed", "ada")
    path = f"/api/v1/refund-proposals/{proposal['id']}"
    assert response.headers["Location"].endswith(path)
    own = ada(f"{path}/{route}", body)
    assert (own.status_code, own.json()["type"]) == (409, "urn:waybill:problem:same_person")
    decided = grace(f"{path}/{route}", body)
    assert (decided.status_code, decided.json()["status"], decided.json()["decided_by"]) == (200, status, "grace")
    assert grace(f"{path}/{route}", body).status_code == 409


def rest(name: str) -> Callable[[str, Any], Any]:
    api = APIClient()
    api.force_authenticate(operator(name, *AGENT).user)
    return lambda path, body: api.post(path, body, format="json")
