"""What the search box finds in fulfillment: shipments and returns."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from fulfillment.models import Return, Shipment, ShipmentText
from integration.admin.columns import exact_moment
from integration.admin.search import Term, newest, searches


def _about_shipment(shipment: Shipment) -> Sequence[Any]:
    carried = f"{shipment.carrier} {shipment.tracking_number}".strip()
    to = ", ".join(filter(None, (shipment.recipient.get(part) for part in ("recipient", "city"))))
    return shipment.get_status_display(), carried, to, exact_moment(shipment.created_at, "minutes")


@searches(Shipment, facts=_about_shipment, names=("pk", "tracking_number"), words=(ShipmentText,))
def shipments(term: Term) -> list[Shipment]:
    """A shipment by its identifier or its tracking number; those of an order; or those for a recipient."""
    # The conditions of the two indexes: one has what carriers track, the other what operators typed.
    tracked = Q(is_tracked=True, tracking_number__in=term.names)
    typed = Q(is_tracked=False, tracking_number__in=term.names) & ~Q(tracking_number="")
    exact = newest(Shipment, Q(pk__in=term.names), Q(order=term.order), tracked, typed)
    return exact or newest(Shipment, Q(pk__in=term.found_in(ShipmentText)[0]))


def _about_return(found: Return) -> Sequence[Any]:
    return found.get_status_display(), f"of order {found.order}", exact_moment(found.created_at, "minutes")


@searches(Return, facts=_about_return)
def returns(term: Term) -> list[Return]:
    """A return by its number, or those of an order."""
    return newest(Return, Q(pk__in=term.names), Q(order=term.order))
