"""Commands on returns: request, approve, refuse, receive, settle, and close what was never sent.

Whatever changes how many units may still be returned locks in the order that `goods.py` says, and the return last.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from fulfillment.commands.goods import goods_of, shipment_of
from fulfillment.events import LineToReturn, ReceivedLine
from fulfillment.gateways.orders import OrderFacts, orders
from fulfillment.models import FulfillmentOrder, Return, Shipment
from fulfillment.models.return_policy import TIME_TO_SEND, ReturnReason, return_terms
from fulfillment.queries import period_begins, shipments_of
from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.contracts.fulfillment import PackedLine, ReturnApproved
from integration.domain import clock
from integration.domain.errors import NotFound, Refused, Unacceptable
from integration.domain.identifiers import OrderNumber, ReceiptId, ReturnId, Sku, WithdrawalId, sibling
from integration.domain.money import Money
from integration.domain.right_of_withdrawal import end_of_period


class NothingToReturn(Refused):
    """More units were to come back than the buyer has of the order."""


class TooLateToReturn(Refused):
    """The time in which the goods could be sent back has passed."""


class NotReturnable(Refused):
    """Goods of this kind cannot be sent back for this reason."""


class NotInOrder(Unacceptable):
    """The order has nothing of this SKU."""


class TwoReasons(Unacceptable):
    """A return has one reason for each SKU."""


class OtherCurrency(Unacceptable):
    """The amount is not in the currency of the order."""


def request_return(order: OrderNumber, wanted: Sequence[tuple[Sku, int, ReturnReason]], note: str = "") -> Return:
    """Request the return of goods that were shipped.

    Args:
        wanted: SKU, units and reason; the units of a SKU that is named twice are added up.
        note: free text of the buyer.

    Returns:
        The new return, which waits for approval.

    Raises:
        NotFound: there is no such order.
        NotInOrder, TwoReasons: a SKU is not in the order, or is named with two reasons.
        NothingToReturn: fewer units were shipped and are neither lost nor in another return.
        NotReturnable, TooLateToReturn: the policy does not allow it, or not any more.
    """
    units, reasons = _by_sku(wanted)
    with unit_of_work() as work:
        facts = facts_of(order)
        first = work.find(Shipment, shipment_of(order))
        if first is None:
            raise NothingToReturn(f"nothing of {order} was shipped")
        goods, names = goods_of(work, order), _names(work, order)
        for i, (sku, _, _) in enumerate(wanted):
            Return.require(sku in names, NotInOrder(f"{order} has no {sku}", pointer=f"/lines/{i}/sku"))
        _require_returnable(goods, units)
        lines = _lines_by_policy(order, first.recipient["country"], facts, units, reasons, names)
        return _open(work, goods, lines, note="" if first.is_anonymous else note)


def open_approved_return(
    work: UnitOfWork,
    goods: FulfillmentOrder,
    units: Mapping[Sku, int],
    reason: ReturnReason,
    withdrawal: WithdrawalId | None = None,
    shipping_withheld: Money | None = None,
) -> Return:
    """Open a return that nobody needs to approve: of a withdrawal, or of a parcel that came back.

    The caller has locked the goods and knows that these units may come back.
    """
    order = OrderNumber(goods.order)
    names, terms = _names(work, order), return_terms(reason, "", is_exempt=False)
    lines = [LineToReturn(sku, names[sku], n, reason.value, terms.by_right) for sku, n in units.items()]
    opened = _open(work, goods, lines, withdrawal=withdrawal, shipping_withheld=shipping_withheld)
    opened.approve(clock.now() + TIME_TO_SEND)
    return opened


def approve_return(id: ReturnId, if_version: Collection[int] | None = None) -> Return:
    """Let the buyer send the goods of a return.

    Args:
        if_version: the versions of the return that the caller accepts; None accepts any.

    Raises:
        NotFound: there is no such return.
        NotAllowed: the return is not `requested`.
        StaleVersion: the return is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        found = work.get(Return, id)
        found.expect_version(if_version)
        found.approve(clock.now() + TIME_TO_SEND)
    return found


def refuse_return(id: ReturnId, reason: str, if_version: Collection[int] | None = None) -> Return:
    """Refuse a return for a reason that the buyer reads; another return may have its goods.

    Raises:
        NotFound, NotAllowed, StaleVersion: as `approve_return` does.
    """
    with unit_of_work() as work:
        found, goods = _to_decide_about(work, id)
        found.expect_version(if_version)
        found.refuse(reason)
        goods.drop_return(id, found.quantities)
    return found


def receive_return(
    id: ReturnId,
    lines: Sequence[ReceivedLine],
    *,
    fee: Money | None = None,
    reduction: Money | None = None,
    reduction_reason: str = "",
    if_version: Collection[int] | None = None,
) -> Return:
    """Record a parcel of a return: what came, what becomes of it, and what is missing.

    Args:
        fee: what the buyer pays for the return; not for goods that are sent back by right.
        reduction: what the goods are worth less than before, with its reason.
        if_version: the versions of the return that the caller accepts; None accepts any.

    Raises:
        NotFound, StaleVersion: as `approve_return` does.
        NotAllowed: the return is neither `approved` nor `received`.
        NotInReturn, NotThatManyExpected: the return does not expect all these lines.
        FeeNotAllowed: all that came is sent back by right.
        OtherCurrency: the fee or the reduction is in another currency than the order.
    """
    with unit_of_work() as work:
        found, goods = _to_decide_about(work, id)
        found.expect_version(if_version)
        currency = facts_of(OrderNumber(found.order)).currency
        for name, amount in (("fee", fee), ("reduction", reduction)):
            is_other = amount is not None and amount.currency != currency
            Return.require(not is_other, OtherCurrency(pointer=f"/{name}/currency"))
        if missing := found.receive(lines, fee, reduction, reduction_reason):
            goods.drop_return(id, missing)
    return found


