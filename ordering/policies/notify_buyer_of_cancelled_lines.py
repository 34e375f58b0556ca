"""Notifies the buyer which lines were cancelled, and which could not be cancelled because they had left."""

from functools import partial

from integration import contracts
from integration.policies import whenever
from ordering import commands, letters
from ordering.commands import EmailBatch, NoteSent
from ordering.models import OrderStatus
from ordering.policies.notify_buyer import email_batch


@whenever(
    contracts.fulfillment.LinesStopped,
    name="ordering.notify-buyer-of-cancelled-lines",
    external=True,
    read=email_batch,
)
def notify_buyer_of_cancelled_lines(event: contracts.fulfillment.LinesStopped, emails: EmailBatch) -> NoteSent | None:
    what = ("changed" if event.lines else "not changed") + f" ({event.cancellation})"
    lines, gone = ([(line.quantity, line.sku) for line in lines] for lines in (event.lines, event.gone))
    write = partial(letters.orders.lines_cancelled, event.order, event.cancellation, lines, gone)
    key = f"Your order {event.order} is {what}"
    return commands.write_to_buyer(emails, event.order, key, write, unless=(OrderStatus.CANCELLED,))
