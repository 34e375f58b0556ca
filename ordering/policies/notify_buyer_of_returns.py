"""Sends buyers e-mails about what they send back, and acknowledges withdrawals."""

from integration import contracts
from integration.domain.identifiers import OrderNumber
from integration.policies import whenever
from ordering import commands
from ordering.commands import EmailBatch
from ordering.policies.notify_buyer import email_batch


@whenever(
    contracts.fulfillment.ReturnApproved,
    name="ordering.notify-buyer-of-approved-return",
    external=True,
    read=email_batch,
)
def notify_buyer_of_approved_return(event: contracts.fulfillment.ReturnApproved, emails: EmailBatch) -> None:
    goods = ", ".join(f"{line.quantity} × {line.sku}" for line in event.lines)
    postage = "We pay the postage." if event.shop_pays_postage else "The postage is yours to pay."
    how = (
        f"Please send {goods} until {event.send_by:%d %B %Y}, and put a note with the number {event.return_} into the "
        f"parcel. {postage}"
    )
    _notify(emails, event.order, f"Your return {event.return_} is approved", how)


@whenever(
    contracts.fulfillment.ReturnRefused, name="ordering.notify-buyer-of-refused-return", external=True, read=email_batch
)
def notify_buyer_of_refused_return(event: contracts.fulfillment.ReturnRefused, emails: EmailBatch) -> None:
    _notify(emails, event.order, f"Your return {event.return_} is refused", f"The reason: {event.reason}")


@whenever(
    contracts.fulfillment.ReturnReceived,
    name="ordering.notify-buyer-of-received-return",
    external=True,
    read=email_batch,
)
def notify_buyer_of_received_return(event: contracts.fulfillment.ReturnReceived, emails: EmailBatch) -> None:
    sentences = []
    for title, is_missing in (("We have received", False), ("Missing in your parcel:", True)):
        lines = [line for line in event.lines if (line.disposition == "missing") == is_missing]
        if lines:
            sentences.append(f"{title} {', '.join(f'{line.quantity} × {line.sku}' for line in lines)}.")
    if event.fee:
        sentences.append(f"The fee is {event.fee}.")
    if event.reduction:
        sentences.append(f"We refund {event.reduction} less: {event.reduction_reason}.")
    _notify(emails, event.order, f"Your return {event.return_} has arrived ({event.receipt})", " ".join(sentences))


@whenever(contracts.ordering.OrderWithdrawn, name="ordering.acknowledge-withdrawal", external=True)
def acknowledge_withdrawal(event: contracts.ordering.OrderWithdrawn) -> None:
    goods = ", ".join(f"{line.quantity} × {line.sku}" for line in event.lines)
    body = (
        f"We received your withdrawal {event.withdrawal} from order {event.order} on "
        f"{event.declared_at:%d %B %Y at %H:%M:%S} UTC. It is about {goods}. What has not left our warehouse is "
        "cancelled. If something has, another e-mail says how to send it. We refund you within 14 days, and may wait "
        "for the goods or for a proof that you have sent them."
    )
    commands.acknowledge_withdrawal(event.order, event.withdrawal, f"Your withdrawal from order {event.order}", body)


def _notify(emails: EmailBatch, order: OrderNumber, subject: str, body: str) -> None:
    commands.write_to_buyer(emails, order, f"{subject} (order {order})", body)
