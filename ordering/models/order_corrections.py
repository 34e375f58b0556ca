"""The part of an order that is about what operators write on it: notes, and a corrected address before dispatch.

Notes are in the history alone: they change nothing, and erasing the order deletes them with its other personal data.
"""

from typing import Any

import msgspec
from django.db import models

from integration.aggregates.aggregate import applies
from integration.domain.address import Address
from integration.domain.address_rules import region_code
from integration.domain.errors import Refused, Unacceptable
from ordering import events
from ordering.models.order_returns import OrderWithReturns
from ordering.models.order_states import CONFIRMED_STATES

REQUESTED, CORRECTED, TOO_LATE = "requested", "corrected", "too_late"
"""What became of the last correction of an address."""


class OrderIsErased(Refused):
    """The personal data of this order is erased, so nothing personal is added to it."""


class CountryStays(Unacceptable):
    """Shipping and tax of this order were priced for its country and region, so the new address must be there too."""


class SameAddress(Refused):
    """This is the address that the order has."""


class CorrectionUnderWay(Refused):
    """Another correction of this address is requested already. Fulfillment is still to decide."""


class OrderWithCorrections(OrderWithReturns):
    """An order with notes, and with an address that can be corrected.

    `address_correction` is the last correction that fulfillment is, or was, asked for: its number, its `status`, and as
    long as it is `requested` the address and the reason. It is empty without one.
    """

    shipping_address: Any
    is_anonymous: Any

    address_correction = models.JSONField(null=True, editable=False)

    class Meta:
        abstract = True

    @property
    def correction_status(self) -> str:
        """What became of the last correction that fulfillment was asked for; empty without one."""
        return (self.address_correction or {}).get("status", "")

    def add_note(self, text: str) -> None:
        """Write a note for other operators; raises `OrderIsErased`."""
        if self.accepts("add_note"):
            self.require(not self.is_anonymous, OrderIsErased)
            self.record(events.OrderNoteAdded(order=self._number, text=text))

    def correct_address(self, address: Address, reason: str) -> None:
        """Let what has not left yet go to another address. Once the order is confirmed, fulfillment decides.

        Raises:
            NotAllowed: all of the order is shipped or cancelled.
            CountryStays: the address is in another country, or in another region with taxes of its own.
            SameAddress: it is the address that the order has.
            CorrectionUnderWay: another correction is requested.
        """
        if not self.accepts("correct_address"):
            return
        now = Address(**self.shipping_address)
        self.require(_place(address) == _place(now), CountryStays(pointer="/country"))
        self.require(address != now, SameAddress)
        self.require(self.correction_status != REQUESTED, CorrectionUnderWay)
        number, is_asked = (self.address_correction or {}).get("correction", 0), self.status in CONFIRMED_STATES
        kind = events.OrderAddressCorrectionRequested if is_asked else events.OrderAddressCorrected
        self.record(kind(order=self._number, correction=number + is_asked, shipping_address=address, reason=reason))

    def settle_address_correction(self, correction: int, *, is_corrected: bool) -> None:
        """Record what fulfillment decided about a correction; ignored if it is not the one that is requested."""
        known = self.address_correction or {}
        is_open = known.get("status") == REQUESTED and known["correction"] == correction
        if not self.accepts("settle_address_correction") or not is_open:
            return
        if is_corrected:
            address, reason = Address(**known["address"]), known["reason"]
            self.record(
                events.OrderAddressCorrected(
                    order=self._number, correction=correction, shipping_address=address, reason=reason
                )
            )
        else:
            self.record(events.OrderAddressCorrectionRefused(order=self._number, correction=correction))

    @applies(events.OrderNoteAdded)
    def _note_added(self, event: events.OrderNoteAdded) -> None:
        """A note changes nothing."""

    @applies(events.OrderAddressCorrectionRequested)
    def _correction_requested(self, event: events.OrderAddressCorrectionRequested) -> None:
        address = msgspec.to_builtins(event.shipping_address)
        self.address_correction = {
            "correction": event.correction,
            "status": REQUESTED,
            "address": address,
            "reason": event.reason,
        }

    @applies(events.OrderAddressCorrected)
    def _address_corrected(self, event: events.OrderAddressCorrected) -> None:
        self.shipping_address = msgspec.to_builtins(event.shipping_address)
        if event.correction:
            self.address_correction = {"correction": event.correction, "status": CORRECTED}

    @applies(events.OrderAddressCorrectionRefused)
    def _correction_refused(self, event: events.OrderAddressCorrectionRefused) -> None:
        self.address_correction = {"correction": event.correction, "status": TOO_LATE}

    def forget_correction(self) -> None:
        """Remove the address and the reason of a requested correction."""
        if self.correction_status == REQUESTED:
            correction = (self.address_correction or {})["correction"]
            self.address_correction = {"correction": correction, "status": TOO_LATE}


def _place(address: Address) -> tuple[str, str]:
    return address.country, region_code(address.country, address.region) or ""
