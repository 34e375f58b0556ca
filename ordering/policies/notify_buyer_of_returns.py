"""Writes to buyers about what they send back, and acknowledges withdrawals."""

from functools import partial

from integration import contracts
from integration.policies import whenever
from ordering import commands, letters
from ordering.commands import EmailBatch, NoteSent
from ordering.policies.notify_buyer import email_batch


@whenever(
    contracts.fulfillment.ReturnApproved,
    name="ordering.notify-buyer-of-approved-return",
    external=True,
    read=email_batch,
)
def notify_buyer_of_approved_return(event: contracts.fulfillment.ReturnApproved, emails: EmailBatch) -> NoteSent | None:
    goods = [(line.quantity, line.sku) for line in event.lines]
    write = partial(letters.returns.approved, event.order, event.return_, goods, event.send_by, event.shop_pays_postage)
    key = f"Your return {event.return_} is approved (order {event.order})"
    return commands.write_to_buyer(emails, event.order, key, write)


@whenever(
    contracts.fulfillment.ReturnRefused, name="ordering.notify-buyer-of-refused-return", external=True, read=email_batch
)
def notify_buyer_of_refused_return(event: contracts.fulfillment.ReturnRefused, emails: EmailBatch) -> NoteSent | None:
    key = f"Your return {event.return_} is refused (order {event.order})"
    write = partial(letters.returns.refused, event.order, event.return_, event.reason)
    return commands.write_to_buyer(emails, event.order, key, write)


@whenever(
    contracts.fulfillment.ReturnReceived,
    name="ordering.notify-buyer-of-received-return",
    external=True,
    read=email_batch,
)
def notify_buyer_of_received_return(event: contracts.fulfillment.ReturnReceived, emails: EmailBatch) -> NoteSent | None:
    came, missing = (
        [(line.quantity, line.sku) for line in event.lines if (line.disposition == "missing") == is_missing]
        for is_missing in (False, True)
    )
    reduction = (event.reduction, event.reduction_reason) if event.reduction else None
    names = (event.order, event.return_, event.receipt)
    write = partial(letters.returns.received, *names, came, missing, event.fee, reduction)
    key = f"Your return {event.return_} has arrived ({event.receipt}) (order {event.order})"
    return commands.write_to_buyer(emails, event.order, key, write)


@whenever(contracts.ordering.OrderWithdrawn, name="ordering.acknowledge-withdrawal", external=True)
def acknowledge_withdrawal(event: contracts.ordering.OrderWithdrawn) -> NoteSent | None:
    goods = [(line.quantity, line.sku) for line in event.lines]
    write = partial(letters.returns.withdrawn, event.order, event.withdrawal, goods, event.declared_at)
    return commands.acknowledge_withdrawal(event.order, event.withdrawal, write)
