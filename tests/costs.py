"""The costs of each command, each reaction and a whole order, counted while real transactions commit.

A walk runs every command and reaction with some orders, buyers and goods, and counts. Its results are recorded in
`docs/costs.json`, from which `manage.py document` writes `docs/costs.md`. `--record-costs` updates `docs/costs.json`.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count
from django.test import override_settings
from msgspec.structs import replace

from billing.commands import (
    add_payment_method,
    approve_refund,
    ask_for_refund,
    lapse_authorizations,
    note_call_back,
    note_dispute,
    number_documents,
    refuse_refund,
    remove_payment_method,
    retry_refund,
    settle_discrepancy,
    settle_refund,
)
from billing.gateways import Booked, CallBack, Charged, Disputed, KnownMethod, RefundFailed
from billing.models import Discrepancy, Invoice, Payment, Refund, invoice_of
from fulfillment.commands import (
    approve_return,
    close_task,
    deliver_shipment,
    dispatch_shipment,
    fail_shipment,
    lose_shipment,
    note_scan,
    receive_return,
    refuse_return,
    request_label,
    request_return,
    resolve_shipment,
    return_to_sender,
)
from fulfillment.events import ReceivedLine
from fulfillment.gateways.carriers import CarrierScan
from fulfillment.models import Return, Shipment
from fulfillment.models.return_policy import TIME_TO_SEND, ReturnReason
from fulfillment.policies.returns import lapse_returns
from integration.domain import clock
from integration.domain.address import Address
from integration.domain.identifiers import (
    BuyerId,
    CartId,
    HoldId,
    InvoiceNumber,
    OrderNumber,
    PaymentMethodId,
    RefundId,
    ReturnId,
    ShipmentId,
    Sku,
    guest_of_cart,
)
from integration.domain.metadata import new_story
from integration.domain.money import Money
from integration.messaging.claim import due_delivery_queues
from integration.messaging.deliver import deliver_due, deliver_onward
from integration.messaging.models import Delivery, Message, Status
from integration.messaging.wakeups import DeliveryQueue
from inventory.commands import (
    adjust_stock,
    clear_stock,
    count_stock,
    quarantine_stock,
    receive_delivery,
    receive_stock,
    stock_up,
    write_off_stock,
)
from inventory.models import StockItem
from ordering.commands import (
    add_note,
    cancel_lines,
    cancel_order,
    change_product,
    change_profile,
    change_voucher,
    check_out,
    claim_cart,
    claim_order,
    close_bounce,
    correct_address,
    create_voucher,
    drop_voucher,
    erase_buyer,
    expire_cart,
    hold_order,
    lift_hold,
    list_product,
    list_products,
    name_voucher,
    note_bounce,
    open_cart,
    place_order,
    register_customer,
    remove_item,
    request_order_link,
    set_address,
    set_item,
    set_shipping_option,
    try_another_payment,
    withdraw,
)
from ordering.commands.withdrawals import REFUND_WITHIN
from ordering.models import BounceOutcome, CancellationReason, HoldReason, Order
from ordering.policies.guests import expire_carts
from ordering.policies.overdue_refunds import note_overdue_refunds
from ordering.policies.saga import cancel_overdue_orders

ADDRESS = Address("Ada Lovelace", "12 St James's Square", "London", "SW1Y 4JH", "GB")
GOOD, DECLINED = PaymentMethodId("pm_card_visa"), PaymentMethodId("pm_card_chargeDeclined")
AUTHENTICATION, TRANSFER = PaymentMethodId("pm_card_authenticationRequired"), PaymentMethodId("pm_bank_transfer")
PLENTY = 1_000
ALL_ROUNDS = 9
"""An upper bound for the length of a chain of reactions."""
CHANGES = re.compile(r"\s*(INSERT|UPDATE|DELETE|WITH\b.*\b(INSERT|UPDATE|DELETE)\b)", re.DOTALL)
NO_STATEMENT = ("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK")


class Cost(NamedTuple):
    """The cost of an operation: SQL statements, transactions that changed rows, messages published, wake-ups sent."""

    statements: int
    commits: int
    messages: int
    wake_ups: int


class Meter:
    """Counts the cost of operations.

    Args:
        woken: the list to which each sent wake-up is added.
    """

    def __init__(self, woken: list[DeliveryQueue]) -> None:
        self.woken = woken

    def cost_of(self, do: Callable[[], Any]) -> Cost:
        """Run a function while no transaction is open; returns its cost."""
        messages, wake_ups = Message.objects.count(), len(self.woken)
        with self._watching() as seen:
            do()
        messages_sent, woken = Message.objects.count() - messages, len(self.woken) - wake_ups
        return Cost(seen.statements, seen.commits, messages_sent, woken)

    @contextmanager
    def _watching(self) -> Iterator["Seen"]:
        seen = Seen()
        with pytest.MonkeyPatch.context() as patch, connection.execute_wrapper(seen.see):
            for name, commits in (("_commit", True), ("_rollback", False)):
                patch.setattr(BaseDatabaseWrapper, name, _then(getattr(BaseDatabaseWrapper, name), seen.end, commits))
            yield seen
            seen.end()


class Seen:
    """Counts statements and commits, without BEGIN and the like, and without commits that change no row."""

    def __init__(self) -> None:
        self.statements = self.commits = 0
        self._is_alone = self._is_written = False
        self._rows = 0
        self._before = self._changed()

    def see(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Run a statement and count it; the signature is that of Django's `execute_wrapper`."""
        if self._is_alone:
            self.end()
        self._is_alone = not connection.in_atomic_block
        # A unit of work writes with one statement on PostgreSQL, and with one for each table on SQLite.
        self.statements += not (sql.startswith(NO_STATEMENT) or (many and self._is_written))
        self._is_written = many
        done = execute(sql, params, many, context)
        if CHANGES.match(sql):
            self._rows += max(context["cursor"].rowcount, 0)
        return done

    def end(self, commits: bool = True) -> None:
        """End a transaction; it counts as a commit if it changed rows and was not rolled back."""
        changed = self._changed()
        self.commits += commits and changed > self._before
        self._before, self._is_alone, self._is_written = changed, False, False

    def _changed(self) -> int:
        # On SQLite `rowcount` of a RETURNING is right only after all rows were fetched, so count by `total_changes`.
        return connection.connection.total_changes if connection.vendor == "sqlite" else self._rows


