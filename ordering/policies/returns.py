"""What ordering publishes about withdrawals, and what it learns about goods that come back."""

from integration import contracts
from integration.contracts.ordering import OrderedUnits
from integration.domain.identifiers import Sku
from integration.messaging.publish import publish
from integration.policies import whenever
from ordering import commands, events
from ordering.policies.saga import lock_orders


@whenever(events.OrderWithdrawn)
def publish_order_withdrawn(event: events.OrderWithdrawn) -> None:
    publish(
        contracts.ordering.OrderWithdrawn(
            order=event.order,
            withdrawal=event.withdrawal,
            lines=tuple(OrderedUnits(sku, quantity) for sku, quantity in event.quantities.items()),
            declared_at=event.declared_at,
            shipping_withheld=event.shipping_withheld,
            is_confirmed=event.is_confirmed,
        )
    )


@whenever(contracts.fulfillment.ReturnRequested, name="ordering.note-requested-return", prepare=lock_orders)
def note_requested_return(event: contracts.fulfillment.ReturnRequested) -> None:
    commands.note_return(event.order, event.return_, "requested")


@whenever(contracts.fulfillment.ReturnApproved, name="ordering.note-approved-return", prepare=lock_orders)
def note_approved_return(event: contracts.fulfillment.ReturnApproved) -> None:
    commands.note_return(event.order, event.return_, "approved")


@whenever(contracts.fulfillment.ReturnRefused, name="ordering.note-refused-return", prepare=lock_orders)
def note_refused_return(event: contracts.fulfillment.ReturnRefused) -> None:
    commands.note_return(event.order, event.return_, "refused")


@whenever(contracts.fulfillment.ReturnReceived, name="ordering.note-received-return", prepare=lock_orders)
def note_received_return(event: contracts.fulfillment.ReturnReceived) -> None:
    units: dict[Sku, int] = {}
    for line in event.lines:
        if line.disposition != "missing":
            units[line.sku] = units.get(line.sku, 0) + line.quantity
    commands.mark_returned(event.order, event.return_, event.receipt, units)


@whenever(contracts.fulfillment.ReturnClosed, name="ordering.note-closed-return", prepare=lock_orders)
def note_closed_return(event: contracts.fulfillment.ReturnClosed) -> None:
    commands.note_return(event.order, event.return_, "closed")


@whenever(contracts.fulfillment.WithdrawalArranged, name="ordering.note-withdrawal", prepare=lock_orders)
def arrange_withdrawal(event: contracts.fulfillment.WithdrawalArranged) -> None:
    commands.arrange_withdrawal(event.order, event.withdrawal, event.return_)
