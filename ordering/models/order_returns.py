"""The part of an order that is about goods that come back, and about withdrawals.

An order and its row on the order board have the same columns for it, which are empty as long as nothing comes back.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
from django.db import models

from integration.aggregates.aggregate import applies
from integration.domain.errors import NotYet, Refused
from integration.domain.identifiers import CancellationId, ReceiptId, ReturnId, Sku, WithdrawalId, sibling
from integration.domain.money import Money
from ordering import events
from ordering.models.order_shipments import returned_status
from ordering.models.order_states import CONFIRMED_STATES, CancellationReason
from ordering.models.order_tracking import OrderTracked

RANKS = {"requested": 0, "approved": 1, "refused": 1, "received": 2, "closed": 3}
"""The statuses of a return. They may arrive in any order, and the highest one stays."""
CLOSED = "closed"


class NothingToWithdraw(Refused):
    """The buyer has nothing more of the order to withdraw from."""


class WithdrawalTooEarly(Refused):
    """Before its confirmation an order can only be withdrawn from as a whole: the amount being paid never changes."""


class WithReturns(models.Model):
    """What an order and its row on the order board know about returns and withdrawals, each by its identifier.

    * `return_facts`: the `status`, and the `receipts` that were counted.
    * `withdrawal_facts`: the moment `at`, by SKU the `lines`, `refund_due_at`, the `return`, if it is `settled`, if its
      refund is `overdue`, and `shipping_withheld` if something is.
    """

    return_facts = models.JSONField(null=True, editable=False)
    withdrawal_facts = models.JSONField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def returns(self) -> list[dict[str, str]]:
        """The returns with their statuses, in the order in which they were opened."""
        return [{"id": id, "status": facts["status"]} for id, facts in _sorted(self.return_facts) if facts["status"]]

    @property
    def withdrawals(self) -> list[dict[str, Any]]:
        """The withdrawals, in the order in which they were declared."""
        return [
            {
                "id": id,
                "status": "settled" if facts["settled"] else "declared",
                "declared_at": datetime.fromisoformat(facts["at"]),
                "refund_due_at": datetime.fromisoformat(facts["refund_due_at"]),
                "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in sorted(facts["lines"].items())],
            }
            for id, facts in _sorted(self.withdrawal_facts)
        ]

    @property
    def has_overdue_refund(self) -> bool:
        """Whether the refund of a withdrawal was due, and goods of it are still expected."""
        return any(facts.get("overdue") and not facts["settled"] for facts in (self.withdrawal_facts or {}).values())

    def show_return(self, return_: ReturnId, *, status: str | None = None, receipt: ReceiptId | None = None) -> None:
        """Show the status of a return, or that a receipt of it is counted."""
        known = (self.return_facts or {}).get(return_, {"status": "", "receipts": []})
        receipts = known["receipts"] + ([receipt] if receipt else [])
        shown = {"status": known["status"] if status is None else status, "receipts": receipts}
        self.return_facts = {**(self.return_facts or {}), return_: shown}

    def show_withdrawal(self, withdrawal: WithdrawalId, **facts: Any) -> None:
        """Show a withdrawal, or a change of it."""
        known = (self.withdrawal_facts or {}).get(withdrawal, {"return": None, "settled": False})
        self.withdrawal_facts = {**(self.withdrawal_facts or {}), withdrawal: {**known, **facts}}


class OrderWithReturns(WithReturns, OrderTracked):
    """An order of which goods may come back."""

    refund_due_at = models.DateTimeField("a withdrawal is to be refunded by", null=True, editable=False)

    class Meta:
        abstract = True

    def note_return(self, return_: ReturnId, status: str) -> None:
        """Record the status of a return, unless a later one is known; raises `NotYet`."""
        known = (self.return_facts or {}).get(return_, {}).get("status")
        if self.accepts("note_return") and RANKS[status] > RANKS.get(known or "", -1):
            self.record(events.OrderReturnChanged(order=self._number, return_=return_, status=status))
            if status == CLOSED:
                self._settle_withdrawals()

    def mark_returned(self, return_: ReturnId, receipt: ReceiptId, quantities: Mapping[Sku, int]) -> None:
        """Record that these units came back; each receipt counts once.

        Raises:
            NotYet: the order does not know yet that they were shipped.
            NotAllowed: the order is cancelled.
        """
        if receipt in (self.return_facts or {}).get(return_, {}).get("receipts", []):
            return
        has = {line.sku: line.shipped - line.returned - line.lost for line in self.lines}
        left = {sku: units - quantities.get(Sku(sku), 0) for sku, units in has.items()}
        is_last = not any(left.values()) and not any(line.open for line in self.lines)
        if self.accepts("mark_returned" if is_last else "mark_partly_returned"):
            self.require(min(left.values()) >= 0, NotYet(f"{receipt} has more than was shipped of {self._number}"))
            order, units = self._number, dict(quantities)
            self.record(events.OrderGoodsReturned(order=order, return_=return_, receipt=receipt, quantities=units))

    @property
    def withdrawable(self) -> dict[Sku, int]:
        """The units of each SKU that the buyer may still withdraw from.

        What is cancelled, lost or back for another reason is not among them, nor what they withdrew from before.
        """
        withdrawn: dict[str, int] = {}
        for facts in (self.withdrawal_facts or {}).values():
            for sku, units in facts["lines"].items():
                withdrawn[sku] = withdrawn.get(sku, 0) + units
        return {
            Sku(line.sku): left
            for line in self.lines
            if (left := line.quantity - max(withdrawn.get(line.sku, 0), line.cancelled + line.returned + line.lost)) > 0
        }

    def withdraw(
        self,
        quantities: Mapping[Sku, int],
        *,
        moment: datetime,
        refund_due_at: datetime,
        name: str = "",
        email: str = "",
        shipping_withheld: Money | None = None,
    ) -> None:
        """Withdraw from these units. What fulfillment can still stop is cancelled, the rest becomes a return.

        The caller has checked the period, and that the goods are not exempt.

        Raises:
            NotAllowed: the order is cancelled, or all of it came back.
            NothingToWithdraw: the buyer has fewer units.
            WithdrawalTooEarly: the order is not confirmed, and this is not the whole order.
        """
        if not self.accepts("withdraw"):
            return
        has, is_confirmed = self.withdrawable, self.status in CONFIRMED_STATES
        for sku, units in quantities.items():
            few = NothingToWithdraw(f"only {has.get(sku, 0)} × {sku} of {self} can be withdrawn from")
            self.require(units <= has.get(sku, 0), few)
        self.require(is_confirmed or dict(quantities) == has, WithdrawalTooEarly)
        ordinal = len(self.withdrawal_facts or ()) + 1
        withdrawal = WithdrawalId(sibling("W", self._number, ordinal))
        self.record(
            events.OrderWithdrawn(
                order=self._number,
                withdrawal=withdrawal,
                quantities=dict(quantities),
                name=name,
                email=email,
                declared_at=moment,
                refund_due_at=refund_due_at,
                shipping_withheld=shipping_withheld,
                is_confirmed=is_confirmed,
            )
        )
        if is_confirmed:
            self._ask_to_stop(withdrawal, quantities)
        else:
            self._cancel(CancellationReason.BY_BUYER)
            self.record(events.OrderWithdrawalSettled(order=self._number, withdrawal=withdrawal))

    def _ask_to_stop(self, withdrawal: WithdrawalId, quantities: Mapping[Sku, int]) -> None:
        """Request the cancellation of what is still open of a withdrawal, under the withdrawal's identifier."""
        left = {Sku(line.sku): line.open for line in self.lines}
        units = {sku: n for sku, wanted in quantities.items() if (n := min(wanted, left[sku]))}
        if units:
            self.record(
                events.OrderLinesCancellationRequested(
                    order=self._number,
                    cancellation=CancellationId(withdrawal),
                    quantities=units,
                    reason=CancellationReason.BY_BUYER.value,
                    note="",
                )
            )

    def arrange_withdrawal(self, withdrawal: WithdrawalId, return_: ReturnId | None) -> None:
        """Record that fulfillment stopped what it could, and which return has the rest, if there is any."""
        if self.accepts("arrange_withdrawal") and "arranged" not in (self.withdrawal_facts or {})[withdrawal]:
            self.record(events.OrderWithdrawalArranged(order=self._number, withdrawal=withdrawal, return_=return_))
            self._settle_withdrawals()

    @property
    def needs_human(self) -> bool:
        """Whether a person has to decide about a shipment, about goods to send again, or about an overdue refund."""
        return super().needs_human or self.has_overdue_refund

    def note_overdue_refund(self, moment: datetime) -> None:
        """Record of each withdrawal, once, that its refund was due before this moment and is not settled."""
        if self.accepts("note_overdue_refund"):
            for id, facts in list((self.withdrawal_facts or {}).items()):
                is_due = datetime.fromisoformat(facts["refund_due_at"]) <= moment
                if is_due and not facts["settled"] and not facts.get("overdue"):
                    self.record(events.OrderRefundOverdue(order=self._number, withdrawal=WithdrawalId(id)))

    def _settle_withdrawals(self) -> None:
        """Settle each withdrawal that is arranged, and whose return is closed or which has none."""
        for id, facts in list((self.withdrawal_facts or {}).items()):
            is_back = facts["return"] is None or self._status_of_return(facts["return"]) == CLOSED
            if facts.get("arranged") and is_back and not facts["settled"]:
                self.record(events.OrderWithdrawalSettled(order=self._number, withdrawal=WithdrawalId(id)))

    def _status_of_return(self, return_: str) -> str:
        return str((self.return_facts or {}).get(return_, {}).get("status", ""))

    @property
    def has_open_returns(self) -> bool:
        """Whether something is still to come back, to be decided or to be refunded."""
        open_returns = any(each["status"] not in ("closed", "refused") for each in self.returns)
        return open_returns or any(not facts["settled"] for facts in (self.withdrawal_facts or {}).values())

    @applies(events.OrderReturnChanged)
    def _return_changed(self, event: events.OrderReturnChanged) -> None:
        self.show_return(event.return_, status=event.status)

    @applies(events.OrderGoodsReturned)
    def _goods_returned(self, event: events.OrderGoodsReturned) -> None:
        self.show_return(event.return_, receipt=event.receipt)
        for line in self.lines:
            if units := event.quantities.get(Sku(line.sku), 0):
                line.returned += units
                self.touch(line)
        self.status = returned_status(self.status, self.lines)

    @applies(events.OrderWithdrawn)
    def _withdrawn(self, event: events.OrderWithdrawn) -> None:
        show_withdrawn(self, event)
        self._set_refund_due_at()

    @applies(events.OrderWithdrawalArranged)
    def _withdrawal_arranged(self, event: events.OrderWithdrawalArranged) -> None:
        self.show_withdrawal(event.withdrawal, arranged=True, **{"return": event.return_})

    @applies(events.OrderWithdrawalSettled)
    def _withdrawal_settled(self, event: events.OrderWithdrawalSettled) -> None:
        self.show_withdrawal(event.withdrawal, settled=True)
        self._set_refund_due_at()

    @applies(events.OrderRefundOverdue)
    def _refund_overdue(self, event: events.OrderRefundOverdue) -> None:
        self.show_withdrawal(event.withdrawal, overdue=True)
        self._set_refund_due_at()

    def _set_refund_due_at(self) -> None:
        facts = [each for each in (self.withdrawal_facts or {}).values() if not each["settled"]]
        due = [each["refund_due_at"] for each in facts if not each.get("overdue")]
        self.refund_due_at = datetime.fromisoformat(min(due)) if due else None


def show_withdrawn(shown: WithReturns, event: events.OrderWithdrawn) -> None:
    """Show a withdrawal that was declared."""
    withheld = {"shipping_withheld": msgspec.to_builtins(event.shipping_withheld)} if event.shipping_withheld else {}
    shown.show_withdrawal(
        event.withdrawal,
        at=event.declared_at.isoformat(),
        refund_due_at=event.refund_due_at.isoformat(),
        lines=dict(sorted(event.quantities.items())),  # as the history sorts them
        **withheld,
    )


def _sorted(facts: dict[str, Any] | None) -> list[tuple[str, dict[str, Any]]]:
    """By identifier, of which a shorter one is earlier."""
    return sorted((facts or {}).items(), key=lambda each: (len(each[0]), each[0]))