def _then(do: Callable[[Any], None], end: Callable[[bool], None], commits: bool) -> Callable[[Any], None]:
    def both(connection: Any) -> None:
        do(connection)
        end(commits)

    return both


class Walk:
    """Runs every command and every reaction, and records the cost of each.

    Args:
        meter: counts the costs.
        orders: how many orders each step has; every order has its own goods and buyer.
        tag: a prefix for all SKUs and buyers, so that two walks share no row.
        lines: the number of lines of each order.
    """

    def __init__(self, meter: Meter, orders: int, tag: str, lines: int = 3) -> None:
        self.meter, self.orders, self.tag, self.lines = meter, orders, tag, lines
        self.first: list[OrderNumber] = []
        self.through: list[OrderNumber] = []
        self.commands: dict[str, Cost] = {}
        self.reactions: dict[str, Cost] = {}

    def run_everything(self) -> None:
        """Measure every command and every reaction, in the order in which a shop would need them."""
        self.list_and_stock_goods()
        self.place_first_orders()
        self.whole_order()
        self.ship()
        self.return_goods()
        self.go_wrong()
        self.cancel_orders()
        self.cancel_lines_and_hold()
        self.dispute()
        self.authorize()
        self.use_vouchers()
        self.check_out_carts()
        self.try_again()
        self.fail_orders()
        self.wait_for_payments()
        self.settle_callbacks_and_discrepancies()
        self.order_for_nothing()
        self.erase()

    # --- The phases ---

    def list_and_stock_goods(self) -> None:
        measured = [self._skus_of(i)[0] for i in range(self.orders)]
        others = [sku for i in range(self.orders) for sku in self._skus_of(i)[1:]]
        for sku in measured:
            self._command(list_product, sku, sku, "", Money("10", "USD"))
            self._command(change_product, sku, {"name": f"{sku}, better"})
        self._react()
        for delta in (0, -(PLENTY - 3), -3, 0):  # from plenty to few, to none, and back
            for sku in measured:
                if delta:
                    self._command(adjust_stock, sku, delta, "counted")
                else:
                    self._command(receive_stock, sku, PLENTY)
            self._react()
        for sku in measured:
            self._command(quarantine_stock, sku, 2, "box damaged")
            self._command(clear_stock, sku, 1, "good")
            self._command(write_off_stock, sku, 1, "broken")
            self._command(receive_delivery, f"note {sku}", {sku: 2})
            on_hand = StockItem.objects.get(pk=sku).on_hand
            self._command(count_stock, sku, on_hand - 1, "the year's count", on_hand)
        list_products([(sku, sku, "", Money("10", "USD")) for sku in others])
        stock_up([(sku, PLENTY) for sku in others])
        self._react()

    def place_first_orders(self) -> None:
        self._command(register_customer, f"ada-{self.tag}", "a password of hers", "Ada", "ada@example.com")
        for i in range(self.orders):
            self.first.append(self._place(i, called="ordering.place_order, the buyer's first"))
            self._command(change_profile, self._buyer(i), {"name": "Ada", "email": f"ada{i}@example.com"})
        self._react()

    def ship(self) -> None:
        """Dispatch and deliver orders, then refund a part of each."""
        numbers = self._placed()
        self._react()
        for shipment in self._shipments(numbers):
            self._command(dispatch_shipment, shipment, "DHL", "JD0143")
        self._react()
        self._expect(numbers, "shipped")
        for shipment in self._shipments(numbers):
            self._command(deliver_shipment, shipment)
        self._react()
        self._expect(numbers, "delivered")
        for number in numbers:
            self._command(note_bounce, f"letter-{number}", number, "delivered", "invalid")
            self._command(close_bounce, f"letter-{number}", BounceOutcome.NOTHING_NEEDED)
        self._ship_in_parts()
        for invoice in Invoice.objects.filter(order__in=numbers).order_by("number"):
            self._command(ask_for_refund, InvoiceNumber(invoice.number), Money("1", "USD"), "a scratch")
            sku = self._skus_of(numbers.index(OrderNumber(invoice.order)))[0]
            called = "billing.ask_for_refund, of lines"
            self._command(ask_for_refund, InvoiceNumber(invoice.number), {sku: 1}, "broken", called=called)
        with override_settings(REFUND_APPROVAL_LIMIT=Decimal(0)):
            for order in numbers:
                asked, called = Money("2", "USD"), "billing.ask_for_refund, above the limit"
                ids = [
                    self._command(ask_for_refund, invoice_of(order), asked, "a scratch", called=called).id
                    for _ in range(2)
                ]
                with new_story("user:0"):
                    self._command(refuse_refund, ids[0], "not a scratch")
                    self._command(approve_refund, ids[1])
        self._react()
        self.reactions["billing.number-documents"] = self.meter.cost_of(number_documents)
        failing = Refund.objects.filter(order__in=numbers, amount_minor=100).order_by("pk")
        for refund in failing:
            failed = RefundFailed(refund.reference, "lost_or_stolen_card")
            settle_refund(RefundId(refund.id), Booked(refund.idempotency_key, failed, refund.amount))
        self._react()
        for refund in failing:
            self._command(retry_refund, RefundId(refund.id))
        self._react()

    def dispute(self) -> None:
        """Buyers dispute payments of orders that have not left; the disputes are lost."""
        numbers = self._placed()
        self._react()
        for status in "needs_response", "lost":
            for payment in Payment.objects.filter(order__in=numbers).order_by("pk"):
                about = (f"dp_{payment.id}", payment.reference, payment.amount)
                note_dispute(Disputed(*about, "chargeback", status))  # type: ignore[arg-type]
            self._react()
        self._expect(numbers, "cancelled")

    def authorize(self) -> None:
        """Orders whose cards are authorized: some are captured as they leave, the others lapse and are cancelled."""
        plain = dict(self.reactions)  # what an order costs that is charged at once
        with override_settings(CAPTURE="at_dispatch"):
            sent = self._placed()
            self._react()
            staying = self._placed()
            self._react()
        for shipment in self._shipments(sent):
            dispatch_shipment(shipment, "DHL", "JD0143")
        self._react()
        self._expect(sent, "shipped")
        for shipment in self._shipments(sent):
            deliver_shipment(shipment)
        self._react()
        with clock.moved(timedelta(days=6, hours=1)):
            self.reactions["billing.lapse-authorizations"] = self.meter.cost_of(lapse_authorizations)
            self._react()
        for number in staying:
            cancel_order(number, CancellationReason.BY_BUYER)
        self._react()
        self._expect(staying, "cancelled")
        self.reactions |= plain

    def check_out_carts(self) -> None:
        """Fill carts of guests: a buyer claims some, one expires, and one becomes an order, which a buyer claims."""
        ordered = []
        for i in range(self.orders):
            buyer, sku = BuyerId(f"{self.tag}-carts-{i}"), self._skus_of(i)[0]
            first, merged, cart, own = (self._cart(each, sku) for each in (None, None, None, buyer))
            self._command(set_address, first, None, ADDRESS)
            self._command(set_shipping_option, first, None, None)
            self._command(name_voucher, first, None, "NONE")
            self._command(drop_voucher, first, None, "NONE")
            self._command(remove_item, first, None, sku)
            self._command(expire_cart, own)
            self._command(claim_cart, first, buyer, called="ordering.claim_cart, without an open one")
            self._command(claim_cart, merged, buyer, called="ordering.claim_cart, merged into the open one")
            order = self._command(check_out, cart, None, GOOD, email=f"{i}@example.com", shipping_address=ADDRESS)
            ordered.append((OrderNumber(order.number), guest_of_cart(cart), buyer))
        with clock.moved(timedelta(days=365)):
            expire_carts()
        self._react()
        for number, guest, buyer in ordered:
            self._command(request_order_link, number, "0@example.com")
            self._command(claim_order, number, guest, buyer)
        self._react()

    def _cart(self, buyer: BuyerId | None, sku: Sku) -> CartId:
        cart = CartId(self._command(open_cart, buyer)[0].id)
        self._command(set_item, cart, buyer, sku, 1)
        return cart

    def return_goods(self) -> None:
        """Return a part of delivered orders: some returns are refused, some received, and some never sent."""
        numbers = self._placed()
        self._react()
        for shipment in self._shipments(numbers):
            dispatch_shipment(shipment, "DHL", "JD0143")
        self._react()
        for shipment in self._shipments(numbers):
            deliver_shipment(shipment)
        self._react()
        asked = list[ReturnId]()
        for line in range(3):
            for i, number in enumerate(numbers):
                units = [(self._skus_of(i)[line], 1, ReturnReason.DAMAGED)]
                called = "fulfillment.request_return" + (", the order's first" if line == 0 else "")
                asked.append(ReturnId(self._command(request_return, number, units, "broken", called=called).id))
            self._react()
        refused, lapsing, received = (asked[n : n + self.orders] for n in range(0, 3 * self.orders, self.orders))
        for id in refused:
            self._command(refuse_return, id, "used")
        for id in [*lapsing, *received]:
            self._command(approve_return, id)
        self._react()
        for id in received:
            (line,) = Return.objects.get(pk=id).line_rows.all()
            self._command(receive_return, id, [ReceivedLine(Sku(line.sku), 1, "restock")])
        self._react()
        with clock.moved(TIME_TO_SEND + timedelta(days=1)):
            self.reactions["fulfillment.lapse-returns"] = self.meter.cost_of(lapse_returns)
            self._react()
        assert {*Return.objects.filter(pk__in=[*lapsing, *received]).values_list("status", flat=True)} == {"closed"}
        self._withdraw()

    def _withdraw(self) -> None:
        """Withdraw from orders of which a part has left."""
        numbers = self._placed()
        self._react()
        for i, shipment in enumerate(self._shipments(numbers)):
            dispatch_shipment(shipment, "DHL", "1", [(self._lines_of(i)[0][0], 1)])
        self._react()
        for number in numbers:
            self._command(withdraw, number)
        self._react()
        with clock.moved(REFUND_WITHIN + timedelta(days=1)):
            self.reactions["ordering.note-overdue-refunds"] = self.meter.cost_of(note_overdue_refunds)
        for found in Return.objects.filter(order__in=numbers):
            lines = [ReceivedLine(Sku(line.sku), line.quantity, "restock") for line in found.line_rows.all()]
            receive_return(ReturnId(found.id), lines)
        self._react()
        self._expect(numbers, "returned")

    def _ship_in_parts(self) -> None:
        numbers = self._placed()
        self._react()
        first = self._shipments(numbers)
        for i, shipment in enumerate(first):
            called = "fulfillment.dispatch_shipment, a part"
            self._command(dispatch_shipment, shipment, "DHL", "1", [(self._lines_of(i)[0][0], 1)], called=called)
        self._react()
        self._expect(numbers, "partly_shipped")
        for shipment in set(self._shipments(numbers)) - set(first):
            self._command(dispatch_shipment, shipment, "DHL", "2")
        self._react()
        for shipment in self._shipments(numbers):
            self._command(deliver_shipment, shipment)
        self._react()
        self._expect(numbers, "delivered")

    def go_wrong(self) -> None:
        """Send orders with labels of a carrier, which loses them; send them again, and let those come back."""
        numbers = self._placed()
        self._react()
        shipments = self._shipments(numbers)
        for shipment in shipments:
            self._command(request_label, shipment, "sandbox", None)
        self._react()
        self._expect(numbers, "shipped")
        for shipment in shipments:
            self._command(note_scan, "sandbox", self._scan(shipment, "delivery_failed"))
        self._react()
        for shipment in shipments:
            self._command(lose_shipment, shipment)
        self._react()
        for shipment in shipments:
            self._command(resolve_shipment, shipment, "send_again")
        self._react()
        for shipment in shipments:
            note_scan("sandbox", self._scan(shipment, "delivered"))
        self._react()
        for shipment in shipments:
            self._command(close_task, shipment, "seen")
        self._react()
        self._expect(numbers, "delivered")
        self._come_back([OrderNumber(order.pk) for order in Order.objects.filter(replaces__in=numbers)])

    def _come_back(self, numbers: list[OrderNumber]) -> None:
        for shipment in self._shipments(numbers):
            request_label(shipment, "sandbox", None)
            dispatch_shipment(shipment, "DHL", "1")  # without the label, which is cancelled
        self._react()
        for shipment in self._shipments(numbers):
            self._command(fail_shipment, shipment)
            self._command(return_to_sender, shipment)
            resolve_shipment(shipment, "send_again")
        self._react()
        self._expect(numbers, "delivered")
        last = [OrderNumber(order.pk) for order in Order.objects.filter(replaces__in=numbers)]
        for shipment in self._shipments(last):
            dispatch_shipment(shipment, "DHL", "1")
            lose_shipment(shipment)
        self._react()
        for shipment in self._shipments(last):
            self._command(resolve_shipment, shipment, "refund", called="fulfillment.resolve_shipment, by refund")
        self._react()
        self._expect(last, "returned")

    def _scan(self, shipment: ShipmentId, status: Any) -> CarrierScan:
        number = Shipment.objects.get(pk=shipment).tracking_number
        return CarrierScan(id=f"{shipment} {status}", tracking_number=number, status=status, at=clock.now())

    def cancel_orders(self) -> None:
        """Cancel orders before the payment, after it, and after a dispatch that ordering does not know of yet."""
        unpaid = self._placed()
        self._react(rounds=1)
        for when, numbers in (("before the payment", unpaid), ("once confirmed", self.first)):
            for number in numbers:
                called = f"ordering.cancel_order, {when}"
                self._command(cancel_order, number, CancellationReason.BY_BUYER, called=called)
            self._react()
            self._expect(numbers, "cancelled")
        for shipment in self._shipments(self.through):
            dispatch_shipment(shipment, "DHL", "JD0143")
        for number in self.through:
            cancel_order(number, CancellationReason.BY_BUYER)
        self._react()
        self._expect(self.through, "shipped")

    def cancel_lines_and_hold(self) -> None:
        """Cancel a unit of each order, hold the orders, lift the holds, and hold them again too late."""
        numbers = self._placed(quantity=2)
        self._react()
        for i, number in enumerate(numbers):
            lines = [(self._lines_of(i)[0][0], 1)]
            self._command(cancel_lines, number, lines, CancellationReason.BY_BUYER)
        self._react()
        for number in numbers:
            self._command(hold_order, number, HoldReason.OTHER)
        self._react()
        for number in numbers:
            self._command(lift_hold, number, HoldId(f"H{number[1:]}-1"))
        self._react()
        for number in numbers:
            self._command(add_note, number, "asked by phone")
            self._command(correct_address, number, replace(ADDRESS, street="14 St James's Square"), "a wrong number")
        self._react()
        for shipment in self._shipments(numbers):
            dispatch_shipment(shipment, "DHL", "1")
        for number in numbers:
            hold_order(number, HoldReason.OTHER)
        self._react()
        for shipment in self._shipments(numbers):
            deliver_shipment(shipment)
        self._react()
        self._expect(numbers, "delivered")

    def use_vouchers(self) -> None:
        """Place orders with a limited voucher, one use for each buyer, and cancel them once confirmed."""
        code = f"{self.tag}-EACH"
        self._command(create_voucher, code, {"kind": "percent", "value": Decimal(5), "limit_per_buyer": 5})
        self._command(change_voucher, code, {"limit": 500})
        numbers = []
        for i in range(self.orders):
            order = self._command(
                partial(place_order, vouchers=[code]),
                *(self._buyer(i), self._lines_of(i), ADDRESS, GOOD),
                called="ordering.place_order, with a limited voucher",
            )
            numbers.append(OrderNumber(order.number))
        drain_without_counting()
        self._expect(numbers, "confirmed")
        for number in numbers:
            cancel_order(number, CancellationReason.BY_BUYER)
        drain_without_counting()
        self._expect(numbers, "cancelled")

    def fail_orders(self) -> None:
        """Orders that fail for lack of stock, for a declined card, and for a missed deadline."""
        short = self._placed(quantity=PLENTY)
        self._react()
        declined = self._placed(method=DECLINED)
        self._react()
        overdue = self._placed()
        self._react(rounds=2)
        with clock.moved(timedelta(hours=1)):
            self.reactions["ordering.cancel-overdue-orders"] = self.meter.cost_of(cancel_overdue_orders)
            self._react()
        self._expect([*short, *declined, *overdue], "cancelled")

    def try_again(self) -> None:
        """Orders whose payment is declined, and whose buyers choose another method."""
        with override_settings(PAYMENT_RETRY=timedelta(hours=1)):
            declined = self._placed(method=DECLINED)
            self._react()
            for number in declined:
                self._command(try_another_payment, number, GOOD)
            self._react()
        self._expect(declined, "confirmed")
        for number in declined:
            cancel_order(number, CancellationReason.BY_BUYER)
        self._react()

    def wait_for_payments(self) -> None:
        """Payments for which the buyer does nothing at their bank, and transfers of orders that are cancelled."""
        plain = self.reactions["billing.collect-payment"]  # a payment that does not wait takes fewer statements
        abandoned = self._placed(method=AUTHENTICATION)
        self._react()
        with clock.moved(timedelta(hours=2)):
            cancel_overdue_orders()
            self._react()
        for i in range(self.orders):
            added = self._command(add_payment_method, self._buyer(i), GOOD, KnownMethod("card"))
            self._command(remove_payment_method, PaymentMethodId(added.id), self._buyer(i))
            add_payment_method(self._buyer(i), GOOD, KnownMethod("card"))
        called_off = self._placed(method=TRANSFER)
        self._react()
        for number in called_off:
            cancel_order(number, CancellationReason.BY_BUYER)
        self._react()
        self._expect([*abandoned, *called_off], "cancelled")
        self.reactions["billing.collect-payment"] = plain

    def settle_callbacks_and_discrepancies(self) -> None:
        payment = Payment.objects.filter(status="succeeded").order_by("pk")[0]
        booked = Booked(payment.idempotency_key, Charged(payment.reference), payment.amount)
        self._command(note_call_back, "sandbox", CallBack(f"evt_{self.tag}", "charged", booked))
        Discrepancy.objects.create(subject=self.tag, finding="they have it, we don't", found_at=clock.now())
        self._command(settle_discrepancy, self.tag, "seen to")

    def order_for_nothing(self) -> None:
        """Order goods that have become free, and cancel."""
        for i in range(self.orders):
            for sku in self._skus_of(i):
                change_product(sku, {"price": Money("0", "USD")})
        numbers = self._placed()
        self._react()
        self._expect(numbers, "confirmed")
        for number in numbers:
            cancel_order(number, CancellationReason.BY_BUYER)
        self._react()
        self._expect(numbers, "cancelled")

    def erase(self) -> None:
        for shipment in self._shipments(self.through):
            deliver_shipment(shipment)
        self._react()
        for found in Return.objects.filter(status="approved"):  # parcels that came back to the sender
            lines = [ReceivedLine(Sku(line.sku), line.quantity, "restock") for line in found.line_rows.all()]
            receive_return(ReturnId(found.id), lines)
        self._react()
        for i in range(self.orders):
            self._command(erase_buyer, self._buyer(i))
        self._react()

    def whole_order(self) -> None:
        """Place orders, then handle every wake-up in the order they were sent, as one worker would.

        This ends when the shipments are arranged.
        """
        del self.meter.woken[:]

        def go() -> None:
            for i in range(self.orders):
                self.through.append(OrderNumber(place_order(self._buyer(i), self._lines_of(i), ADDRESS, GOOD).number))
            for delivery_queue in self.meter.woken:  # grows meanwhile
                deliver_onward(delivery_queue)

        self.whole = self.meter.cost_of(go)
        assert not Delivery.objects.filter(status=Status.PENDING).exists(), "a delivery would wait for the sweep"
        self._expect(self.through, "confirmed")
        assert Shipment.objects.filter(order__in=self.through).count() == self.orders

    # --- Steps ---

    def _command(self, command: Callable[..., Any], *args: Any, called: str = "", **options: Any) -> Any:
        results = []
        cost = self.meter.cost_of(lambda: results.append(command(*args, **options)))
        name = called or f"{command.__module__.partition('.')[0]}.{command.__name__}"
        _store_highest(self.commands, name, cost)
        return results[0]

    def _place(self, i: int, method: PaymentMethodId = GOOD, quantity: int = 1, called: str = "") -> OrderNumber:
        lines = self._lines_of(i, quantity)
        return OrderNumber(self._command(place_order, self._buyer(i), lines, ADDRESS, method, called=called).number)

    def _placed(self, **how: Any) -> list[OrderNumber]:
        return [self._place(i, **how) for i in range(self.orders)]

    def _react(self, rounds: int = ALL_ROUNDS) -> None:
        """Let each reaction handle its due deliveries, one reaction after the other; repeat for what that published."""
        pending = Delivery.objects.filter(status=Status.PENDING).order_by("consumer")
        for _ in range(rounds):
            for consumer, external, n in list(pending.values_list("consumer", "external").annotate(n=Count("pk"))):
                with only(consumer):
                    delivery_queue = DeliveryQueue(consumer.partition(".")[0], external)
                    cost = self.meter.cost_of(lambda delivery_queue=delivery_queue: deliver_due(delivery_queue))
                assert not Delivery.objects.filter(consumer=consumer).exclude(status=Status.DONE), consumer
                if n == self.orders:
                    _store_highest(self.reactions, consumer, cost)

    def _buyer(self, i: int) -> BuyerId:
        return BuyerId(f"{self.tag}-{i}")

    def _skus_of(self, i: int) -> list[Sku]:
        return [Sku(f"{self.tag}-{i}-{line}") for line in range(self.lines)]

    def _lines_of(self, i: int, quantity: int = 1) -> list[tuple[Sku, int]]:
        return [(sku, quantity) for sku in self._skus_of(i)]

    def _shipments(self, orders: Any) -> list[ShipmentId]:
        found = Shipment.objects.filter(order__in=list(orders)).order_by("pk")
        return [ShipmentId(id) for id in found.values_list("pk", flat=True)]

    def _expect(self, numbers: list[OrderNumber], status: str) -> None:
        assert set(Order.objects.filter(pk__in=numbers).values_list("status", flat=True)) == {status}


