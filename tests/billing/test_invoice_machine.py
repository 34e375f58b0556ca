"""Whatever is heard of an invoice's money, and how often, it is taken at most once and given back at most once.

The provider of the model decides once about each key, as the real one does; that is heard any number of times.
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
    """The model: what the provider decided, what of it was heard, and what is to go back; and billing's policies."""

    @initialize(total=st.integers(1, 5_000))
    def issue(self, total: int) -> None:
        self.total = total
        self.invoice = Invoice.issue(
            ORDER,
            payer=BuyerId("B-1"),
            payment_method=PaymentMethodId("pm_card_visa"),
            lines=[InvoicedLine(Sku("MUG"), "Mug", 1, dollars(total))],
            discount=dollars(0),
            total=dollars(total),
        )
        self.payment: Payment | None = None
        self.refunds: dict[str, Refund] = {}
        self.decided = self.heard = self.gone_back = self.to_go_back = 0
        self.declined = self.called_off = self.void = False

    def react(self, aggregate: Any, seen: int) -> None:
        """What billing's policies do about what was just recorded."""
        for recorded in aggregate.recorded_events[seen:]:
            match recorded.event:
                case PaymentSucceeded(payment=payment, amount=amount):
                    self.acting(self.invoice, lambda p=payment, a=amount: self.invoice.settle(p, a))
                case InvoiceRefundOwed() as owed:
                    assert owed.refund not in self.refunds
                    self.refunds[owed.refund] = Refund.request(
                        owed.refund, owed.invoice, owed.payment, owed.order, owed.amount, owed.reason
                    )
                case RefundIssued() as issued:
                    self.acting(self.invoice, lambda i=issued: self.invoice.record_refund(i.refund, i.amount))

    def acting(self, aggregate: Any, act: Any) -> None:
        seen = len(aggregate.recorded_events)
        act()
        self.react(aggregate, seen)

    @rule()
    def the_goods_are_set_aside(self) -> None:
        if self.invoice.accepts("request_payment") and self.payment is None:
            assert not self.called_off
            self.payment = Payment.request(self.invoice)

    @precondition(lambda self: self.payment)
    @rule(charges=st.booleans())
    def the_provider_decides(self, charges: bool) -> None:
        if not self.declined and not self.decided:
            self.decided, self.declined = (self.total, False) if charges else (0, True)

    @precondition(lambda self: self.payment)
    @rule()
    def what_it_decided_is_heard(self) -> None:
        payment = self.payment
        assert payment is not None
        if self.decided:
            self.acting(payment, lambda: payment.succeed("ch_1"))
            if not self.heard:
                self.heard = self.total
                self.to_go_back = self.total if self.called_off else 0
        elif self.declined:
            payment.fail("generic_decline")

    @precondition(lambda self: self.payment)
    @rule()
    def the_line_is_cut(self) -> None:
        assert self.payment is not None
        self.payment.lose_outcome()

    @precondition(lambda self: self.payment and self.called_off and not self.decided)
    @rule()
    def the_provider_never_heard_of_it(self) -> None:
        assert self.payment is not None
        self.payment.abandon()

    @rule()
    def the_order_is_cancelled(self) -> None:
        self.acting(self.invoice, lambda: self.invoice.void("by_buyer"))
        self.called_off, self.to_go_back = True, self.heard
        self.void = self.void or not self.heard

    @rule(share=st.integers(-10, 110))
    def some_is_to_go_back(self, share: int) -> None:
        amount = self.total * share // 100

        def owe() -> None:
            self.invoice.owe_refund(dollars(amount), PAYMENT, "damaged")

        if 0 < amount <= self.heard - self.to_go_back:
            self.acting(self.invoice, owe)
            self.to_go_back += amount
        else:
            with pytest.raises(MoreThanIsLeft):
                owe()

    @precondition(lambda self: self.refunds)
    @rule(data=st.data())
    def the_provider_gave_it_back(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.refunds)))
        refund = self.refunds[key]
        self.gone_back += refund.amount.minor if refund.status == "requested" else 0
        self.acting(refund, lambda: refund.settle(f"re_{key}"))

    @precondition(lambda self: not self.heard)
    @rule(mistake=st.sampled_from([-1, 1]))
    def another_amount_comes_in(self, mistake: int) -> None:
        with pytest.raises(AmountMismatch):
            self.invoice.settle(PAYMENT, dollars(self.total + mistake))

    @invariant()
    def no_cent_is_lost_or_made(self) -> None:
        invoice = self.invoice
        assert (invoice.paid.minor, invoice.refund_owed.minor, invoice.refunded.minor) == (
            self.heard,
            self.to_go_back,
            self.gone_back,
        )
        assert 0 <= self.gone_back <= self.to_go_back <= self.heard <= self.decided <= self.total
        assert sum(refund.amount.minor for refund in self.refunds.values()) == self.to_go_back
        assert set(self.refunds) == {RefundId(f"F-1-{n + 1}") for n in range(len(self.refunds))}

    @invariant()
    def the_status_says_it(self) -> None:
        usual = "refunded" if self.gone_back == self.total else "paid" if self.heard else "open"
        assert self.invoice.status == ("void" if self.void else usual)
        if self.payment is not None:
            assert (self.payment.status == "succeeded") == bool(self.heard)
            succeeded = [r for r in self.payment.recorded_events if isinstance(r.event, PaymentSucceeded)]
            assert len(succeeded) == bool(self.heard)

    @invariant()
    def all_are_their_histories(self) -> None:
        for aggregate in (self.invoice, *filter(None, [self.payment]), *self.refunds.values()):
            assert_is_its_history(aggregate)


TestInvoice = InvoiceMachine.TestCase
