"""Notifies the buyer that their bank asks them something, before the money can be taken."""

from functools import partial

from integration import contracts
from integration.policies import whenever
from ordering import commands, letters
from ordering.commands import EmailBatch, NoteSent
from ordering.models import CONFIRMED_STATES, OrderStatus
from ordering.policies.notify_buyer import email_batch

OVER = (*map(OrderStatus, CONFIRMED_STATES), OrderStatus.CANCELLED)


@whenever(
    contracts.billing.PaymentActionRequired,
    name="ordering.notify-buyer-of-required-action",
    external=True,
    read=email_batch,
)
def notify_buyer_of_required_action(
    event: contracts.billing.PaymentActionRequired, emails: EmailBatch
) -> NoteSent | None:
    key = f"The payment of your order {event.order} needs you ({event.payment})"
    write = partial(letters.orders.action_required, event.order, event.expires_at)
    return commands.write_to_buyer(emails, event.order, key, write, unless=OVER)
