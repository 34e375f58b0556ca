"""Cards that are authorized at order, and charged as goods leave."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from pytest_django import Settings

from billing.commands import lapse_authorizations, note_call_back, number_documents, refund_in_part
from billing.commands.sandbox import play_sandbox_provider
from billing.gateways.sandbox.adapter import SandboxProvider, adapter
from billing.gateways.sandbox.models import Transaction
from billing.models import (
    CAPTURE_LIFE,
    Capture,
    Discrepancy,
    Invoice,
    MoreThanIsLeft,
    Payment,
    Refund,
    invoice_of,
)
from billing.models.capture import events
from config.verification import verify
from fulfillment.commands import dispatch_shipment, shipment_of
from fulfillment.models import OnHold
from integration.aggregates.aggregate import Aggregate
from integration.domain.identifiers import (
    CaptureId,
    HoldId,
    InvoiceNumber,
    OrderNumber,
    PaymentId,
    ShipmentId,
    Sku,
)
from integration.domain.money import Money
from integration.read_models.catch_up import catch_up_all
from ordering.commands import cancel_lines, cancel_order, lift_hold
from ordering.models import Buyer, CancellationReason, Order

MUG, LAMP = Sku("MUG"), Sku("LAMP")
BY_BUYER = CancellationReason.BY_BUYER

Place, Drain = Callable[..., OrderNumber], Callable[..., int]


def usd(amount: str) -> Money:
    return Money(amount, "USD")


@pytest.fixture(autouse=True)
def at_dispatch(settings: Settings) -> None:
    settings.CAPTURE = "at_dispatch"


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SandboxProvider, "captures", "once")


@pytest.fixture
def authorized(placed: Place, drain: Drain) -> OrderNumber:
    """An order of two mugs (12.50) and a lamp (80.00) whose 105.00 are authorized."""
    order = placed()
    drain()
    assert _money(order) == ("confirmed", "authorized", usd("105"), usd("0"), usd("0"))
    return order


def _money(order: OrderNumber) -> tuple[str, str, Money, Money, Money]:
    """The status, the payment's status, and what is authorized, paid and refunded of an order."""
    found = Order.objects.get(pk=order)
    return found.status, found.payment_status, found.authorized, found.paid, found.refunded


def _billed(order: OrderNumber) -> tuple[str, str]:
    return Invoice.objects.get(order=order).status, Payment.objects.get(order=order).status


def _dispatch(order: OrderNumber, *lines: tuple[Sku, int], parcel: int = 1) -> None:
    shipment = ShipmentId(f"{shipment_of(order)[:-1]}{parcel}")
    dispatch_shipment(shipment, "DHL", "1", list(lines) or None)


def _check() -> None:
    number_documents()
    catch_up_all()
    found = verify(provider=timedelta(days=30))
    assert [complaint for finding in found.values() for complaint in finding.complaints] == []


# --- The state table ---


def _capture(*messages: str) -> Capture:
    owed = events.InvoiceCaptureOwed(
        invoice=InvoiceNumber("I-1"),
        order=OrderNumber("R-1"),
        payment=PaymentId("P-1-1"),
        capture=CaptureId("K-1-1"),
        shipment=ShipmentId("S-1-1"),
        amount=usd("10"),
    )
    capture = Capture.request(owed)
    for message in messages:
        SEND[message](capture)
    return capture


SEND: dict[str, Callable[[Capture], None]] = {
    "settle": lambda capture: capture.settle("ca_1"),
    "fail": lambda capture: capture.fail("authorization_expired"),
}
REACHED_BY = {"requested": (), "captured": ("settle",), "failed": ("fail",)}


def test_a_capture_does_what_its_table_says(
    judge_by_table: Callable[[Aggregate, str, Callable[[], object]], None],
) -> None:
    assert (set(REACHED_BY), set(SEND)) == (set(CAPTURE_LIFE.states), set(CAPTURE_LIFE.messages))
    for state, messages in REACHED_BY.items():
        assert _capture(*messages).status == state
        for message, send in SEND.items():
            capture = _capture(*messages)
            judge_by_table(capture, message, partial(send, capture))


# --- Whole orders ---


