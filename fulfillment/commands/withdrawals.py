"""What fulfillment does when a buyer withdraws: it stops what has not left, and expects the rest back."""

from collections.abc import Mapping

from fulfillment.commands.goods import goods_of
from fulfillment.commands.returns import open_approved_return
from fulfillment.commands.stops import stop_left
from fulfillment.models.return_policy import ReturnReason
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.identifiers import CancellationId, OrderNumber, ReturnId, Sku, WithdrawalId
from integration.domain.money import Money


def arrange_withdrawal(
    order: OrderNumber, withdrawal: WithdrawalId, quantities: Mapping[Sku, int], shipping_withheld: Money | None
) -> None:
    """Stop the units that are still in the warehouse, and open an approved return of the others; once.

    Units that are in another return already, or lost, are in no second one.

    Raises:
        NotYet: no shipment of the order is arranged yet.
    """
    with unit_of_work() as work:
        goods = goods_of(work, order)
        if withdrawal in (goods.cancellations or ()):
            return
        stopped = stop_left(work, goods, CancellationId(withdrawal), quantities)
        has = {Sku(line.sku): line.returnable for line in goods.lines}
        rest = {sku: n for sku, wanted in quantities.items() if (n := min(wanted - stopped.get(sku, 0), has[sku]))}
        opened = None
        if rest:
            opened = open_approved_return(work, goods, rest, ReturnReason.WITHDRAWN, withdrawal, shipping_withheld)
        goods.note_withdrawal(withdrawal, ReturnId(opened.id) if opened else None)
