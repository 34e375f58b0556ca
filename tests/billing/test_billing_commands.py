"""Billing's commands, its reactions to the contracts of other contexts, and the contracts it publishes."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from pytest_django import Settings

from billing import commands
from billing.gateways import Booked, Charged, Declined, OutcomeUnknown, Refunded, provider
from billing.models import Invoice, Payment, Refund, invoice_of
from integration.contracts import IntegrationEvent
from integration.contracts import billing as contracts
from integration.contracts import inventory as from_inventory
from integration.contracts import ordering as from_ordering
from integration.domain import clock
from integration.domain.errors import NotYet, Refused
from integration.domain.identifiers import (
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    RefundId,
)
from integration.domain.money import Money
from integration.messaging.models import Delivery, Message
from integration.messaging.outcomes import LONGEST_UNKNOWN
from tests.plain_orders import order_placed

pytestmark = pytest.mark.django_db

ORDER, PAYMENT, REFUND = OrderNumber("R-1"), PaymentId("P-1-1"), RefundId("F-1-1")
STATEMENTS = 3
"""The number of SQL statements of a refund in part: it locks the invoice, reads its lines and writes."""
TOTAL, NOTHING = Money("105", "USD"), Money.zero("USD")
LINES = [("MUG", "Mug", 2, Money("12.50", "USD")), ("LAMP", "Lamp", 1, Money("80", "USD"))]
PLACED = order_placed(ORDER, LINES)
RESERVED = from_inventory.StockReserved(order=ORDER)
CANCELLED = from_ordering.OrderCancelled(order=ORDER, reason="by_buyer")

PublishAll = Callable[..., None]
Published = Callable[..., list[IntegrationEvent]]
Cut = Callable[..., None]
Later = Callable[[timedelta], None]
Drain = Callable[..., int]


@pytest.fixture
def consume(publish_all: PublishAll, drain: Drain) -> PublishAll:
    """A function that publishes contracts and lets billing handle them and its own; no other context reacts."""

    def publish_and_handle(*events: IntegrationEvent) -> None:
        publish_all(*events)
        drain("billing")

    return publish_and_handle


@pytest.fixture
def retry_until_done(drain: Drain, later: Later) -> Callable[[], None]:
    """A function that moves the clock until billing has no pending delivery left."""

    def retry() -> None:
        for _ in range(30):
            if not Delivery.objects.filter(context="billing", status="pending").exists():
                return
            later(timedelta(seconds=30))
            drain("billing")
        raise AssertionError("billing still has pending deliveries")

    return retry


def _placed_with_declined_card() -> from_ordering.OrderPlaced:
    return order_placed(ORDER, LINES, method="pm_card_chargeDeclined")


def _states() -> tuple[str, str | None, str | None]:
    """The statuses of the invoice, its payment and its refund."""
    payment, refund = Payment.objects.first(), Refund.objects.first()
    return Invoice.objects.get().status, payment and payment.status, refund and refund.status


def _moved() -> list[tuple[str, Money]]:
    """What the provider did according to its own books: first the charges, then the refunds."""
    names = {Charged: "charge", Refunded: "refund"}
    books = sorted(provider().books(datetime(2020, 1, 1, tzinfo=UTC)), key=lambda booked: booked.key)
    done = [
        (names[type(booked.outcome)], booked.amount) for booked in books if not isinstance(booked.outcome, Declined)
    ]
    return sorted(done, key=lambda entry: entry[0])


def _all_handled() -> bool:
    """Whether each of billing's deliveries is done, at its first attempt."""
    return not Delivery.objects.filter(context="billing").exclude(status="done", attempts__lte=1).exists()


def _names(events: tuple[IntegrationEvent, ...]) -> str:
    return "-".join(type(event).__name__ for event in events)


# --- Invoices ---


def test_a_placed_order_gets_one_invoice_however_often_it_is_published(consume: PublishAll) -> None:
    consume(PLACED)
    consume(PLACED)

    invoice = Invoice.objects.get()
    assert (invoice.number, invoice.order, invoice.payer, invoice.status) == ("I-1", ORDER, "B-1", "open")
    assert (invoice.total, invoice.discount, invoice.paid) == (TOTAL, NOTHING, NOTHING)
    assert [(line.sku, line.name, line.quantity, line.unit_price) for line in invoice.line_rows.order_by("pk")] == [
        ("MUG", "Mug", 2, Money("12.50", "USD")),
        ("LAMP", "Lamp", 1, Money("80", "USD")),
    ]
    assert _moved() == []
    assert _all_handled()


