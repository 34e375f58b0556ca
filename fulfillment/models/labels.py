"""The label of a shipment, bought from a carrier that sells labels: requested, bought or refused, perhaps dropped.

The carrier is asked while no transaction is open. By the time of its reply the shipment may have been cancelled, or
dispatched in another way: then the label is dropped, and the carrier is asked to cancel it.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import models
from msgspec import Struct, convert, to_builtins

from fulfillment import events
from integration.aggregates.aggregate import OfOneStory, applies
from integration.domain.errors import Refused
from integration.domain.identifiers import OrderNumber, ShipmentId, Sku

REQUESTED, BOUGHT, REFUSED, DROPPED = ("requested", "bought", "refused", "dropped")


class LabelUnderWay(Refused):
    """A label of this shipment is being bought. Dispatch it with a tracking number to do without that label."""


class Label(Struct, frozen=True):
    """A label.

    Args:
        number: the first label that is requested for the shipment has 1.
        status: `requested`, `bought`, `refused` or `dropped`.
        key: the idempotency key of all requests to the carrier about it.
        quantities: the units that leave with it.
        reason: the carrier's, if it refused.
    """

    number: int
    status: str
    carrier: str
    service: str
    key: str
    quantities: dict[str, int]
    reason: str = ""


def key_at_the_carrier(shipment: ShipmentId, number: int, story: UUID) -> str:
    """The idempotency key of a label; see `billing.models.provider` for why it names the story."""
    return f"{shipment}-{number}-{story.hex}"


class WithLabel(OfOneStory):
    """The part of a shipment that is about its label."""

    id: Any
    order: Any

    label_data = models.JSONField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def _ids(self) -> dict[str, Any]:
        return {"shipment": ShipmentId(self.id), "order": OrderNumber(self.order)}

    @property
    def label(self) -> Label | None:
        """The last label that was requested; None without one."""
        return None if self.label_data is None else convert(self.label_data, Label)

    def wants(self, number: int) -> bool:
        """Whether the label with this number is still to be bought."""
        return self.label is not None and (self.label.number, self.label.status) == (number, REQUESTED)

    def has_bought(self, number: int) -> bool:
        """Whether the label with this number is the one with which the shipment left."""
        return self.label is not None and (self.label.number, self.label.status) == (number, BOUGHT)

    def request_label(self, carrier: str, service: str, quantities: Mapping[Sku, int]) -> None:
        """Request a label with which these units leave.

        Raises:
            NotAllowed: the shipment is not `arranged`.
            LabelUnderWay: another label is being bought.
        """
        if self.accepts("request_label"):
            self.require(self.label is None or self.label.status != REQUESTED, LabelUnderWay)
            number = self.label.number + 1 if self.label else 1
            self.record(
                events.LabelRequested(
                    **self._ids,
                    number=number,
                    carrier=carrier,
                    service=service,
                    key=key_at_the_carrier(ShipmentId(self.id), number, self.correlation_id),
                    quantities=dict(quantities),
                )
            )

    def note_label(self, number: int, tracking_number: str) -> None:
        """Record that the carrier sold the label."""
        self.record(events.LabelBought(**self._ids, number=number, tracking_number=tracking_number))

    def refuse_label(self, number: int, reason: str) -> None:
        """Record that the carrier sells no such label; ignored if the label is not wanted any more."""
        if self.wants(number):
            self.record(events.LabelRefused(**self._ids, number=number, reason=reason))

    def drop_label(self) -> None:
        """Do without the label that is being bought, if one is."""
        if self.label and self.label.status == REQUESTED:
            self.drop(self.label.number, self.label.carrier, self.label.key)

    def drop(self, number: int, carrier: str, key: str) -> None:
        """Have the carrier cancel a label that is not wanted."""
        self.record(events.LabelDropped(**self._ids, number=number, carrier=carrier, key=key))

    @applies(events.LabelRequested)
    def _label_requested(self, event: events.LabelRequested) -> None:
        quantities = {str(sku): units for sku, units in sorted(event.quantities.items())}  # as the history sorts them
        label = Label(event.number, REQUESTED, event.carrier, event.service, event.key, quantities)
        self.label_data = to_builtins(label)

    @applies(events.LabelBought)
    def _label_bought(self, event: events.LabelBought) -> None:
        self._change_label(event.number, BOUGHT)

    @applies(events.LabelRefused)
    def _label_refused(self, event: events.LabelRefused) -> None:
        self._change_label(event.number, REFUSED, event.reason)

    @applies(events.LabelDropped)
    def _label_dropped(self, event: events.LabelDropped) -> None:
        self._change_label(event.number, DROPPED)

    def _change_label(self, number: int, status: str, reason: str = "") -> None:
        """Change the last label; an event about an earlier one changes nothing."""
        if self.label and self.label.number == number:
            self.label_data = {**to_builtins(self.label), "status": status, "reason": reason}
