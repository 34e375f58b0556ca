"""Notifies the buyer that the authorization of their payment ended before all goods had left: they are to pay again."""

from functools import partial

from integration import contracts
from integration.policies import whenever
from ordering import commands, letters
from ordering.commands import EmailBatch, NoteSent
from ordering.models import ENDED, OrderStatus
from ordering.policies.notify_buyer import email_batch

NOTHING_LEFT = (OrderStatus.SHIPPED, *map(OrderStatus, ENDED))


@whenever(
    contracts.billing.AuthorizationLapsed,
    name="ordering.notify-buyer-of-lapsed-authorization",
    external=True,
    read=email_batch,
)
def notify_buyer_of_lapsed_authorization(
    event: contracts.billing.AuthorizationLapsed, emails: EmailBatch
) -> NoteSent | None:
    key = f"Your order {event.order} is to be paid again ({event.payment})"
    write = partial(letters.orders.payment_again, event.order)
    return commands.write_to_buyer(emails, event.order, key, write, unless=NOTHING_LEFT)
