"""The port to carriers, and one adapter for each carrier that Waybill can talk to.

Fulfillment calls a carrier only while no database transaction is open. A retry uses the idempotency key of the first
request: with another key, the carrier would sell a second label.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Annotated, Literal, Protocol

from django.conf import settings
from msgspec import Meta, Struct

from integration.domain.address import Address
from integration.domain.errors import OutcomeUnknown as OutcomeUnknown
from integration.domain.errors import Unacceptable
from integration.domain.identifiers import ShipmentId, Sku
from integration.gateways.signatures import ForgedCallBack as ForgedCallBack

_STORABLE = r"\A[^\x00\ud800-\udfff]+\Z"
Reference = Annotated[str, Meta(max_length=80, pattern=_STORABLE)]
Code = Annotated[str, Meta(max_length=120, pattern=_STORABLE)]
Note = Annotated[str, Meta(max_length=500, pattern=r"\A[^\x00\ud800-\udfff]*\Z")]
"""Text that a carrier may send: no longer than its column, without what a database cannot store."""


class Parcel(Struct, frozen=True, kw_only=True):
    """What a carrier is to bring.

    Args:
        reference: our identifier, which is printed on the label.
        service: one of the carrier's services.
        goods: the units of each SKU.
    """

    reference: ShipmentId
    service: str
    recipient: Address
    goods: Mapping[Sku, int]


class Bought(Struct, frozen=True, tag="bought"):
    """The carrier sold a label, whose number tracks the parcel."""

    tracking_number: Reference


class Declined(Struct, frozen=True, tag="declined"):
    """The carrier sells no such label; `code` is its reason, such as `not_served`."""

    code: Code


class CarrierScan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A report of where a parcel is. It may arrive any number of times and in any order.

    Args:
        id: the carrier's identifier of the report.
        at: the carrier's time.
    """

    id: Reference
    tracking_number: Reference
    status: Literal["in_transit", "delivery_failed", "lost", "returned_to_sender", "delivered"]
    at: Annotated[datetime, Meta(tz=True)]
    note: Note = ""


class UnreadableCallBack(Unacceptable):
    """The callback is signed, but its content is not what the carrier's callbacks contain."""


class UnknownCarrier(LookupError):
    """There is no such carrier, or it is not set up."""


class Carrier(Protocol):
    """What fulfillment requires of a carrier."""

    services: Sequence[str]
    """The services for which it sells labels, the usual one first. A carrier without services sells none."""

    def buy_label(self, key: str, parcel: Parcel) -> Bought | Declined:
        """Buy a label, once for each idempotency key; raises `OutcomeUnknown`."""

    def cancel_label(self, key: str) -> None:
        """Cancel the label with this key, now or as soon as it is bought; raises `OutcomeUnknown`."""

    def tracking_url(self, tracking_number: str) -> str:
        """The page where a recipient sees where the parcel is; empty if there is none."""

    def read_call_back(self, body: bytes, headers: Mapping[str, str]) -> CarrierScan:
        """Check the signature of a callback and decode it; raises `ForgedCallBack`, `UnreadableCallBack`."""


MANUAL = "manual"


def carrier(name: str) -> Carrier:
    """The adapter of a carrier of `settings.CARRIERS`; raises `UnknownCarrier`."""
    if name not in settings.CARRIERS:
        raise UnknownCarrier(f"there is no carrier {name!r}")
    adapter: Carrier = import_module(f"fulfillment.gateways.carriers.{name}.adapter").adapter
    return adapter


def carrier_or_manual(name: str) -> Carrier:
    """The adapter of a carrier; `manual` for the name of any carrier that Waybill cannot talk to."""
    try:
        return carrier(name)
    except UnknownCarrier:
        adapter: Carrier = import_module(f"fulfillment.gateways.carriers.{MANUAL}.adapter").adapter
        return adapter


def tracking_url(name: str, tracking_number: str) -> str:
    """The page where a recipient sees where a parcel of a carrier is; empty if there is none."""
    return carrier_or_manual(name).tracking_url(tracking_number)
