"""What was requested for an order and is, or was, for fulfillment to decide: cancellations of lines, and holds.

An order and its row on the order board keep them in the same columns, by identifier.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import models

from integration.domain.identifiers import Sku
from ordering import events

Facts = dict[str, dict[str, Any]]


class RequestStatus(models.TextChoices):
    """What became of a requested cancellation of lines."""

    REQUESTED = "requested"
    CANCELLED = "cancelled"
    PARTIALLY_CANCELLED = "partially_cancelled"
    REFUSED = "refused"


class HoldStatus(models.TextChoices):
    """The state of a hold."""

    REQUESTED = "requested"
    ACTIVE = "active"
    TOO_LATE = "too_late"
    LIFTED = "lifted"


class HoldReason(models.TextChoices):
    """Why an order is on hold."""

    FRAUD_RISK = "fraud_risk"
    INCORRECT_ADDRESS = "incorrect_address"
    AWAITING_PAYMENT = "awaiting_payment"
    AWAITING_STOCK = "awaiting_stock"
    OTHER = "other"


OPEN_HOLDS = (HoldStatus.REQUESTED.value, HoldStatus.ACTIVE.value)
"""The states of a hold that is not over."""


class Requests(models.Model):
    """The cancellations of lines and the holds of an order. Both columns are empty without any.

    * `line_cancellations`: by identifier the `status`, the `reason`, and by SKU the `lines` that were asked for and
      those that are `cancelled`.
    * `order_holds`: by identifier the `reason` and the `status`.
    """

    line_cancellations = models.JSONField(null=True, editable=False)
    order_holds = models.JSONField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def cancellations(self) -> list[dict[str, Any]]:
        """The cancellations of lines, in the order in which they were requested."""
        return [
            {
                "id": id,
                "status": facts["status"],
                "lines": [
                    {"sku": sku, "quantity": quantity, "cancelled": facts["cancelled"].get(sku, 0)}
                    for sku, quantity in sorted(facts["lines"].items())
                ],
            }
            for id, facts in _sorted(self.line_cancellations)
        ]

    @property
    def holds(self) -> list[dict[str, str]]:
        """The holds, in the order in which they were placed."""
        return [{"id": id, **facts} for id, facts in _sorted(self.order_holds)]

    @property
    def open_holds(self) -> list[dict[str, str]]:
        """The holds that are not over."""
        return [hold for hold in self.holds if hold["status"] in OPEN_HOLDS]

    def show_request(self, event: events.OrderLinesCancellationRequested) -> None:
        """Add a requested cancellation of lines."""
        units = dict(sorted(event.quantities.items()))  # as the history sorts them
        asked = {"status": RequestStatus.REQUESTED.value, "reason": event.reason, "lines": units, "cancelled": {}}
        self.line_cancellations = {**(self.line_cancellations or {}), event.cancellation: asked}

    def show_cancelled(self, event: events.OrderLinesCancelled) -> None:
        """Show which lines of a requested cancellation are cancelled."""
        facts = (self.line_cancellations or {})[event.cancellation]
        units = dict(sorted(event.quantities.items()))
        status = RequestStatus.CANCELLED if units == facts["lines"] else RequestStatus.PARTIALLY_CANCELLED
        decided = {**facts, "status": status.value, "cancelled": units}
        self.line_cancellations = {**(self.line_cancellations or {}), event.cancellation: decided}

    def show_refused(self, event: events.OrderLinesCancellationRefused) -> None:
        """Show that nothing of a requested cancellation is cancelled."""
        facts = (self.line_cancellations or {})[event.cancellation]
        refused = {**facts, "status": RequestStatus.REFUSED.value}
        self.line_cancellations = {**(self.line_cancellations or {}), event.cancellation: refused}

    def show_held(self, event: events.OrderHeld) -> None:
        """Show a requested hold."""
        about = {"dispute": event.dispute} if event.dispute else {}
        self.show_hold(event.hold, HoldStatus.REQUESTED, reason=event.reason, **about)

    def show_hold(self, hold: str, status: HoldStatus, **facts: str) -> None:
        """Show the status of a hold."""
        holds = self.order_holds or {}
        self.order_holds = {**holds, hold: {**holds.get(hold, {}), **facts, "status": status.value}}

    def end_requests(self) -> None:
        """Show that nothing is to be decided any more, because the order is cancelled."""
        for hold in self.open_holds:
            self.show_hold(hold["id"], HoldStatus.LIFTED)


def requested_units(cancellations: Facts | None) -> dict[Sku, int]:
    """The units, by SKU, whose cancellation is requested and not decided about."""
    asked: dict[Sku, int] = {}
    for facts in (cancellations or {}).values():
        if facts["status"] == RequestStatus.REQUESTED:
            for sku, quantity in facts["lines"].items():
                asked[Sku(sku)] = asked.get(Sku(sku), 0) + quantity
    return asked


def summed(lines: Sequence[tuple[Sku, int]]) -> Mapping[Sku, int]:
    """The units by SKU, where a SKU may be named twice."""
    units: dict[Sku, int] = {}
    for sku, quantity in lines:
        units[sku] = units.get(sku, 0) + quantity
    return units


def _sorted(facts: Facts | None) -> list[tuple[str, dict[str, Any]]]:
    """By identifier, of which a shorter one is earlier."""
    return sorted((facts or {}).items(), key=lambda each: (len(each[0]), each[0]))
