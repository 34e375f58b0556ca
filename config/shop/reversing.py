"""Goods of a replayed sale are cancelled or come back at most once.

A cancellation of lines has the number of the cancelling invoice as its actor, and a return has it as its note. So a
repeated replay finds what it has done.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress

from django.db.models import QuerySet

from config.shop.sales import Reversal, Sale
from fulfillment.commands import approve_return, receive_return, request_return
from fulfillment.events import ReceivedLine
from fulfillment.models import Return, ReturnStatus
from fulfillment.models.return_policy import ReturnReason
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import Refused
from integration.domain.identifiers import OrderNumber, ReturnId, Sku
from integration.domain.metadata import new_story
from integration.storage.outages import repeated_after_outages
from ordering.commands import cancel_lines
from ordering.models import CancellationReason, History, Order

AT_ONCE = 500
CANCELLED = "ordering.order_lines_cancellation_requested"


@repeated_after_outages
def cancel(reversals: Sequence[Reversal], orders: Mapping[Sale, OrderNumber]) -> None:
    """Cancel the goods of reversals, unless that is requested already or they have left."""
    for reversal in reversals:
        with new_story(actor=_actor(reversal)), suppress(Refused), unit_of_work() as work:
            number = orders[reversal.sale]
            work.get(Order, number)  # another replay of this invoice waits for this lock
            if not _cancellations([number]).filter(actor=_actor(reversal)).exists():
                lines = [(Sku(line.sku), line.quantity) for line in reversal.lines]
                cancel_lines(number, lines, CancellationReason.BY_BUYER, reversal.invoice)


@repeated_after_outages
def take_back(reversals: Sequence[Reversal], orders: Mapping[Sale, OrderNumber]) -> None:
    """Let the goods of reversals come back, unless they did, and put them into stock again."""
    for reversal in reversals:
        with new_story(actor=_actor(reversal)), suppress(Refused):
            found = Return.objects.filter(order=orders[reversal.sale], note=reversal.invoice).first()
            if found is None:
                wanted = [(Sku(line.sku), line.quantity, ReturnReason.CHANGED_MIND) for line in reversal.lines]
                found = request_return(orders[reversal.sale], wanted, reversal.invoice)
            if found.status == ReturnStatus.REQUESTED:
                found = approve_return(ReturnId(found.id))
            if found.status == ReturnStatus.APPROVED:
                restocked = [ReceivedLine(Sku(line.sku), line.quantity, "restock") for line in reversal.lines]
                receive_return(ReturnId(found.id), restocked)


@repeated_after_outages
def reversed_so_far(reversals: Collection[Reversal], orders: Sequence[OrderNumber]) -> Counter[str]:
    """How many cancellations of goods were requested (`cancelled`), and how many returns are settled (`returned`)."""
    found: Counter[str] = Counter()
    actors, invoices = {_actor(each) for each in reversals}, {each.invoice for each in reversals}
    for start in range(0, len(orders), AT_ONCE):
        some = orders[start : start + AT_ONCE]
        found["cancelled"] += sum(actor in actors for actor in _cancellations(some).values_list("actor", flat=True))
        notes = Return.objects.filter(order__in=some, status=ReturnStatus.CLOSED).values_list("note", flat=True)
        found["returned"] += sum(note in invoices for note in notes)
    return found


def _cancellations(orders: Sequence[OrderNumber]) -> QuerySet[History]:
    return History.objects.filter(stream="order", stream_id__in=orders, name=CANCELLED)


def _actor(reversal: Reversal) -> str:
    return f"sales-export:{reversal.invoice}"[:80]
