"""Checks for planted bugs about money: what is recorded, under which key, until when, and how often."""

from datetime import timedelta

from django.contrib.auth import get_user_model
from django.test import Client

from billing import commands as billing
from billing.gateways import Booked, Charged
from billing.gateways.sandbox.adapter import adapter
from billing.models import Invoice, Payment, Refund
from integration.domain import clock
from integration.domain.identifiers import PaymentId, PaymentMethodId
from integration.domain.money import Money
from integration.messaging.deliver import deliver_due
from integration.messaging.wakeups import DeliveryQueue
from ordering.models import Order
from ordering.policies.saga import cancel_overdue_orders
from tests.chaos.flows import TIMEOUT, drain
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


def _requested() -> Payment:
    """A payment that the provider was not asked for yet."""
    order = _placed()
    drain("inventory", timeout=TIMEOUT)
    while deliver_due(DeliveryQueue("billing", False)):
        pass
    return Payment.objects.get(order=order)
