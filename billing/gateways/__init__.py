"""The port to the payment provider, and one adapter for each provider.

Billing calls the provider only while no database transaction is open. A retry uses the idempotency key of the first
request: with another key, the provider would treat the retry as a second request and charge twice.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import import_module
from typing import Annotated, Protocol

from django.conf import settings
from msgspec import Meta, Struct

from integration.domain.errors import OutcomeUnknown as OutcomeUnknown
from integration.domain.errors import Unacceptable
from integration.domain.identifiers import PaymentMethodId
from integration.domain.money import Money
from integration.gateways import signatures as signatures
from integration.gateways.signatures import ForgedCallBack as ForgedCallBack

_STORABLE = r"\A[^\x00\ud800-\udfff]+\Z"
Short = Annotated[str, Meta(max_length=40, pattern=_STORABLE)]
Reference = Annotated[str, Meta(max_length=80, pattern=_STORABLE)]
Long = Annotated[str, Meta(max_length=120, pattern=_STORABLE)]
"""Text that a provider may send: not empty, no longer than its column, without what a database cannot store."""


class Charged(Struct, frozen=True, tag="charged"):
    """The provider took the money; `reference` is the provider's identifier of the charge."""

    reference: Reference


class Declined(Struct, frozen=True, tag="declined"):
    """The provider declined the charge; `code` is its reason, such as `insufficient_funds`."""

    code: Long


class Refunded(Struct, frozen=True, tag="refunded"):
    """The provider refunded money; `reference` is the provider's identifier of the refund."""

    reference: Reference


class Booked(Struct, frozen=True):
    """An entry in the provider's books: the outcome of the request with the idempotency key `key`."""

    key: Reference
    outcome: Charged | Declined | Refunded
    amount: Money


class CallBack(Struct, frozen=True):
    """A notification that the provider sends. It may arrive any number of times and in any order."""

    id: Long
    kind: Short
    booked: Booked


class UnreadableCallBack(Unacceptable):
    """The callback is signed, but its content is not what the provider's callbacks contain."""


class PaymentProvider(Protocol):
    """What billing requires of a payment provider. Each call but `read_call_back` may raise `OutcomeUnknown`."""

    def charge(self, key: str, method: PaymentMethodId, amount: Money) -> Booked:
        """Charge a payment method, once for each idempotency key; returns the provider's entry."""

    def find_charge(self, key: str) -> Booked | None:
        """The provider's entry of the charge with this key; None if it has none."""

    def find_refund(self, key: str) -> Booked | None:
        """The provider's entry of the refund with this key; None if it has none."""

    def refund(self, key: str, charge: str, amount: Money) -> Booked:
        """Refund a part or all of a charge, once for each key.

        Args:
            key: the idempotency key of the refund.
            charge: the provider's reference of the charge.
            amount: how much to refund.

        Returns:
            The provider's entry of the refund.
        """

    def books(self, since: datetime) -> Iterator[Booked]:
        """The provider's entries since a moment."""

    def read_call_back(self, body: bytes, headers: Mapping[str, str]) -> CallBack:
        """Check the signature of a callback and decode it; raises `ForgedCallBack`, `UnreadableCallBack`."""


PROVIDERS = ("sandbox",)


def provider(name: str | None = None) -> PaymentProvider:
    """The adapter of the named provider, by default of `settings.PAYMENT_PROVIDER`; raises `LookupError`."""
    name = name or settings.PAYMENT_PROVIDER
    if name not in PROVIDERS:
        raise LookupError(f"there is no payment provider {name!r}")
    return import_module(f"billing.gateways.{name}.adapter").adapter