@pytest.mark.django_db
def test_each_parcel_is_captured_as_it_leaves(authorized: OrderNumber, drain: Drain) -> None:
    _check()
    _dispatch(authorized, (MUG, 1))
    drain()
    assert _money(authorized) == ("partly_shipped", "authorized", usd("92.50"), usd("12.50"), usd("0"))
    assert _billed(authorized) == ("authorized", "authorized")
    _check()

    _dispatch(authorized, parcel=2)
    drain()
    assert _money(authorized) == ("shipped", "paid", usd("0"), usd("105"), usd("0"))
    assert _billed(authorized) == ("paid", "succeeded")
    assert [*Capture.objects.order_by("id").values_list("amount_minor", "status")] == [
        (1250, "captured"),
        (9250, "captured"),
    ]
    assert Buyer.objects.get().spend == usd("105")
    _check()


@pytest.mark.django_db
def test_what_is_cancelled_before_it_leaves_is_never_charged(authorized: OrderNumber, drain: Drain) -> None:
    cancel_lines(authorized, [(LAMP, 1)], BY_BUYER)
    drain()
    assert _money(authorized) == ("confirmed", "authorized", usd("25"), usd("0"), usd("0"))
    assert Buyer.objects.get().spend == usd("25")
    _check()

    _dispatch(authorized)
    drain()
    assert _money(authorized) == ("shipped", "paid", usd("0"), usd("25"), usd("0"))
    assert _billed(authorized) == ("paid", "succeeded")
    assert not Refund.objects.exists()
    _check()


@pytest.mark.django_db
def test_a_cancelled_order_is_voided_and_nothing_is_charged(authorized: OrderNumber, drain: Drain) -> None:
    cancel_order(authorized, BY_BUYER)
    drain()
    assert _money(authorized) == ("cancelled", "cancelled", usd("0"), usd("0"), usd("0"))
    assert _billed(authorized) == ("void", "voided")
    assert not Refund.objects.exists()
    assert not Capture.objects.exists()
    assert Buyer.objects.get().spend == usd("0")
    _check()


@pytest.mark.django_db
def test_the_only_capture_takes_all_and_later_cancellations_are_refunds(
    once: None, authorized: OrderNumber, drain: Drain
) -> None:
    cancel_lines(authorized, [(MUG, 1)], BY_BUYER)
    drain()
    _dispatch(authorized, (LAMP, 1))
    drain()
    assert _money(authorized) == ("partly_shipped", "paid", usd("0"), usd("92.50"), usd("0"))
    _check()

    cancel_lines(authorized, [(MUG, 1)], BY_BUYER)
    drain()
    assert _money(authorized) == ("shipped", "partly_refunded", usd("0"), usd("92.50"), usd("12.50"))
    assert _billed(authorized) == ("paid", "succeeded")
    _check()


@pytest.mark.django_db
def test_the_rest_of_a_partly_captured_order_is_voided(authorized: OrderNumber, drain: Drain) -> None:
    _dispatch(authorized, (MUG, 2))
    drain()
    cancel_lines(authorized, [(LAMP, 1)], BY_BUYER)
    drain()
    assert _money(authorized) == ("shipped", "paid", usd("0"), usd("25"), usd("0"))
    assert _billed(authorized) == ("paid", "succeeded")
    _check()


@pytest.mark.django_db
def test_only_what_was_captured_is_refunded(authorized: OrderNumber, drain: Drain) -> None:
    with pytest.raises(MoreThanIsLeft):
        refund_in_part(invoice_of(authorized), usd("1"), "scratched")
    _dispatch(authorized, (MUG, 1))
    drain()
    with pytest.raises(MoreThanIsLeft):
        refund_in_part(invoice_of(authorized), usd("12.51"), "scratched")
    refund_in_part(invoice_of(authorized), usd("12.50"), "scratched")
    drain()
    assert _money(authorized) == ("partly_shipped", "refunded", usd("92.50"), usd("12.50"), usd("12.50"))
    _check()


@pytest.mark.django_db
def test_a_capture_that_fails_after_goods_left_is_a_receivable_and_a_task(
    authorized: OrderNumber, drain: Drain
) -> None:
    adapter.play(Payment.objects.get().key, "expire")
    _dispatch(authorized, (LAMP, 1))
    drain()
    assert Order.objects.get().status == "partly_shipped", "the dispatch stands"
    assert Capture.objects.get().failure == "charge_is_expired"
    task = Discrepancy.objects.get()
    assert f"{shipment_of(authorized)} has left, and its 80.00 USD were not captured" in task.finding
    assert _check_is("")
    assert Transaction.objects.filter(kind="capture").count() == 0


