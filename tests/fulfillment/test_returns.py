"""Returns: what may come back, for how long, in which parts, and what becomes of each unit."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from fulfillment import commands, events, queries
from fulfillment.commands.returns import (
    NothingToReturn,
    NotInOrder,
    NotReturnable,
    OtherCurrency,
    TooLateToReturn,
    TwoReasons,
)
from fulfillment.events import LineToPack, ReceivedLine
from fulfillment.gateways.orders import OrderFacts
from fulfillment.models import (
    FeeNotAllowed,
    FulfillmentOrder,
    NotInReturn,
    NotThatManyExpected,
    Return,
)
from fulfillment.models.return_policy import TIME_TO_SEND, TWO_YEARS, ReturnReason
from integration.contracts import IntegrationEvent
from integration.contracts import fulfillment as to_others
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.errors import NotFound, StaleVersion
from integration.domain.identifiers import OrderNumber, ReceiptId, ReturnId, ShipmentId, Sku
from integration.domain.money import Money
from integration.domain.states import NotAllowed

pytestmark = pytest.mark.django_db

ORDER, FIRST, SECOND = OrderNumber("R-1"), ShipmentId("S-1-1"), ShipmentId("S-1-2")
MUG, LAMP = Sku("MUG"), Sku("LAMP")
CHANGED_MIND, DAMAGED, OTHER = ReturnReason.CHANGED_MIND, ReturnReason.DAMAGED, ReturnReason.OTHER
RETURN = ReturnId("R-1-1")

After = Callable[[timedelta], None]
Published = Callable[..., list[IntegrationEvent]]


class AnOrder:
    """Ordering, as far as these tests need it: the lamp is exempt from the right of withdrawal."""

    def facts(self, order: OrderNumber) -> OrderFacts | None:
        return OrderFacts("USD", lambda skus: {LAMP} & {*skus}) if order == ORDER else None

    def of(self, user: object) -> list[OrderNumber]:
        return [ORDER]


@pytest.fixture(autouse=True)
def an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fulfillment.gateways.orders._connected", [AnOrder()])


@pytest.fixture
def arranged(address: Address) -> None:
    commands.arrange_shipment(ORDER, address, [LineToPack(MUG, "Mug", 5), LineToPack(LAMP, "Lamp", 1)])


@pytest.fixture
def delivered(arranged: None) -> None:
    commands.dispatch_shipment(FIRST, "DHL", "JD0143")
    commands.deliver_shipment(FIRST)


def _asked() -> dict[str, int]:
    return {line.sku: line.return_asked for line in FulfillmentOrder.objects.get().line_rows.all()}


@pytest.fixture
def after() -> Iterator[Callable[[timedelta], None]]:
    """Lets time pass."""
    with clock.moved(timedelta()):
        yield clock.advance


def test_a_return_is_requested_approved_received_in_parts_and_closed(
    delivered: None, published: Published, compare_rows_with_history: Callable[[], set[str]]
) -> None:
    requested = commands.request_return(ORDER, [(MUG, 2, DAMAGED), (MUG, 1, DAMAGED)], "the handle is off")
    assert (requested.id, requested.status, requested.quantities) == (RETURN, "requested", {MUG: 3})
    assert _asked() == {MUG: 3, LAMP: 0}

    approved = commands.approve_return(RETURN)
    assert approved.send_by
    assert TIME_TO_SEND - timedelta(minutes=1) < approved.send_by - approved.updated_at <= TIME_TO_SEND
    commands.receive_return(RETURN, [ReceivedLine(MUG, 1, "restock"), ReceivedLine(MUG, 1, "quarantine")])
    assert queries.return_(RETURN).status == "received"
    commands.settle_return(RETURN, ReceiptId("R-1-1-1"), Money("20.00", "USD"))
    assert queries.return_(RETURN).status == "received", "a unit is still expected"

    commands.receive_return(RETURN, [ReceivedLine(MUG, 1, "write_off")])
    assert queries.return_(RETURN).status == "received", "billing has not decided yet"
    for _ in range(2):
        commands.settle_return(RETURN, ReceiptId("R-1-1-2"), Money("10.00", "USD"))

    closed = queries.return_(RETURN)
    (line,) = closed.lines
    assert (closed.status, closed.refund, closed.fee) == ("closed", Money("30.00", "USD"), Money("0.00", "USD"))
    assert (line.restocked, line.quarantined, line.written_off, line.missing, line.lapsed) == (1, 1, 1, 0, 0)
    assert _asked() == {MUG: 3, LAMP: 0}
    assert [receipt.receipt for receipt in published(to_others.ReturnReceived)] == ["R-1-1-1", "R-1-1-2"]
    (approval,) = published(to_others.ReturnApproved)
    assert approval.shop_pays_postage
    assert len(published(to_others.ReturnClosed)) == 1
    assert {"return", "fulfillment_order"} <= compare_rows_with_history()


def test_what_is_missing_or_refused_may_be_returned_again(delivered: None) -> None:
    commands.request_return(ORDER, [(MUG, 5, CHANGED_MIND)])
    with pytest.raises(NothingToReturn, match="only 0 × MUG can be returned"):
        commands.request_return(ORDER, [(MUG, 1, CHANGED_MIND)])
    commands.approve_return(RETURN)
    commands.receive_return(RETURN, [ReceivedLine(MUG, 3, "restock"), ReceivedLine(MUG, 2, "missing")])
    assert _asked()[MUG] == 3

    again = commands.request_return(ORDER, [(MUG, 2, CHANGED_MIND)])
    commands.refuse_return(ReturnId(again.id), "used")
    assert queries.return_(ReturnId("R-1-2")).refusal == "used"
    assert _asked()[MUG] == 3


def test_only_what_was_shipped_comes_back(arranged: None) -> None:
    with pytest.raises(NothingToReturn, match="only 0 × MUG"):
        commands.request_return(ORDER, [(MUG, 1, DAMAGED)])
    assert not FulfillmentOrder.objects.exists()
    commands.dispatch_shipment(FIRST, "DHL", "1", [(MUG, 2)])
    with pytest.raises(NothingToReturn, match="only 2 × MUG"):
        commands.request_return(ORDER, [(MUG, 3, DAMAGED)])
    commands.request_return(ORDER, [(MUG, 2, DAMAGED)])
    commands.dispatch_shipment(SECOND, "DHL", "2")
    commands.request_return(ORDER, [(MUG, 3, DAMAGED), (LAMP, 1, DAMAGED)])
    assert _asked() == {MUG: 5, LAMP: 1}


def test_what_cannot_be_asked_for(delivered: None) -> None:
    with pytest.raises(NotInOrder) as not_in_order:
        commands.request_return(ORDER, [(MUG, 1, DAMAGED), (Sku("ATLAS"), 1, DAMAGED)])
    assert not_in_order.value.pointer == "/lines/1/sku"
    with pytest.raises(TwoReasons) as two_reasons:
        commands.request_return(ORDER, [(MUG, 1, DAMAGED), (MUG, 1, OTHER)])
    assert two_reasons.value.pointer == "/lines/1/reason"
    with pytest.raises(NotReturnable, match="Lamp cannot be returned because of changed_mind"):
        commands.request_return(ORDER, [(LAMP, 1, CHANGED_MIND)])
    with pytest.raises(NotFound):
        commands.request_return(OrderNumber("R-2"), [(MUG, 1, DAMAGED)])
    assert not Return.objects.exists()


def test_the_periods_begin_with_the_last_delivery(arranged: None, after: After) -> None:
    commands.dispatch_shipment(FIRST, "DHL", "1", [(MUG, 4)])
    commands.deliver_shipment(FIRST)
    after(timedelta(days=100))
    commands.request_return(ORDER, [(MUG, 1, CHANGED_MIND)])  # the other parcel has not arrived
    commands.dispatch_shipment(SECOND, "DHL", "2")
    after(timedelta(days=14))
    commands.request_return(ORDER, [(MUG, 1, CHANGED_MIND)])  # its delivery is not reported
    commands.deliver_shipment(SECOND)
    after(timedelta(days=14))
    commands.request_return(ORDER, [(MUG, 1, CHANGED_MIND)])
    after(timedelta(days=1))
    with pytest.raises(TooLateToReturn, match="because of changed_mind until"):
        commands.request_return(ORDER, [(MUG, 1, CHANGED_MIND)])
    commands.request_return(ORDER, [(MUG, 1, DAMAGED)])
    after(TWO_YEARS)
    with pytest.raises(TooLateToReturn):
        commands.request_return(ORDER, [(MUG, 1, DAMAGED)])


def test_what_is_never_sent_is_not_expected_for_ever(
    delivered: None, after: After, compare_rows_with_history: Callable[[], set[str]]
) -> None:
    commands.request_return(ORDER, [(MUG, 3, DAMAGED)])
    commands.approve_return(RETURN)
    assert queries.returns_to_lapse(10) == []
    commands.lapse_return(RETURN)
    assert queries.return_(RETURN).status == "approved", "its time has not passed"
    after(TIME_TO_SEND + timedelta(minutes=1))
    assert queries.returns_to_lapse(10) == [RETURN]

    commands.lapse_return(RETURN)

    assert queries.returns_to_lapse(10) == []
    assert (queries.return_(RETURN).status, queries.return_(RETURN).lines[0].lapsed) == ("closed", 3)
    assert _asked()[MUG] == 0
    with pytest.raises(NotAllowed):
        commands.receive_return(RETURN, [ReceivedLine(MUG, 1, "restock")])
    compare_rows_with_history()


def test_a_return_received_in_part_lapses_for_the_rest(delivered: None, after: After) -> None:
    commands.request_return(ORDER, [(MUG, 3, DAMAGED)])
    commands.approve_return(RETURN)
    commands.receive_return(RETURN, [ReceivedLine(MUG, 1, "restock")])
    after(TIME_TO_SEND + timedelta(minutes=1))
    commands.lapse_return(RETURN)
    assert queries.return_(RETURN).status == "received", "billing has not decided yet"
    assert _asked()[MUG] == 1
    commands.settle_return(RETURN, ReceiptId("R-1-1-1"), Money("1.00", "USD"))
    assert queries.return_(RETURN).status == "closed"


def test_a_fee_is_only_for_goods_that_are_not_sent_back_by_right(delivered: None) -> None:
    commands.request_return(ORDER, [(MUG, 1, DAMAGED), (LAMP, 1, OTHER)])
    commands.approve_return(RETURN)
    fee = Money("5.00", "USD")
    with pytest.raises(FeeNotAllowed):
        commands.receive_return(RETURN, [ReceivedLine(MUG, 1, "restock"), ReceivedLine(LAMP, 1, "missing")], fee=fee)
    with pytest.raises(OtherCurrency) as other:
        commands.receive_return(RETURN, [ReceivedLine(LAMP, 1, "restock")], fee=Money("5.00", "EUR"))
    assert other.value.pointer == "/fee/currency"
    commands.receive_return(
        RETURN,
        [ReceivedLine(LAMP, 1, "restock"), ReceivedLine(MUG, 1, "restock")],
        fee=fee,
        reduction=Money("2.00", "USD"),
        reduction_reason="scratched",
    )
    found = queries.return_(RETURN)
    assert (found.fee, found.reduction, found.reduction_reason) == (fee, Money("2.00", "USD"), "scratched")


def test_a_return_receives_only_what_it_expects(delivered: None) -> None:
    commands.request_return(ORDER, [(MUG, 2, DAMAGED)])
    with pytest.raises(NotAllowed):
        commands.receive_return(RETURN, [ReceivedLine(MUG, 1, "restock")])
    commands.approve_return(RETURN)
    with pytest.raises(NotInReturn) as not_in_return:
        commands.receive_return(RETURN, [ReceivedLine(MUG, 1, "restock"), ReceivedLine(LAMP, 1, "restock")])
    assert not_in_return.value.pointer == "/lines/1/sku"
    with pytest.raises(NotThatManyExpected, match="expects only 2 × MUG"):
        commands.receive_return(RETURN, [ReceivedLine(MUG, 2, "restock"), ReceivedLine(MUG, 1, "missing")])
    with pytest.raises(StaleVersion):
        commands.receive_return(RETURN, [ReceivedLine(MUG, 1, "restock")], if_version=[99])
    for change in (commands.approve_return, lambda id: commands.refuse_return(id, "no")):
        with pytest.raises(NotAllowed):
            change(RETURN)
    assert not queries.return_(RETURN).receipts


def test_a_shipment_never_changes_because_of_a_return(delivered: None) -> None:
    before = queries.shipment(FIRST).version
    commands.request_return(ORDER, [(MUG, 5, DAMAGED)])
    commands.approve_return(RETURN)
    commands.receive_return(RETURN, [ReceivedLine(MUG, 5, "restock")])
    assert queries.shipment(FIRST).version == before


def test_erasing_removes_the_note_and_the_return_goes_on(delivered: None) -> None:
    commands.request_return(ORDER, [(MUG, 1, DAMAGED)], "call me: 0123")
    commands.anonymize_shipments([ORDER])
    assert queries.return_(RETURN).note == ""
    commands.request_return(ORDER, [(MUG, 1, DAMAGED)], "call me: 0123")
    assert queries.return_(ReturnId("R-1-2")).note == "", "the buyer is erased already"
    commands.approve_return(RETURN)
    assert events.ReturnAnonymized.erases
