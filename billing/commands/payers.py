"""Who pays: the payer of an invoice changes with its order, and their name and address are stored with the books."""

from django.conf import settings
from msgspec import to_builtins

from billing.models import Invoice, Payer, invoice_of
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import NotYet
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.storage.rows import values_of
from integration.storage.writing import Upsert


def change_payer(order: OrderNumber, payer: BuyerId) -> None:
    """Give the invoice of an order to another buyer; raises `NotYet` if there is none yet."""
    with unit_of_work() as work:
        invoice = work.find(Invoice, invoice_of(order))
        if invoice is None:
            raise NotYet(f"order {order} has no invoice yet")
        invoice.change_payer(payer)


def record_payer(order: OrderNumber, address: Address) -> None:
    """Store who paid for an order, until the books need not be stored any longer."""
    payer = Payer(order=order, address=to_builtins(address), keep_until=clock.now() + settings.INVOICE_RETENTION)
    with unit_of_work() as work:
        work.write(Upsert(Payer, ("order",)), [values_of(payer)])


def forget_payers() -> int:
    """Delete the payers whose time has passed; returns how many they were."""
    return Payer.objects.filter(keep_until__lt=clock.now()).delete()[0]
