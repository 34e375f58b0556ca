"""Checks for planted bugs about money: what is recorded, under which key, until when, and how often."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.test import Client, override_settings

from billing import commands as billing
from billing.events import InvoicedLine
from billing.gateways import Booked, Charged, Disputed
from billing.gateways.sandbox.adapter import adapter
from billing.models import Invoice, Payment, Refund
from integration.domain import clock
from integration.domain.errors import DomainError
from integration.domain.identifiers import BuyerId, InvoiceNumber, OrderNumber, PaymentId, PaymentMethodId, Sku
from integration.domain.metadata import new_story
from integration.domain.money import Money
from integration.messaging.deliver import deliver_due
from integration.messaging.wakeups import DeliveryQueue
from ordering.models import Order
from ordering.policies.saga import cancel_overdue_orders
from tests.billing_invoices import MUG, paid
from tests.chaos.flows import AUTHORIZED, TIMEOUT, World, drain
from tests.chaos.own_checks import _placed


def a_charge_of_another_amount_pays_nothing() -> str | None:
    """The provider took one dollar for a larger payment."""
    payment = _requested()
    entry = Booked(payment.idempotency_key, Charged("ch_1"), Money("1.00", "USD"))
    billing.settle_payment(PaymentId(payment.id), entry)
    status = Payment.objects.get(pk=payment.pk).status
    return f"1.00 USD paid {payment.amount}" if status == "succeeded" else None


def a_forgotten_charge_pays_nothing() -> str | None:
    """The provider has a charge under the identifier of a payment, as after a backup is restored."""
    payment = _requested()
    forgotten = adapter.charge(payment.id, PaymentMethodId(payment.method), payment.amount)
    drain(timeout=TIMEOUT)
    reference = Payment.objects.get(pk=payment.pk).reference
    return "a charge of another order paid it" if Charged(reference) == forgotten.outcome else None


def an_order_whose_money_is_on_its_way_is_not_cancelled() -> str | None:
    """The payment succeeded in time, and ordering is late."""
    order = _placed()
    drain("inventory", timeout=TIMEOUT)
    drain("billing", timeout=TIMEOUT)
    with clock.moved(timedelta(hours=1)):
        cancel_overdue_orders()
    return f"{order} is cancelled" if Order.objects.get(pk=order).status == "cancelled" else None


def a_form_that_is_sent_twice_acts_once() -> str | None:
    """An operator sends the form of a refund twice."""
    order = _placed()
    drain(timeout=TIMEOUT)
    invoice, path = Invoice.objects.get(order=order).pk, "/admin/billing/invoice/"
    client = Client(HTTP_HOST="localhost")
    client.force_login(get_user_model().objects.create_superuser("refunder"))
    form = {"action": "refund_in_part", "_selected_action": invoice}
    token = client.post(path, form).context_data["form"].token  # type: ignore[attr-defined]
    filled_in = {**form, "submitted": "yes", "token": token, "reason": "scratched", f"each:{invoice}": "1.00"}
    for _ in range(2):
        client.post(path, filled_in)
    refunds = Refund.objects.count()
    return f"{refunds} refunds were given" if refunds != 1 else None


def a_lapsed_authorization_holds_the_goods() -> str | None:
    """Goods are dispatched although the authorization of their payment is about to end."""
    world = World("lapse")
    for step in AUTHORIZED:
        step.run(world)
    with clock.moved(timedelta(days=6, hours=1)):
        billing.lapse_authorizations()
        drain(timeout=TIMEOUT)
        status = world.dispatch().status_code
    return f"the response to a dispatch was {status}" if status != 409 else None


def _requested() -> Payment:
    """A payment that the provider was not asked for yet."""
    order = _placed()
    drain("inventory", timeout=TIMEOUT)
    while deliver_due(DeliveryQueue("billing", False)):
        pass
    return Payment.objects.get(order=order)


def all_units_of_an_invoice_bring_all_that_was_paid() -> str | None:
    """A discount that no unit shares evenly is refunded unit by unit."""
    invoice = _paid_with_an_odd_discount()
    for sku in "MUG", "MUG", "LAMP", "MUG":
        billing.refund_lines(invoice, {Sku(sku): 1}, "broken")
    row = Invoice.objects.get(pk=invoice)
    return None if row.refund_owed == row.paid else f"{row.refund_owed} of {row.paid} is owed back for all units"


def a_unit_is_refunded_once() -> str | None:
    """The only lamp of an invoice is refunded twice."""
    invoice = _paid_with_an_odd_discount()
    billing.refund_lines(invoice, {Sku("LAMP"): 1}, "broken")
    with suppress(DomainError):
        billing.refund_lines(invoice, {Sku("LAMP"): 1}, "broken")
    owed = Invoice.objects.get(pk=invoice).refund_owed
    return None if owed == Money("79.22", "USD") else f"{owed} is owed back for a lamp"


def _paid_with_an_odd_discount() -> InvoiceNumber:
    """An invoice of three mugs and a lamp, with a discount that cannot be shared evenly."""
    order, discount, total = OrderNumber("R-77"), Money("1.15", "USD"), Money("116.35", "USD")
    billing.issue_invoice(
        order,
        payer=BuyerId("B-1"),
        payment_method=PaymentMethodId("pm_card_visa"),
        lines=[
            InvoicedLine(Sku("MUG"), "Mug", 3, Money("12.50", "USD"), Money("37.13", "USD")),
            InvoicedLine(Sku("LAMP"), "Lamp", 1, Money("80", "USD"), Money("79.22", "USD")),
        ],
        discount=discount,
        shipping=Money.zero("USD"),
        total=total,
    )
    billing.request_payment(order)
    billing.settle_payment(PaymentId("P-77-1"), Booked(Payment.objects.get(order=order).key, Charged("ch_77"), total))
    return InvoiceNumber("I-77")


def units_refunded_one_by_one_add_up() -> str | None:
    """Three units for 29.99 are cancelled one by one: the refunds must add up to 29.99."""
    invoice = paid({MUG: (3, 1000)}, discount=1)
    for number in (1, 2, 3):
        invoice.refund_units(f"C-1-{number}", {MUG: 1}, "by_buyer")
    return None if invoice.refund_owed == invoice.paid else f"{invoice.refund_owed} of {invoice.paid} is refunded"


def money_that_a_dispute_took_is_not_refunded() -> str | None:
    """The buyer disputes a payment, an operator refunds a part of it, and we lose."""
    order = _placed()
    drain(timeout=TIMEOUT)
    payment = Payment.objects.get(order=order)
    about = (f"dp_{order}", payment.reference, payment.amount)
    billing.note_dispute(Disputed(*about, "chargeback", "needs_response"))
    billing.refund_in_part(InvoiceNumber(payment.invoice_id), Money("1.00", "USD"), "scratched")
    drain(timeout=TIMEOUT)
    billing.note_dispute(Disputed(*about, "chargeback", "lost"))
    drain(timeout=TIMEOUT)
    issued = Refund.objects.filter(status="issued").count()
    return f"{issued} refunds of disputed money were issued" if issued else None


@override_settings(REFUND_APPROVAL_LIMIT=Decimal(1))
def nobody_approves_their_own_refund() -> str | None:
    """Who proposed a refund above the limit approves it."""
    invoice = _paid_with_an_odd_discount()
    with new_story("user:1"), suppress(DomainError):
        billing.approve_refund(billing.ask_for_refund(invoice, Money("50", "USD"), "scratched").pk)
    owed = Invoice.objects.get(pk=invoice).refund_owed
    return f"one person refunded {owed}" if owed else None


@override_settings(REFUND_APPROVAL_LIMIT=Decimal(10))
def small_refunds_do_not_pass_the_limit() -> str | None:
    """An operator refunds twice what is below the limit, and both together are above it."""
    invoice = _paid_with_an_odd_discount()
    for _ in range(2):
        billing.ask_for_refund(invoice, Money("6", "USD"), "scratched")
    owed = Invoice.objects.get(pk=invoice).refund_owed
    return f"one person refunded {owed}" if owed != Money("6", "USD") else None
