"""Notifies the buyer which lines were cancelled, and which could not be cancelled because they had left."""

from collections.abc import Sequence

from integration import contracts
from integration.contracts.fulfillment import PackedLine
from integration.policies import whenever
from ordering import commands
from ordering.commands import EmailBatch
from ordering.models import OrderStatus
from ordering.policies.notify_buyer import email_batch


@whenever(
    contracts.fulfillment.LinesStopped,
    name="ordering.notify-buyer-of-cancelled-lines",
    external=True,
    read=email_batch,
)
def notify_buyer_of_cancelled_lines(event: contracts.fulfillment.LinesStopped, emails: EmailBatch) -> None:
    sentences = []
    if event.lines:
        sentences.append(f"Cancelled: {_units(event.lines)}. If you have already paid, we will refund you.")
    if event.gone:
        sentences.append(f"Not cancelled, because it had already left our warehouse: {_units(event.gone)}.")
    what = ("changed" if event.lines else "not changed") + f" ({event.cancellation})"
    subject = f"Your order {event.order} is {what}"
    commands.write_to_buyer(emails, event.order, subject, "\n".join(sentences), unless=(OrderStatus.CANCELLED,))


def _units(lines: Sequence[PackedLine]) -> str:
    return ", ".join(f"{line.quantity} × {line.sku}" for line in lines)
