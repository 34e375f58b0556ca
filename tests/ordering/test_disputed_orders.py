"""A disputed order does not leave until the dispute is won; if it is lost, what has not left is cancelled."""

from collections.abc import Callable

import pytest

from billing import commands as billing
from billing.gateways import Disputed
from billing.models import Payment, Refund
from config.verification import verify
from fulfillment.commands import dispatch_shipment
from integration.domain.errors import DomainError
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku
from ordering.commands import hold_disputed_order, settle_dispute
from ordering.models import Order


@pytest.mark.django_db
def test_what_has_not_left_waits_for_the_end_of_a_dispute(
    placed: Callable[..., OrderNumber], drain: Callable[..., int]
) -> None:
    won, lost, in_parts, late = placed(), placed(), placed(), placed()
    drain()

    def report(order: OrderNumber, status: str) -> None:
        payment = Payment.objects.get(order=order)
        about = (f"dp_{order}", payment.reference, payment.amount)
        billing.note_dispute(Disputed(*about, "chargeback", status))  # type: ignore[arg-type]
        drain()

    def holds(order: OrderNumber) -> list[str]:
        return [hold["status"] for hold in (Order.objects.get(pk=order).order_holds or {}).values()]

    def refunds(order: OrderNumber) -> list[str]:
        return [*Refund.objects.filter(order=order).values_list("status", flat=True)]

    dispatch_shipment(ShipmentId(f"S{in_parts[1:]}-1"), "DHL", "1", [(Sku("MUG"), 1)])
    drain()
    for order in won, lost, in_parts:
        report(order, "needs_response")
        assert holds(order) == ["active"]
    with pytest.raises(DomainError):
        dispatch_shipment(ShipmentId(f"S{won[1:]}-1"), "DHL", "1")
    report(won, "won")
    dispatch_shipment(ShipmentId(f"S{won[1:]}-1"), "DHL", "1")
    report(lost, "lost")
    report(in_parts, "lost")
    settle_dispute(late, "dp_1", is_won=True)
    hold_disputed_order(late, "dp_1")
    drain()

    assert (holds(won), holds(late), holds(lost)) == (["lifted"], ["lifted"], ["lifted"])
    ends = [Order.objects.get(pk=order).status for order in (won, lost, in_parts, late)]
    assert ends == ["shipped", "cancelled", "shipped", "confirmed"]
    assert (refunds(won), refunds(lost), refunds(in_parts)) == ([], ["settled"], ["settled"])
    assert [name for name, found in verify().items() if found.offenders] == []
