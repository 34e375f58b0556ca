"""Buyers are told by mail what became of their order, if they left an address and want to be."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from integration import contracts
from integration.domain.identifiers import OrderNumber
from integration.policies import whenever
from ordering import commands
from ordering.commands import Letters
from ordering.models import CancellationReason
from ordering.policies.saga import AboutAnOrder

WHY_CANCELLED = {
    CancellationReason.OUT_OF_STOCK: "some of the goods are out of stock",
    CancellationReason.PAYMENT_FAILED: "the payment was declined",
    CancellationReason.PAYMENT_TIMEOUT: "the payment did not arrive in time",
    CancellationReason.BY_BUYER: "you asked us to",
    CancellationReason.BY_OPERATOR: "we had to",
}


def letters_about(what: Sequence[AboutAnOrder]) -> AbstractContextManager[Letters]:
    """Be ready to write to the buyers of a whole batch."""
    return commands.letters_about([event.order for event in what])


@whenever(
    contracts.ordering.OrderConfirmed, name="ordering.tell-buyer-of-confirmation", external=True, read=letters_about
)
def notify_buyer_of_confirmation(event: contracts.ordering.OrderConfirmed, letters: Letters) -> None:
    _notify_buyer(letters, event.order, "confirmed", "It is paid for, and we are packing it.")


@whenever(
    contracts.ordering.OrderCancelled, name="ordering.tell-buyer-of-cancellation", external=True, read=letters_about
)
def notify_buyer_of_cancellation(event: contracts.ordering.OrderCancelled, letters: Letters) -> None:
    why = WHY_CANCELLED[CancellationReason(event.reason)]
    _notify_buyer(
        letters, event.order, "cancelled", f"It was cancelled because {why}. If you have paid already, we give it back."
    )


@whenever(
    contracts.fulfillment.ShipmentDispatched, name="ordering.tell-buyer-of-dispatch", external=True, read=letters_about
)
def notify_buyer_of_dispatch(event: contracts.fulfillment.ShipmentDispatched, letters: Letters) -> None:
    how = f"{event.carrier} is bringing it; the tracking number is {event.tracking_number}."
    _notify_buyer(letters, event.order, f"on its way ({event.shipment})", how)


@whenever(contracts.billing.RefundIssued, name="ordering.tell-buyer-of-refund", external=True, read=letters_about)
def notify_buyer_of_refund(event: contracts.billing.RefundIssued, letters: Letters) -> None:
    _notify_buyer(letters, event.order, f"refunded ({event.refund})", f"We have given {event.amount} back.")


def _notify_buyer(letters: Letters, order: OrderNumber, what: str, sentence: str) -> None:
    commands.write_to_buyer(letters, order, f"Your order {order} is {what}", sentence)
