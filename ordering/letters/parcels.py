"""Letters about parcels."""

from django.utils.translation import gettext as _

from integration.domain.identifiers import OrderNumber, ShipmentId
from ordering.letters.letter import Letter


def dispatched(
    order: OrderNumber, shipment: ShipmentId, carrier: str, tracking_number: str, tracking_url: str
) -> Letter:
    """A parcel left the warehouse; the tracking URL may be empty."""
    return Letter(
        "dispatched",
        _("Your order %(order)s is on its way (%(shipment)s)") % {"order": order, "shipment": shipment},
        (
            _("%(carrier)s is bringing it; the tracking number is %(number)s.")
            % {"carrier": carrier, "number": tracking_number},
        ),
        link=(_("See where it is"), tracking_url) if tracking_url else None,
    )


def delivery_failed(order: OrderNumber, shipment: ShipmentId) -> Letter:
    """The carrier could not deliver a parcel."""
    return Letter(
        "delivery_failed",
        _("Your order %(order)s is not delivered yet (%(shipment)s)") % {"order": order, "shipment": shipment},
        (
            _("The carrier could not deliver your parcel."),
            _("Usually the carrier tries again, or has left a note that says where the parcel is."),
        ),
    )


def delivered(order: OrderNumber, shipment: ShipmentId) -> Letter:
    """A parcel was delivered."""
    return Letter(
        "delivered",
        _("Your order %(order)s is delivered (%(shipment)s)") % {"order": order, "shipment": shipment},
        (
            _("The carrier reports that your parcel has arrived."),
            _("If it has not, or if something is wrong with the goods, please write to us."),
        ),
    )


def lost(order: OrderNumber, shipment: ShipmentId) -> Letter:
    """The carrier lost a parcel."""
    return Letter(
        "lost",
        _("Your order %(order)s is lost on its way (%(shipment)s)") % {"order": order, "shipment": shipment},
        (
            _("The carrier has lost it."),
            _("We will send the goods again or refund you, and write to you about it."),
        ),
    )


def replaced(order: OrderNumber, shipment: ShipmentId, replacement: OrderNumber) -> Letter:
    """The goods of a parcel are sent again, as another order."""
    return Letter(
        "replaced",
        _("Your order %(order)s is sent again (%(shipment)s)") % {"order": order, "shipment": shipment},
        (
            _("We send its goods again as order %(replacement)s, which costs you nothing.")
            % {"replacement": replacement},
        ),
    )
