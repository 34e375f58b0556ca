"""Orders whose payment is authorized first: they are confirmed by that, and paid as their goods leave.

If the authorization ends before, what has not left is held until the buyer has paid again.
"""

from integration import contracts
from integration.messaging.publish import publish
from integration.policies import whenever
from ordering import commands, events
from ordering.policies.saga import lock_orders, lock_orders_and_buyers, lock_orders_and_claims

# --- Contracts that ordering publishes ---


@whenever(events.OrderShipped)
def publish_payment_due(event: events.OrderShipped) -> None:
    due = commands.payment_due(event)
    if due:
        publish(due)


# --- Reactions to the contracts of billing ---


@whenever(contracts.billing.PaymentAuthorized, name="ordering.confirm-authorized-order", prepare=lock_orders_and_claims)
def confirm_authorized_order(event: contracts.billing.PaymentAuthorized) -> None:
    commands.confirm_order(event.order, event.payment, event.amount, authorized_as=event.sequence)


@whenever(contracts.billing.AuthorizationChanged, name="ordering.note-authorization", prepare=lock_orders_and_buyers)
def note_authorization(event: contracts.billing.AuthorizationChanged) -> None:
    commands.record_authorization(event.order, event.authorized, event.captured, event.released, event.sequence)


@whenever(contracts.billing.AuthorizationLapsed, name="ordering.hold-until-paid", prepare=lock_orders)
def hold_until_paid(event: contracts.billing.AuthorizationLapsed) -> None:
    commands.lapse_authorization(event.order, event.payment, event.sequence)