def test_no_payment_is_requested_before_stock_is_reserved(consume: PublishAll) -> None:
    consume(PLACED)

    assert _states() == ("open", None, None)


def test_commands_about_an_invoice_are_too_early_before_it_is_issued() -> None:
    with pytest.raises(NotYet):
        commands.request_payment(ORDER)
    with pytest.raises(NotYet):
        commands.void_invoice(ORDER, "by_buyer")


# --- Payments ---


def test_reserved_stock_leads_to_a_payment(consume: PublishAll, published: Published) -> None:
    consume(PLACED, RESERVED)

    assert _states() == ("paid", "succeeded", None)
    assert Invoice.objects.get().paid == TOTAL
    payment = Payment.objects.get()
    assert provider().find_charge(payment.idempotency_key) == Booked(
        payment.idempotency_key, Charged(payment.reference), TOTAL
    )
    assert published(contracts.PaymentRequested, contracts.PaymentSucceeded) == [
        contracts.PaymentRequested(order=ORDER, payment=PAYMENT, amount=TOTAL),
        contracts.PaymentSucceeded(order=ORDER, payment=PAYMENT, amount=TOTAL),
    ]
    assert _moved() == [("charge", TOTAL)]


def test_a_payment_is_collected_whichever_event_comes_first(
    consume: PublishAll, retry_until_done: Callable[[], None]
) -> None:
    consume(RESERVED)
    consume(PLACED)
    retry_until_done()

    assert _states() == ("paid", "succeeded", None)
    assert _moved() == [("charge", TOTAL)]


def test_a_reservation_published_twice_is_charged_once(consume: PublishAll, published: Published) -> None:
    consume(PLACED, RESERVED)
    consume(RESERVED)
    consume(contracts.PaymentRequested(order=ORDER, payment=PAYMENT, amount=TOTAL))

    assert _moved() == [("charge", TOTAL)]
    assert len(published(contracts.PaymentSucceeded)) == 1
    assert _all_handled()


def test_a_declined_card_is_an_outcome_and_not_a_failed_delivery(consume: PublishAll, published: Published) -> None:
    consume(_placed_with_declined_card(), RESERVED)

    assert _states() == ("open", "failed", None)
    assert Payment.objects.get().failure == "generic_decline"
    assert published(contracts.PaymentFailed) == [
        contracts.PaymentFailed(order=ORDER, payment=PAYMENT, reason="generic_decline")
    ]
    assert published(contracts.PaymentSucceeded) == []
    assert _all_handled()


def test_a_declined_card_is_charged_once(consume: PublishAll, published: Published) -> None:
    consume(_placed_with_declined_card(), RESERVED)
    consume(RESERVED)

    assert len(published(contracts.PaymentRequested)) == len(published(contracts.PaymentFailed)) == 1
    assert _all_handled()


def test_no_contract_contains_a_card_or_a_reference_of_the_provider(consume: PublishAll) -> None:
    consume(PLACED, RESERVED)

    stored = str(list(Message.objects.filter(name__startswith="billing.").values_list("data", flat=True)))
    assert "P-1-1" in stored
    assert "pm_card" not in stored
    assert "ch_" not in stored


# --- Lost requests and responses ---


def test_a_charge_whose_request_was_lost_is_tried_again(
    consume: PublishAll, cut_line: Cut, retry_until_done: Callable[[], None]
) -> None:
    consume(PLACED)
    cut_line(True)
    consume(RESERVED)
    assert _states() == ("open", "unknown", None)
    assert _moved() == []

    retry_until_done()

    assert _states() == ("paid", "succeeded", None)
    assert _moved() == [("charge", TOTAL)]


def test_a_charge_whose_response_was_lost_is_not_made_twice(
    consume: PublishAll, cut_line: Cut, retry_until_done: Callable[[], None], published: Published
) -> None:
    consume(PLACED)
    cut_line(False, True)
    consume(RESERVED)
    assert _states() == ("open", "unknown", None)
    assert _moved() == [("charge", TOTAL)]
    assert published(contracts.PaymentSucceeded) == []

    retry_until_done()

    assert _states() == ("paid", "succeeded", None)
    assert _moved() == [("charge", TOTAL)]
    assert len(published(contracts.PaymentSucceeded)) == 1