def _check_is(expected: str) -> bool:
    number_documents()
    catch_up_all()
    found = verify()
    assert "\n".join(complaint for finding in found.values() for complaint in finding.complaints) == expected
    return True


@pytest.mark.django_db
def test_an_authorization_that_ends_holds_what_has_not_left(
    authorized: OrderNumber, drain: Drain, later: Callable[[timedelta], None]
) -> None:
    later(timedelta(days=5, hours=23))
    assert lapse_authorizations() == 0
    later(timedelta(hours=1, minutes=1))
    assert lapse_authorizations() == 1
    assert lapse_authorizations() == 0
    drain()
    order = Order.objects.get()
    assert [(hold["reason"], hold["status"]) for hold in order.holds] == [("awaiting_payment", "active")]
    assert (order.payment_status, order.authorized) == ("pending", usd("0"))
    with pytest.raises(OnHold):
        _dispatch(authorized)
    assert _check_is("")

    cancel_order(authorized, BY_BUYER)
    drain()
    assert _billed(authorized) == ("void", "voided")
    _check()


@pytest.mark.django_db
def test_a_late_authorization_of_a_cancelled_order_is_released(placed: Place, drain: Drain) -> None:
    order = placed()
    drain("inventory")
    drain("ordering")
    drain("billing")
    assert Payment.objects.get().status == "authorized"
    cancel_order(order, BY_BUYER)
    drain()
    assert _money(order) == ("cancelled", "cancelled", usd("0"), usd("0"), usd("0"))
    assert _billed(order) == ("void", "voided")
    _check()


@pytest.mark.django_db
def test_a_transfer_is_paid_at_order_all_the_same(
    placed: Place, drain: Drain, later: Callable[[timedelta], None]
) -> None:
    order = placed(method="pm_bank_transfer")
    drain()
    later(timedelta(days=2, minutes=1))
    play_sandbox_provider(10)
    drain()
    assert _money(order) == ("confirmed", "paid", usd("0"), usd("105"), usd("0"))
    _dispatch(order)
    drain()
    assert not Capture.objects.exists()
    _check()


@pytest.mark.django_db
def test_rows_are_what_their_histories_say(
    authorized: OrderNumber, drain: Drain, compare_rows_with_history: Callable[[], set[str]]
) -> None:
    _dispatch(authorized, (MUG, 1))
    cancel_lines(authorized, [(LAMP, 1)], BY_BUYER)
    drain()
    assert "capture" in compare_rows_with_history()


@pytest.mark.django_db
def test_a_card_whose_bank_asks_the_buyer_is_authorized_once_they_agree(placed: Place, drain: Drain) -> None:
    order = placed(method="pm_card_authenticationRequired")
    drain()
    assert Order.objects.get().payment_status == "action_required"
    key = Payment.objects.get().key
    for what in ("complete_action", "expire"):
        adapter.play(key, what)  # type: ignore[arg-type]
        note_call_back("sandbox", adapter.read_call_back(*adapter.call_back(key)))
        drain()
        held = Order.objects.get()
        assert held.status == "confirmed"
        assert held.payment_status == ("authorized" if what == "complete_action" else "pending")
    assert _billed(order) == ("authorized", "expired")
    assert [hold["reason"] for hold in Order.objects.get().open_holds] == ["awaiting_payment"]
    _check()


@pytest.mark.django_db
def test_a_later_capture_takes_what_an_earlier_one_could_not(
    authorized: OrderNumber, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(SandboxProvider, "_refusal", lambda self, charged: "processing_error")
        _dispatch(authorized, (MUG, 2))
        drain()
    assert Discrepancy.objects.get().settled_at is None
    (hold,) = Order.objects.get().open_holds
    lift_hold(authorized, HoldId(hold["id"]))
    drain()
    _dispatch(authorized, parcel=2)
    drain()
    assert _money(authorized) == ("shipped", "paid", usd("0"), usd("105"), usd("0"))
    assert Discrepancy.objects.get().settlement == f"K{authorized[1:]}-2 captured it."
    assert _billed(authorized) == ("paid", "succeeded")
    _check()