def settle_return(id: ReturnId, receipt: ReceiptId, amount: Money) -> None:
    """Record what billing refunds for a receipt. A return whose goods are all accounted for is closed then."""
    with unit_of_work() as work:
        work.get(Return, id).settle(receipt, amount)


def lapse_return(id: ReturnId) -> None:
    """Expect nothing more of a return, because the time to send has passed; another return may have what is left."""
    with unit_of_work() as work:
        found, goods = _to_decide_about(work, id)
        if found.send_by and found.send_by <= clock.now() and (unsent := found.lapse()):
            goods.drop_return(id, unsent)


def return_approval(id: ReturnId, send_by: datetime) -> ReturnApproved:
    """The contract that says that a return is approved."""
    with unit_of_work() as work:
        found = work.get(Return, id)
    return ReturnApproved(
        order=OrderNumber(found.order),
        return_=id,
        lines=tuple(PackedLine(sku, quantity) for sku, quantity in found.quantities.items()),
        send_by=send_by,
        shop_pays_postage=found.shop_pays_postage,
    )


def shipping_withheld(id: ReturnId) -> Money | None:
    """What of the shipping is not refunded, even if the return completes what came back of the order."""
    with unit_of_work() as work:
        return work.get(Return, id).shipping_withheld


def lock_returns(ids: Collection[ReturnId]) -> None:
    """Lock several returns in key order."""
    with unit_of_work() as work:
        work.prefetch(Return, ids)


def anonymize_returns(work: UnitOfWork, orders: Collection[OrderNumber]) -> dict[str, Return]:
    """Remove the notes of the returns of these orders, and return them."""
    ids = list(Return.objects.filter(order__in=orders).order_by("pk").values_list("pk", flat=True))
    found = work.get_many(Return, ids)
    for each in found.values():
        each.anonymize()
    return found


def facts_of(order: OrderNumber) -> OrderFacts:
    """What ordering knows about an order; raises `NotFound`."""
    facts = orders().facts(order)
    if facts is None:
        raise NotFound(f"there is no order {order}")
    return facts


def _by_sku(wanted: Sequence[tuple[Sku, int, ReturnReason]]) -> tuple[dict[Sku, int], dict[Sku, ReturnReason]]:
    units, reasons = dict[Sku, int](), dict[Sku, ReturnReason]()
    for i, (sku, quantity, reason) in enumerate(wanted):
        Return.require(reasons.setdefault(sku, reason) == reason, TwoReasons(pointer=f"/lines/{i}/reason"))
        units[sku] = units.get(sku, 0) + quantity
    return units, reasons


def _require_returnable(goods: FulfillmentOrder, units: Mapping[Sku, int]) -> None:
    left = {line.sku: line.returnable for line in goods.lines}
    for sku, quantity in units.items():
        has = left.get(sku, 0)
        Return.require(quantity <= has, NothingToReturn(f"of {goods.order} only {has} × {sku} can be returned"))


def _lines_by_policy(
    order: OrderNumber,
    country: str,
    facts: OrderFacts,
    units: Mapping[Sku, int],
    reasons: Mapping[Sku, ReturnReason],
    names: Mapping[Sku, str],
) -> list[LineToReturn]:
    exempt, begins, lines = facts.exempt(list(units)), period_begins(order), []
    for sku, quantity in units.items():
        terms = return_terms(reasons[sku], country, is_exempt=sku in exempt)
        if terms.within is None:
            raise NotReturnable(f"{names[sku]} cannot be returned because of {reasons[sku].value}")
        if begins and clock.now() >= (end := end_of_period(begins, terms.within)):
            raise TooLateToReturn(
                f"{names[sku]} could be returned because of {reasons[sku].value} until {end:%Y-%m-%d}"
            )
        lines.append(LineToReturn(sku, names[sku], quantity, reasons[sku].value, terms.by_right))
    return lines


def _names(work: UnitOfWork, order: OrderNumber) -> dict[Sku, str]:
    """The names of all goods of an order, by SKU."""
    shipments = work.look_at(Shipment, shipments_of([order])).values()
    return {Sku(line.sku): line.name for shipment in shipments for line in shipment.lines}


def _open(
    work: UnitOfWork,
    goods: FulfillmentOrder,
    lines: Sequence[LineToReturn],
    *,
    note: str = "",
    withdrawal: WithdrawalId | None = None,
    shipping_withheld: Money | None = None,
) -> Return:
    order = OrderNumber(goods.order)
    id = ReturnId(sibling("R", order, goods.returns + 1))
    goods.ask_return(id, {line.sku: line.quantity for line in lines})
    opened = Return.request(id, order, lines, note, withdrawal, shipping_withheld)
    work.add(opened)
    return opened


def _to_decide_about(work: UnitOfWork, id: ReturnId) -> tuple[Return, FulfillmentOrder]:
    """A return and the goods of its order, all locked; raises `NotFound`."""
    order = Return.objects.filter(pk=id).values_list("order", flat=True).first()
    if order is None:
        raise NotFound(f"there is no return {id}")
    goods = goods_of(work, OrderNumber(order))
    return work.get(Return, id), goods