def test_a_decline_whose_response_was_lost_is_found_by_asking_the_provider(
    consume: PublishAll, cut_line: Cut, retry_until_done: Callable[[], None]
) -> None:
    consume(_placed_with_declined_card())
    cut_line(False, True)
    consume(RESERVED)
    retry_until_done()

    assert _states() == ("open", "failed", None)


@pytest.mark.parametrize("legs", [(True,), (False, True)], ids=["request lost", "response lost"])
def test_an_unknown_outcome_fails_the_delivery_and_is_recorded_in_its_row(
    consume: PublishAll, cut_line: Cut, legs: tuple[bool, ...]
) -> None:
    consume(PLACED)
    cut_line(*legs)
    consume(RESERVED)

    failed = Delivery.objects.get(consumer="billing.collect-payment")
    assert (failed.status, failed.attempts) == ("pending", 0), "the provider may have done it"
    assert failed.error.startswith("OutcomeUnknown")


def test_an_unreachable_provider_is_asked_until_it_responds(
    consume: PublishAll, settings: Settings, drain: Drain, later: Later
) -> None:
    settings.SANDBOX_FAILURE_RATE = 2.0
    consume(PLACED, RESERVED)
    for _ in range(2 * settings.EXTERNAL_MAX_ATTEMPTS):
        later(timedelta(hours=6))
        drain("billing")

    waiting = Delivery.objects.get(consumer="billing.collect-payment")
    assert (waiting.status, waiting.attempts) == ("pending", 0)
    assert waiting.due_at
    assert waiting.due_at <= clock.now() + LONGEST_UNKNOWN + timedelta(seconds=1)
    settings.SANDBOX_FAILURE_RATE = 0.0
    assert _states() == ("open", "unknown", None)
    assert _moved() == []
    later(LONGEST_UNKNOWN)
    drain("billing")
    assert _states() == ("paid", "succeeded", None)


# --- Cancelled orders ---


def test_an_order_cancelled_before_it_was_paid_owes_nothing(consume: PublishAll, published: Published) -> None:
    consume(PLACED)
    consume(CANCELLED)
    consume(RESERVED)

    assert _states() == ("void", None, None)
    assert published(contracts.PaymentRequested) == []
    assert _moved() == []


def test_an_order_cancelled_after_it_was_paid_gets_its_money_back_once(
    consume: PublishAll, published: Published
) -> None:
    consume(PLACED, RESERVED)
    consume(CANCELLED)
    consume(CANCELLED)

    assert _states() == ("refunded", "succeeded", "issued")
    assert Invoice.objects.get().refunded == TOTAL
    assert published(contracts.RefundRequested, contracts.RefundIssued) == [
        contracts.RefundRequested(order=ORDER, refund=REFUND, amount=TOTAL),
        contracts.RefundIssued(order=ORDER, refund=REFUND, amount=TOTAL, refunded=TOTAL, sequence=5),
    ]
    assert _moved() == [("charge", TOTAL), ("refund", TOTAL)]
    assert _all_handled()


def test_an_order_cancelled_while_its_payment_is_requested_is_not_charged(
    consume: PublishAll, cut_line: Cut, retry_until_done: Callable[[], None]
) -> None:
    consume(PLACED)
    cut_line(True)
    consume(RESERVED)
    consume(CANCELLED)
    retry_until_done()

    assert _states() == ("void", "abandoned", None)
    assert _moved() == []


def test_a_charge_made_before_the_cancellation_arrived_is_refunded(
    consume: PublishAll, cut_line: Cut, retry_until_done: Callable[[], None], published: Published
) -> None:
    consume(PLACED)
    cut_line(False, True)
    consume(RESERVED)
    consume(CANCELLED)
    retry_until_done()

    assert _states() == ("void", "succeeded", "issued")
    invoice = Invoice.objects.get()
    assert (invoice.paid, invoice.refunded) == (TOTAL, TOTAL)
    assert _moved() == [("charge", TOTAL), ("refund", TOTAL)]
    assert len(published(contracts.PaymentSucceeded)) == len(published(contracts.RefundIssued)) == 1


