"""A state machine of an invoice: in any order of messages, money is taken at most once and refunded at most once.

The model's provider decides once about each key, as the real one does. Its decision arrives any number of times.
"""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from billing.events import InvoicedLine, InvoiceRefundOwed, PaymentSucceeded, RefundIssued
from billing.models import AmountMismatch, Invoice, MoreThanIsLeft, Payment, Refund
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentId, PaymentMethodId, RefundId, Sku
from integration.domain.money import Money
from tests.histories import assert_is_its_history

ORDER, PAYMENT = OrderNumber("R-1"), PaymentId("P-1-1")


def dollars(minor: int) -> Money:
    return Money.of_minor(minor, "USD")


class InvoiceMachine(RuleBasedStateMachine):
    """The model: what the provider decided, what of that arrived, and what is owed back.

    It also does what billing's policies do.
    """

    @initialize(total=st.integers(1, 5_000))
    def issue(self, total: int) -> None:
        self.total = total
        self.invoice = Invoice.issue(
            ORDER,
            payer=BuyerId("B-1"),
            payment_method=PaymentMethodId("pm_card_visa"),
            lines=[InvoicedLine(Sku("MUG"), "Mug", 1, dollars(total), dollars(total))],
            discount=dollars(0),
            shipping=dollars(0),
            total=dollars(total),
        )
        self.payment: Payment | None = None
        self.refunds: dict[str, Refund] = {}
        self.decided = self.known_paid = self.refunded = self.owed_back = 0
        self.declined = self.cancelled = self.void = False

    def react(self, aggregate: Any, seen: int) -> None:
        """Do what billing's policies do about the events recorded since `seen`."""
        for recorded in aggregate.recorded_events[seen:]:
            match recorded.event:
                case PaymentSucceeded(payment=payment, amount=amount):
                    self.act_and_react(self.invoice, lambda p=payment, a=amount: self.invoice.settle(p, a))
                case InvoiceRefundOwed() as owed:
                    assert owed.refund not in self.refunds
                    self.refunds[owed.refund] = Refund.request(
                        owed.refund, owed.invoice, owed.payment, owed.order, owed.amount, owed.reason
                    )
                case RefundIssued() as issued:
                    self.act_and_react(self.invoice, lambda i=issued: self.invoice.record_refund(i.refund, i.amount))

    def act_and_react(self, aggregate: Any, do: Any) -> None:
        seen = len(aggregate.recorded_events)
        do()
        self.react(aggregate, seen)

    @rule()
    def stock_is_reserved(self) -> None:
        if self.invoice.accepts("request_payment") and self.payment is None:
            assert not self.cancelled
            self.payment = Payment.request(self.invoice)

    @precondition(lambda self: self.payment)
    @rule(charges=st.booleans())
    def the_provider_decides(self, charges: bool) -> None:
        if not self.declined and not self.decided:
            self.decided, self.declined = (self.total, False) if charges else (0, True)

    @precondition(lambda self: self.payment)
    @rule()
    def the_decision_arrives(self) -> None:
        payment = self.payment
        assert payment is not None
        if self.decided:
            self.act_and_react(payment, lambda: payment.succeed("ch_1"))
            if not self.known_paid:
                self.known_paid = self.total
                self.owed_back = self.total if self.cancelled else 0
        elif self.declined:
            payment.fail("generic_decline")

    @precondition(lambda self: self.payment)
    @rule()
    def the_outcome_is_lost(self) -> None:
        assert self.payment is not None
        self.payment.lose_outcome()

    @precondition(lambda self: self.payment and self.cancelled and not self.decided)
    @rule()
    def the_provider_has_no_charge(self) -> None:
        assert self.payment is not None
        self.payment.abandon()

    @rule()
    def the_order_is_cancelled(self) -> None:
        self.act_and_react(self.invoice, lambda: self.invoice.void("by_buyer"))
        self.cancelled, self.owed_back = True, self.known_paid
        self.void = self.void or not self.known_paid

    @rule(share=st.integers(-10, 110))
    def a_refund_is_owed(self, share: int) -> None:
        amount = self.total * share // 100

        def owe() -> None:
            self.invoice.owe_refund(dollars(amount), PAYMENT, "damaged")

        if 0 < amount <= self.known_paid - self.owed_back:
            self.act_and_react(self.invoice, owe)
            self.owed_back += amount
        else:
            with pytest.raises(MoreThanIsLeft):
                owe()

    @precondition(lambda self: self.refunds)
    @rule(data=st.data())
    def the_provider_refunds(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.refunds)))
        refund = self.refunds[key]
        self.refunded += refund.amount.minor if refund.status == "requested" else 0
        self.act_and_react(refund, lambda: refund.settle(f"re_{key}"))

    @precondition(lambda self: not self.known_paid)
    @rule(mistake=st.sampled_from([-1, 1]))
    def a_wrong_amount_is_refused(self, mistake: int) -> None:
        with pytest.raises(AmountMismatch):
            self.invoice.settle(PAYMENT, dollars(self.total + mistake))

    @invariant()
    def amounts_agree_with_the_model(self) -> None:
        invoice = self.invoice
        assert (invoice.paid.minor, invoice.refund_owed.minor, invoice.refunded.minor) == (
            self.known_paid,
            self.owed_back,
            self.refunded,
        )
        assert 0 <= self.refunded <= self.owed_back <= self.known_paid <= self.decided <= self.total
        assert sum(refund.amount.minor for refund in self.refunds.values()) == self.owed_back
        assert set(self.refunds) == {RefundId(f"F-1-{n + 1}") for n in range(len(self.refunds))}

    @invariant()
    def the_statuses_agree_with_the_model(self) -> None:
        usual = "refunded" if self.refunded == self.total else "paid" if self.known_paid else "open"
        assert self.invoice.status == ("void" if self.void else usual)
        if self.payment is not None:
            assert (self.payment.status == "succeeded") == bool(self.known_paid)
            succeeded = [r for r in self.payment.recorded_events if isinstance(r.event, PaymentSucceeded)]
            assert len(succeeded) == bool(self.known_paid)

    @invariant()
    def rows_equal_their_histories(self) -> None:
        for aggregate in (self.invoice, *filter(None, [self.payment]), *self.refunds.values()):
            assert_is_its_history(aggregate)


TestInvoice = InvoiceMachine.TestCase
