"""The rows of fulfillment's read models. Only the projections in `queries/` write them."""

from typing import ClassVar

from django.db import models

from fulfillment.models.return_ import Return
from fulfillment.models.shipment import Shipment
from integration.read_models.models import PolledRow
from integration.read_models.texts import SearchText


class ShipmentChange(PolledRow):
    """The last change of a shipment, for clients that ask for what has changed."""

    read_model = "fulfillment.shipment-changes"
    key = ("shipment_id",)

    shipment = models.ForeignKey(
        Shipment, on_delete=models.DO_NOTHING, related_name="changes", db_constraint=False, db_index=False
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "shipment"], name="shipment_change_shown_once")
        ]
        indexes: ClassVar = [models.Index(fields=["build", "shown_at"], name="shipments_by_change")]

    def __str__(self) -> str:
        return f"change of {self.shipment_id}"


class ReturnChange(PolledRow):
    """The last change of a return, for clients that ask for what has changed."""

    read_model = "fulfillment.return-changes"
    key = ("return_of_id",)

    return_of = models.ForeignKey(
        Return, on_delete=models.DO_NOTHING, related_name="changes", db_constraint=False, db_index=False
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["build", "return_of"], name="return_change_shown_once")
        ]
        indexes: ClassVar = [models.Index(fields=["build", "shown_at"], name="returns_by_change")]

    def __str__(self) -> str:
        return f"change of {self.return_of_id}"


class ShipmentText(SearchText):
    """The recipient of a shipment, which finds it."""

    read_model = "fulfillment.shipment-search"
    key = ("shipment",)

    shipment = models.CharField(max_length=24)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["build", "shipment"], name="one_text_a_shipment")]

    def __str__(self) -> str:
        return f"words of shipment {self.shipment}"
