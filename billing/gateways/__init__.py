"""The port to the payment provider, and one adapter for each provider.

Billing calls the provider only while no database transaction is open. A retry uses the idempotency key of the first
request: with another key, the provider would treat the retry as a second request and charge twice.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from typing import Literal, Protocol

from django.conf import settings

from billing.gateways.outcomes import ActionRequired as ActionRequired
from billing.gateways.outcomes import Authorized as Authorized
from billing.gateways.outcomes import Booked as Booked
from billing.gateways.outcomes import CallBack as CallBack
from billing.gateways.outcomes import Captured as Captured
from billing.gateways.outcomes import Charged as Charged
from billing.gateways.outcomes import Declined as Declined
from billing.gateways.outcomes import Disputed as Disputed
from billing.gateways.outcomes import Expired as Expired
from billing.gateways.outcomes import KnownMethod as KnownMethod
from billing.gateways.outcomes import Outcome as Outcome
from billing.gateways.outcomes import Pending as Pending
from billing.gateways.outcomes import Refunded as Refunded
from billing.gateways.outcomes import RefundFailed as RefundFailed
from billing.gateways.outcomes import RefundOutcome as RefundOutcome
from billing.gateways.outcomes import RefundPending as RefundPending
from billing.gateways.outcomes import Voided as Voided
from integration.domain.errors import OutcomeUnknown as OutcomeUnknown
from integration.domain.errors import Unacceptable
from integration.domain.identifiers import PaymentMethodId
from integration.domain.money import Money
from integration.gateways import signatures as signatures
from integration.gateways.signatures import ForgedCallBack as ForgedCallBack


class UnreadableCallBack(Unacceptable):
    """The callback is signed, but its content is not what the provider's callbacks contain."""


class PaymentProvider(Protocol):
    """What billing requires of a payment provider. Each call but `read_call_back` may raise `OutcomeUnknown`."""

    captures: Literal["once", "many"]
    """How often a part of one authorization can be captured. After the only capture, the rest is released."""

    publishable_key: str
    """What a buyer's browser needs to make a payment method at the provider; empty if it needs nothing."""

    kinds: Sequence[str]
    """The kinds of payment methods that buyers can use, such as `card`.

    An adapter may also have `remote`: by token, the label of a method with which the buyer of an order by phone pays
    later, such as a transfer.
    """

    def find_method(self, method: PaymentMethodId) -> KnownMethod | None:
        """What may be shown of a payment method; None if the provider knows none of this name."""

    def charge(self, key: str, method: PaymentMethodId, amount: Money, *, capture: bool = True) -> Booked:
        """Charge a payment method, once for each idempotency key; returns the provider's entry.

        Args:
            key: the idempotency key of the payment.
            method: the provider's name of the payment method.
            amount: how much to charge.
            capture: without it, a card is only authorized. Any other method is charged even so.
        """

    def find_charge(self, key: str) -> Booked | None:
        """The provider's entry of the charge with this key; None if it has none."""

    def cancel(self, key: str) -> Booked | None:
        """Cancel the payment with this key, whose deadline has passed; returns the provider's entry.

        From then on the provider takes no money under this key. What it took before stays: its entry is `Charged`, or
        `Authorized`. None if the provider does not know the key.
        """

    def capture(self, key: str, charge: str, amount: Money) -> Booked:
        """Take a part or all of an authorization, once for each key; returns the provider's entry of the capture.

        The entry is `Declined` if the authorization has lapsed or was released.

        Args:
            key: the idempotency key of the capture.
            charge: the provider's reference of the authorization.
            amount: how much to take.
        """

    def find_capture(self, key: str, charge: str) -> Booked | None:
        """The provider's entry of the capture of an authorization with this key; None if it has none."""

    def void(self, key: str, charge: str) -> Booked:
        """Release what is not captured of an authorization; returns the provider's entry of the authorization.

        It is `Voided` if nothing was captured before, and otherwise still `Authorized`.
        """

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


def providers() -> list[str]:
    """The names of all payment providers: the folders next to this file that have an adapter."""
    found = (module.name for module in iter_modules(__path__) if module.ispkg)
    return sorted(name for name in found if find_spec(f"{__name__}.{name}.adapter"))


def provider(name: str | None = None) -> PaymentProvider:
    """The adapter of the named provider, by default of `settings.PAYMENT_PROVIDER`; raises `LookupError`."""
    name = name or settings.PAYMENT_PROVIDER
    if name not in _adapters:
        if name not in providers():
            raise LookupError(f"there is no payment provider {name!r}")
        _adapters[name] = import_module(f"{__name__}.{name}.adapter").adapter
    return _adapters[name]


_adapters: dict[str, PaymentProvider] = {}
