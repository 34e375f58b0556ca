"""The payment provider, as billing sees it: a port, and one adapter for each provider.

The provider is outside of every transaction of ours. What was asked of it under a key is asked again under the same
key, never under another: that is how it can tell a repetition from a second wish.
"""

from importlib import import_module
from typing import Protocol

from django.conf import settings
from msgspec import Struct

from integration.domain.identifiers import PaymentMethodId
from integration.domain.money import Money


class Charged(Struct, frozen=True):
    """The provider took the money; `reference` is what it calls that."""

    reference: str


class Declined(Struct, frozen=True):
    """The provider will not take the money; `code` says why, in its own words."""

    code: str


class OutcomeUnknown(Exception):
    """The line was cut: the provider may have done it or not. Ask again under the same key."""


class PaymentProvider(Protocol):
    """What billing asks of a payment provider; every call may raise `OutcomeUnknown`."""

    def charge(self, key: str, method: PaymentMethodId, amount: Money) -> Charged | Declined:
        """Take money, once for each key."""

    def find_charge(self, key: str) -> Charged | Declined | None:
        """What came of a charge; None if the provider never heard of it."""

    def refund(self, key: str, charge: str, amount: Money) -> str:
        """Give money back out of a charge, once for each key; returns the provider's reference."""


def provider() -> PaymentProvider:
    """The provider the settings name."""
    return import_module(f"billing.gateways.{settings.PAYMENT_PROVIDER}.adapter").adapter