@pytest.mark.parametrize("legs", [(True,), (False, True)], ids=["request lost", "response lost"])
def test_a_refund_whose_request_or_response_was_lost_is_issued_once(
    consume: PublishAll, cut_line: Cut, retry_until_done: Callable[[], None], legs: tuple[bool, ...]
) -> None:
    consume(PLACED, RESERVED)
    cut_line(*legs)
    consume(CANCELLED)
    assert _states() == ("paid", "succeeded", "requested")

    retry_until_done()

    assert _states() == ("refunded", "succeeded", "issued")
    assert _moved() == [("charge", TOTAL), ("refund", TOTAL)]


def test_a_refund_requested_twice_is_issued_once(consume: PublishAll, published: Published) -> None:
    consume(PLACED, RESERVED)
    consume(CANCELLED)
    consume(contracts.RefundRequested(order=ORDER, refund=REFUND, amount=TOTAL))

    assert _moved() == [("charge", TOTAL), ("refund", TOTAL)]
    assert len(published(contracts.RefundIssued)) == 1
    assert _all_handled()


@pytest.mark.parametrize("events", [*permutations([PLACED, RESERVED, CANCELLED])], ids=_names)
def test_a_cancelled_order_owes_nothing_whatever_the_order_of_events(
    consume: PublishAll, retry_until_done: Callable[[], None], events: tuple[IntegrationEvent, ...]
) -> None:
    for event in events:
        consume(event)
    retry_until_done()

    invoice = Invoice.objects.get()
    assert invoice.paid == invoice.refunded
    assert sum((amount if kind == "charge" else -amount for kind, amount in _moved()), NOTHING) == NOTHING
    assert invoice.status in ("void", "refunded")


def test_collect_payment_raises_when_the_outcome_is_unknown(consume: PublishAll, cut_line: Cut) -> None:
    consume(PLACED)
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


# --- Refunds in part ---


def _paid_order(consume: PublishAll) -> None:
    consume(PLACED, RESERVED)


def test_each_refund_in_part_has_its_own_key_and_is_published(
    consume: PublishAll, published: Published, retry_until_done
) -> None:
    _paid_order(consume)

    commands.refund_in_part(InvoiceNumber("I-1"), Money("5", "USD"), "scratched")
    retry_until_done()
    commands.refund_in_part(InvoiceNumber("I-1"), Money("7", "USD"), "and dented")
    retry_until_done()

    assert _moved() == [("charge", TOTAL), ("refund", Money("5", "USD")), ("refund", Money("7", "USD"))]
    assert [refund.id for refund in Refund.objects.order_by("id")] == ["F-1-1", "F-1-2"]
    assert published(contracts.RefundIssued) == [
        contracts.RefundIssued(
            order=ORDER, refund=RefundId("F-1-1"), amount=Money("5", "USD"), refunded=Money("5", "USD"), sequence=7
        ),
        contracts.RefundIssued(
            order=ORDER, refund=RefundId("F-1-2"), amount=Money("7", "USD"), refunded=Money("12", "USD"), sequence=12
        ),
    ]
    assert Invoice.objects.get().status == "paid"


def test_an_order_cancelled_after_a_refund_in_part_is_refunded_the_rest(consume: PublishAll, retry_until_done) -> None:
    _paid_order(consume)
    commands.refund_in_part(InvoiceNumber("I-1"), Money("5", "USD"), "scratched")
    consume(CANCELLED)
    retry_until_done()

    assert _moved() == [("charge", TOTAL), ("refund", Money("5", "USD")), ("refund", Money("100", "USD"))]
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.granted, invoice.refunded) == ("refunded", Money("5", "USD"), TOTAL)


def test_a_refund_in_part_whose_response_was_lost_is_issued_once(
    consume: PublishAll, retry_until_done, cut_line: Cut
) -> None:
    _paid_order(consume)
    commands.refund_in_part(InvoiceNumber("I-1"), Money("5", "USD"), "scratched")
    cut_line(False, True)
    retry_until_done()

    assert _moved() == [("charge", TOTAL), ("refund", Money("5", "USD"))]
    assert Refund.objects.get().status == "issued"


@pytest.mark.parametrize("earlier", [[PLACED], [PLACED, CANCELLED], [PLACED, RESERVED, CANCELLED]])
def test_an_invoice_that_is_unpaid_or_refunded_is_not_refunded_in_part(
    earlier: list[IntegrationEvent], consume: PublishAll
) -> None:
    consume(*earlier)
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
