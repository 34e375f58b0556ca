"""What can be done in billing, by its commands and by what the other contexts tell, and what it tells them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from pytest_django import Settings

from billing import commands
from billing.gateways import Charged, Declined, OutcomeUnknown, Refunded, provider
from billing.models import Invoice, Payment, Refund, invoice_of
from integration.contracts import IntegrationEvent
from integration.contracts import billing as contracts
from integration.contracts import inventory as from_inventory
from integration.contracts import ordering as from_ordering
from integration.domain.errors import NotYet, Refused
from integration.domain.identifiers import (
    BuyerId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    PaymentMethodId,
    RefundId,
    Sku,
)
from integration.domain.money import Money
from integration.messaging.models import Delivery, Message

pytestmark = pytest.mark.django_db

ORDER, PAYMENT, REFUND = OrderNumber("R-1"), PaymentId("P-1-1"), RefundId("F-1-1")
STATEMENTS = 2
"""How many it takes to refund in part."""
TOTAL, NOTHING = Money("105", "USD"), Money.zero("USD")
PLACED = from_ordering.OrderPlaced(
    order=ORDER,
    buyer=BuyerId("B-1"),
    payment_method=PaymentMethodId("pm_card_visa"),
    lines=(
        from_ordering.OrderedLine(Sku("MUG"), "Mug", 2, Money("12.50", "USD")),
        from_ordering.OrderedLine(Sku("LAMP"), "Lamp", 1, Money("80", "USD")),
    ),
    discount=NOTHING,
    total=TOTAL,
)
RESERVED = from_inventory.StockReserved(ORDER)
CANCELLED = from_ordering.OrderCancelled(ORDER, "by_buyer")

PublishAll = Callable[..., None]
Published = Callable[..., list[IntegrationEvent]]
Cut = Callable[..., None]
Later = Callable[[timedelta], None]
Drain = Callable[..., int]


@pytest.fixture
def hear(publish_all: PublishAll, drain: Drain) -> PublishAll:
    """Let billing hear what others tell, and its own requests; nobody else does anything."""

    def listen(*events: IntegrationEvent) -> None:
        publish_all(*events)
        drain("billing")

    return listen


@pytest.fixture
def persist(drain: Drain, later: Later) -> Callable[[], None]:
    """Let time pass until billing has nothing left to try."""

    def try_again() -> None:
        for _ in range(30):
            if not Delivery.objects.filter(context="billing", status="pending").exists():
                return
            later(timedelta(seconds=30))
            drain("billing")
        raise AssertionError("billing is still trying")

    return try_again


def _declined() -> from_ordering.OrderPlaced:
    method = PaymentMethodId("pm_card_chargeDeclined")
    return from_ordering.OrderPlaced(ORDER, PLACED.buyer, method, PLACED.lines, PLACED.discount, PLACED.total)


def _states() -> tuple[str, str | None, str | None]:
    """What became of the invoice, its payment and its refund."""
    payment, refund = Payment.objects.first(), Refund.objects.first()
    return Invoice.objects.get().status, payment and payment.status, refund and refund.status


def _moved() -> list[tuple[str, Money]]:
    """What the provider did, by its own books: the charges it took, and then the refunds."""
    names = {Charged: "charge", Refunded: "refund"}
    books = sorted(provider().books(datetime(2020, 1, 1, tzinfo=UTC)), key=lambda booked: booked.key)
    done = [
        (names[type(booked.outcome)], booked.amount) for booked in books if not isinstance(booked.outcome, Declined)
    ]
    return sorted(done, key=lambda entry: entry[0])


def _all_handled() -> bool:
    """Whether billing heard all it was told, without a failure."""
    return not Delivery.objects.filter(context="billing").exclude(status="done", attempts__lte=1).exists()


def _names(heard: tuple[IntegrationEvent, ...]) -> str:
    return "-".join(type(event).__name__ for event in heard)


# --- What is owed ---


def test_a_placed_order_gets_one_invoice_however_often_it_is_heard_of(hear: PublishAll) -> None:
    hear(PLACED)
    hear(PLACED)

    invoice = Invoice.objects.get()
    assert (invoice.number, invoice.order, invoice.payer, invoice.status) == ("I-1", ORDER, "B-1", "open")
    assert (invoice.total, invoice.discount, invoice.paid) == (TOTAL, NOTHING, NOTHING)
    assert [(line.sku, line.name, line.quantity, line.unit_price) for line in invoice.line_rows.order_by("pk")] == [
        ("MUG", "Mug", 2, Money("12.50", "USD")),
        ("LAMP", "Lamp", 1, Money("80", "USD")),
    ]
    assert _moved() == []
    assert _all_handled()


def test_nobody_is_charged_before_the_goods_are_there(hear: PublishAll) -> None:
    hear(PLACED)

    assert _states() == ("open", None, None)


def test_before_the_invoice_is_issued_everything_about_it_is_too_early() -> None:
    with pytest.raises(NotYet):
        commands.request_payment(ORDER)
    with pytest.raises(NotYet):
        commands.void_invoice(ORDER, "by_buyer")


# --- What is paid ---


def test_reserved_goods_have_their_money_collected(hear: PublishAll, published: Published) -> None:
    hear(PLACED, RESERVED)

    assert _states() == ("paid", "succeeded", None)
    assert Invoice.objects.get().paid == TOTAL
    assert provider().find_charge(PAYMENT) == Charged(Payment.objects.get().reference)
    assert published(contracts.PaymentRequested, contracts.PaymentSucceeded) == [
        contracts.PaymentRequested(ORDER, PAYMENT, TOTAL),
        contracts.PaymentSucceeded(ORDER, PAYMENT, TOTAL),
    ]
    assert _moved() == [("charge", TOTAL)]


def test_the_money_is_collected_whichever_comes_first(hear: PublishAll, persist: Callable[[], None]) -> None:
    hear(RESERVED)
    hear(PLACED)
    persist()

    assert _states() == ("paid", "succeeded", None)
    assert _moved() == [("charge", TOTAL)]


def test_a_reservation_heard_twice_is_charged_once(hear: PublishAll, published: Published) -> None:
    hear(PLACED, RESERVED)
    hear(RESERVED)
    hear(contracts.PaymentRequested(ORDER, PAYMENT, TOTAL))

    assert _moved() == [("charge", TOTAL)]
    assert len(published(contracts.PaymentSucceeded)) == 1
    assert _all_handled()


def test_a_declined_card_is_an_answer_not_a_failure(hear: PublishAll, published: Published) -> None:
    hear(_declined(), RESERVED)

    assert _states() == ("open", "failed", None)
    assert Payment.objects.get().failure == "generic_decline"
    assert published(contracts.PaymentFailed) == [contracts.PaymentFailed(ORDER, PAYMENT, "generic_decline")]
    assert published(contracts.PaymentSucceeded) == []
    assert _all_handled()


def test_a_declined_card_is_asked_once(hear: PublishAll, published: Published) -> None:
    hear(_declined(), RESERVED)
    hear(RESERVED)

    assert len(published(contracts.PaymentRequested)) == len(published(contracts.PaymentFailed)) == 1
    assert _all_handled()


def test_no_card_and_no_reference_of_the_providers_is_told_to_the_others(hear: PublishAll) -> None:
    hear(PLACED, RESERVED)

    told = str(list(Message.objects.filter(name__startswith="billing.").values_list("data", flat=True)))
    assert "P-1-1" in told
    assert "pm_card" not in told
    assert "ch_" not in told


# --- When the line breaks ---


def test_a_line_cut_before_the_provider_heard_is_tried_again(
    hear: PublishAll, cut_line: Cut, persist: Callable[[], None]
) -> None:
    hear(PLACED)
    cut_line(True)
    hear(RESERVED)
    assert _states() == ("open", "unknown", None)
    assert _moved() == []

    persist()

    assert _states() == ("paid", "succeeded", None)
    assert _moved() == [("charge", TOTAL)]


def test_a_line_cut_after_the_provider_charged_never_charges_twice(
    hear: PublishAll, cut_line: Cut, persist: Callable[[], None], published: Published
) -> None:
    hear(PLACED)
    cut_line(False, True)
    hear(RESERVED)
    assert _states() == ("open", "unknown", None)
    assert _moved() == [("charge", TOTAL)]
    assert published(contracts.PaymentSucceeded) == []

    persist()

    assert _states() == ("paid", "succeeded", None)
    assert _moved() == [("charge", TOTAL)]
    assert len(published(contracts.PaymentSucceeded)) == 1


def test_a_decline_that_was_not_heard_is_asked_for(
    hear: PublishAll, cut_line: Cut, persist: Callable[[], None]
) -> None:
    hear(_declined())
    cut_line(False, True)
    hear(RESERVED)
    persist()

    assert _states() == ("open", "failed", None)


@pytest.mark.parametrize("legs", [(True,), (False, True)], ids=["there", "back"])
def test_an_unknown_outcome_is_the_deliverys_failure_and_is_told_in_its_row(
    hear: PublishAll, cut_line: Cut, legs: tuple[bool, ...]
) -> None:
    hear(PLACED)
    cut_line(*legs)
    hear(RESERVED)

    failed = Delivery.objects.get(consumer="billing.collect-payment")
    assert (failed.status, failed.attempts) == ("pending", 1)
    assert failed.error.startswith("OutcomeUnknown")


def test_a_provider_that_is_never_reached_leaves_a_dead_letter_and_no_charge(
    hear: PublishAll, settings: Settings, drain: Drain, later: Later
) -> None:
    settings.SANDBOX_FAILURE_RATE = 2.0
    hear(PLACED, RESERVED)
    for _ in range(settings.DELIVERY_MAX_ATTEMPTS):
        later(timedelta(minutes=11))
        drain("billing")

    dead = Delivery.objects.get(consumer="billing.collect-payment")
    assert (dead.status, dead.attempts) == ("dead", settings.DELIVERY_MAX_ATTEMPTS)
    settings.SANDBOX_FAILURE_RATE = 0.0
    assert _states() == ("open", "unknown", None)
    assert _moved() == []


# --- What is called off and given back ---


def test_an_order_cancelled_before_it_was_paid_owes_nothing(hear: PublishAll, published: Published) -> None:
    hear(PLACED)
    hear(CANCELLED)
    hear(RESERVED)

    assert _states() == ("void", None, None)
    assert published(contracts.PaymentRequested) == []
    assert _moved() == []


def test_an_order_cancelled_after_it_was_paid_gets_its_money_back_once(hear: PublishAll, published: Published) -> None:
    hear(PLACED, RESERVED)
    hear(CANCELLED)
    hear(CANCELLED)

    assert _states() == ("refunded", "succeeded", "issued")
    assert Invoice.objects.get().refunded == TOTAL
    assert published(contracts.RefundRequested, contracts.RefundIssued) == [
        contracts.RefundRequested(ORDER, REFUND, TOTAL),
        contracts.RefundIssued(ORDER, REFUND, TOTAL, TOTAL),
    ]
    assert _moved() == [("charge", TOTAL), ("refund", TOTAL)]
    assert _all_handled()


def test_an_order_cancelled_while_the_money_was_asked_for_is_not_charged(
    hear: PublishAll, cut_line: Cut, persist: Callable[[], None]
) -> None:
    hear(PLACED)
    cut_line(True)
    hear(RESERVED)
    hear(CANCELLED)
    persist()

    assert _states() == ("void", "abandoned", None)
    assert _moved() == []


def test_money_that_was_taken_before_the_cancellation_was_heard_is_given_back(
    hear: PublishAll, cut_line: Cut, persist: Callable[[], None], published: Published
) -> None:
    hear(PLACED)
    cut_line(False, True)
    hear(RESERVED)
    hear(CANCELLED)
    persist()

    assert _states() == ("void", "succeeded", "issued")
    invoice = Invoice.objects.get()
    assert (invoice.paid, invoice.refunded) == (TOTAL, TOTAL)
    assert _moved() == [("charge", TOTAL), ("refund", TOTAL)]
    assert len(published(contracts.PaymentSucceeded)) == len(published(contracts.RefundIssued)) == 1


@pytest.mark.parametrize("legs", [(True,), (False, True)], ids=["there", "back"])
def test_a_refund_over_a_line_that_breaks_is_given_once(
    hear: PublishAll, cut_line: Cut, persist: Callable[[], None], legs: tuple[bool, ...]
) -> None:
    hear(PLACED, RESERVED)
    cut_line(*legs)
    hear(CANCELLED)
    assert _states() == ("paid", "succeeded", "requested")

    persist()

    assert _states() == ("refunded", "succeeded", "issued")
    assert _moved() == [("charge", TOTAL), ("refund", TOTAL)]


def test_a_refund_asked_for_twice_is_given_once(hear: PublishAll, published: Published) -> None:
    hear(PLACED, RESERVED)
    hear(CANCELLED)
    hear(contracts.RefundRequested(ORDER, REFUND, TOTAL))

    assert _moved() == [("charge", TOTAL), ("refund", TOTAL)]
    assert len(published(contracts.RefundIssued)) == 1
    assert _all_handled()


@pytest.mark.parametrize("heard", [*permutations([PLACED, RESERVED, CANCELLED])], ids=_names)
def test_in_whatever_order_a_cancelled_order_is_heard_of_nothing_is_kept(
    hear: PublishAll, persist: Callable[[], None], heard: tuple[IntegrationEvent, ...]
) -> None:
    for event in heard:
        hear(event)
    persist()

    invoice = Invoice.objects.get()
    assert invoice.paid == invoice.refunded
    assert sum((amount if kind == "charge" else -amount for kind, amount in _moved()), NOTHING) == NOTHING
    assert invoice.status in ("void", "refunded")


def test_collecting_by_hand_says_when_the_outcome_is_unknown(hear: PublishAll, cut_line: Cut) -> None:
    hear(PLACED)
    commands.request_payment(ORDER)
    cut_line(True)

    def collect() -> None:
        commands.collect_payment(commands.payments_to_collect([PAYMENT])[PAYMENT])()

    with pytest.raises(OutcomeUnknown):
        collect()
    assert _states() == ("open", "unknown", None)

    collect()
    collect()
    assert _states() == ("paid", "succeeded", None)
    assert _moved() == [("charge", TOTAL)]


# --- What is given back by decision ---


def _paid_order(hear: PublishAll) -> None:
    hear(PLACED, RESERVED)


def test_a_refund_in_part_is_asked_of_the_provider_under_its_own_key_and_told(
    hear: PublishAll, published: Published, persist
) -> None:
    _paid_order(hear)

    commands.refund_in_part(InvoiceNumber("I-1"), Money("5", "USD"), "scratched")
    persist()
    commands.refund_in_part(InvoiceNumber("I-1"), Money("7", "USD"), "and dented")
    persist()

    assert _moved() == [("charge", TOTAL), ("refund", Money("5", "USD")), ("refund", Money("7", "USD"))]
    assert [refund.id for refund in Refund.objects.order_by("id")] == ["F-1-1", "F-1-2"]
    assert published(contracts.RefundIssued) == [
        contracts.RefundIssued(ORDER, RefundId("F-1-1"), Money("5", "USD"), Money("5", "USD")),
        contracts.RefundIssued(ORDER, RefundId("F-1-2"), Money("7", "USD"), Money("12", "USD")),
    ]
    assert Invoice.objects.get().status == "paid"


def test_an_order_cancelled_after_a_refund_in_part_gives_back_the_rest(hear: PublishAll, persist) -> None:
    _paid_order(hear)
    commands.refund_in_part(InvoiceNumber("I-1"), Money("5", "USD"), "scratched")
    hear(CANCELLED)
    persist()

    assert _moved() == [("charge", TOTAL), ("refund", Money("5", "USD")), ("refund", Money("100", "USD"))]
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.granted, invoice.refunded) == ("refunded", Money("5", "USD"), TOTAL)


def test_a_refund_whose_answer_was_lost_is_given_once(hear: PublishAll, persist, cut_line: Cut) -> None:
    _paid_order(hear)
    commands.refund_in_part(InvoiceNumber("I-1"), Money("5", "USD"), "scratched")
    cut_line(False, True)
    persist()

    assert _moved() == [("charge", TOTAL), ("refund", Money("5", "USD"))]
    assert Refund.objects.get().status == "issued"


@pytest.mark.parametrize("earlier", [[PLACED], [PLACED, CANCELLED], [PLACED, RESERVED, CANCELLED]])
def test_what_is_not_paid_or_given_back_already_is_not_refunded_in_part(
    earlier: list[IntegrationEvent], hear: PublishAll
) -> None:
    hear(*earlier)
    refunds = Refund.objects.count()

    with pytest.raises(Refused):
        commands.refund_in_part(InvoiceNumber("I-1"), Money("5", "USD"), "scratched")

    assert Refund.objects.count() == refunds


def test_a_refund_in_part_takes_the_same_number_of_statements_however_long_the_invoice(
    placed: Callable[..., OrderNumber], drain: Drain, statements: Callable[..., AbstractContextManager[list[str]]]
) -> None:
    counts = []
    for lines in ({"MUG": 1}, {"MUG": 2, "LAMP": 1, "ATLAS": 1}):
        order = placed(lines)
        drain()
        with statements() as seen:
            commands.refund_in_part(invoice_of(order), Money("5", "USD"), "scratched")
        counts.append(len(seen))
    assert counts == [STATEMENTS, STATEMENTS]
