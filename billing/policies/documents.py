"""A confirmed invoice, and the credit note of each reduction, soon gets a number.

Numbers are assigned here and nowhere else, a batch at a time. A transaction that confirms or reduces an invoice only
leaves what waits for one, so it waits for no other.
"""

from datetime import timedelta

from billing import commands, events
from billing.models import DocumentKind
from integration.policies import every, whenever


@whenever(events.InvoiceCreditNoteOwed)
def draft_credit_note(event: events.InvoiceCreditNoteOwed) -> None:
    commands.draft_document(
        event.document, DocumentKind.CREDIT_NOTE, event.invoice, event.order, event.amount, event.content
    )


@every(timedelta(seconds=5), name="billing.number-documents")
def number_documents() -> None:
    commands.number_documents()
