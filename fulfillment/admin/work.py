"""What fulfillment shows on the operators' first page: parcels to send, parcels in trouble, and returns."""

from datetime import timedelta

from django.db.models import QuerySet

from fulfillment.models import Return, ReturnStatus, Shipment, ShipmentStatus
from integration.admin.home import work

LONGEST_TO_SEND = timedelta(days=1)
LONGEST_TO_DECIDE = timedelta(days=2)
LONGEST_ON_THE_WAY_BACK = timedelta(days=14)


@work(
    "Parcels to send",
    group="Warehouse",
    place=20,
    model=Shipment,
    query={"status__exact": ShipmentStatus.ARRANGED.value},
    late_after=LONGEST_TO_SEND,
)
def parcels_to_send() -> QuerySet[Shipment]:
    """Shipments that are arranged and have not left."""
    return Shipment.objects.filter(status=ShipmentStatus.ARRANGED)


@work(
    "Deliveries that failed",
    group="Warehouse",
    place=21,
    model=Shipment,
    query={"status__exact": ShipmentStatus.DELIVERY_FAILED.value},
    since="updated_at",
    late_after=LONGEST_TO_DECIDE,
)
def deliveries_that_failed() -> QuerySet[Shipment]:
    """Shipments that the carrier could not hand over; it tries again."""
    return Shipment.objects.filter(status=ShipmentStatus.DELIVERY_FAILED)


@work(
    "Returns to approve",
    group="Warehouse",
    place=22,
    model=Return,
    query={"status__exact": ReturnStatus.REQUESTED.value},
    late_after=LONGEST_TO_DECIDE,
)
def returns_to_approve() -> QuerySet[Return]:
    """Returns that buyers asked for and nobody has decided about."""
    return Return.objects.filter(status=ReturnStatus.REQUESTED)


@work(
    "Returns to receive",
    group="Warehouse",
    place=23,
    model=Return,
    query={"status__exact": ReturnStatus.APPROVED.value},
    since="updated_at",
    late_after=LONGEST_ON_THE_WAY_BACK,
)
def returns_to_receive() -> QuerySet[Return]:
    """Returns whose goods are expected."""
    return Return.objects.filter(status=ReturnStatus.APPROVED)
