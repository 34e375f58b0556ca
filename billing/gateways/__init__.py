"""The payment provider, as billing sees it: a port, and one adapter for each provider.

The provider is outside of every transaction of ours. What was asked of it under a key is asked again under the same
key, never under another: that is how it can tell a repetition from a second wish.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import import_module
from typing import Protocol

from django.conf import settings
from msgspec import Struct

from integration.domain.identifiers import PaymentMethodId
from integration.domain.money import Money


class Charged(Struct, frozen=True, tag="charged"):
    """The provider took the money; `reference` is what it calls that."""

    reference: str


class Declined(Struct, frozen=True, tag="declined"):
    """The provider will not take the money; `code` says why, in its own words."""

    code: str


class Refunded(Struct, frozen=True, tag="refunded"):
    """The provider gave money back; `reference` is what it calls that."""

    reference: str


class Booked(Struct, frozen=True):
    """An entry in the provider's books: what came of what was asked under `key`."""

    key: str
    outcome: Charged | Declined | Refunded
    amount: Money


class CallBack(Struct, frozen=True):
    """What the provider tells us of its own accord, any number of times and in any order."""

    id: str
    kind: str
    booked: Booked


class OutcomeUnknown(Exception):
    """The line was cut: the provider may have done it or not. Ask again under the same key."""


class ForgedCallBack(Exception):
    """The call-back is not signed by the provider, or was signed too long ago."""


class PaymentProvider(Protocol):
    """What billing asks of a payment provider; every call to it may raise `OutcomeUnknown`."""

    def charge(self, key: str, method: PaymentMethodId, amount: Money) -> Charged | Declined:
        """Take money, once for each key."""

    def find_charge(self, key: str) -> Charged | Declined | None:
        """What came of a charge; None if the provider never heard of it."""

    def refund(self, key: str, charge: str, amount: Money) -> str:
        """Give money back out of a charge, once for each key; returns the provider's reference."""

    def books(self, since: datetime) -> Iterator[Booked]:
        """All that the provider did for us since a moment."""

    def read_call_back(self, body: bytes, headers: Mapping[str, str]) -> CallBack:
        """A call-back, once its signature is checked; raises `ForgedCallBack`."""


PROVIDERS = ("sandbox",)


def provider(name: str | None = None) -> PaymentProvider:
    """The provider the settings name, or the one of this name; raises `LookupError`."""
    name = name or settings.PAYMENT_PROVIDER
    if name not in PROVIDERS:
        raise LookupError(f"there is no payment provider {name!r}")
    return import_module(f"billing.gateways.{name}.adapter").adapter