def drain_without_counting() -> None:
    """Handle all deliveries until none is due."""
    while queues := due_delivery_queues():
        for delivery_queue in sorted(queues):
            deliver_due(delivery_queue)


def _store_highest(costs: dict[str, Cost], name: str, cost: Cost) -> None:
    costs[name] = max(costs.get(name, cost), cost)


@contextmanager
def only(consumer: str) -> Iterator[None]:
    """Let only one consumer's deliveries be due; the others are marked dead in the meantime."""
    others = Delivery.objects.filter(status=Status.PENDING).exclude(consumer=consumer)
    held_back = list(others.values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=held_back).update(status=Status.DEAD)
    yield
    Delivery.objects.filter(pk__in=held_back).update(status=Status.PENDING)


# --- The recorded costs ---

RECORDED = Path(settings.BASE_DIR) / "docs" / "costs.json"
BATCH = 20


def recorded() -> dict[str, Any]:
    """The recorded costs of `commands`, `reactions` and the whole `order`, each alone or in a batch."""
    return json.loads(RECORDED.read_text())


def as_recorded(alone: Walk, together: Walk) -> dict[str, Any]:
    """The costs that two walks counted, in the format of `docs/costs.json`."""
    reactions = {
        name: {"alone": alone.reactions[name], f"of {BATCH}": together.reactions[name]}
        for name in sorted(alone.reactions)
    }
    return {
        "commands": {name: {"alone": cost} for name, cost in sorted(alone.commands.items())},
        "reactions": reactions,
        "order": {"placed to shipment": {"alone": alone.whole, f"of {BATCH}": together.whole}},
    }


def record(costs: dict[str, Any]) -> None:
    """Write the costs to `docs/costs.json`, a line for each, so that a diff shows which of them changed."""
    groups = []
    for group, of_group in costs.items():
        lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(cost)}" for name, cost in of_group.items())
        groups.append(f"  {json.dumps(group)}: {{\n{lines}\n  }}")
    RECORDED.write_text("{\n" + ",\n".join(groups) + "\n}\n")
    call_command("document", verbosity=0)
