"""A payment method is a provider's token that a buyer keeps for later orders. Only its buyer can pay with it."""

from typing import ClassVar, Self

from django.db import models

from billing import events
from integration.aggregates.aggregate import Aggregate, applies
from integration.domain.identifiers import BuyerId, PaymentMethodId
from integration.domain.states import IGNORE, StateTable, by_state

PREFIX = "PM-"
"""How the identifier of a payment method begins, in capitals as all of it. No provider's token begins like this."""


def is_own(method: PaymentMethodId) -> bool:
    """Whether it is the identifier of a buyer's payment method, and not a provider's token."""
    return method.startswith(PREFIX)


class PaymentMethodStatus(models.TextChoices):
    """The states of a payment method."""

    ACTIVE = "active"
    REMOVED = "removed"


_row = by_state(PaymentMethodStatus)

PAYMENT_METHOD_LIFE = StateTable(
    PaymentMethodStatus,
    {
        # message      active                              removed
        "remove": _row(PaymentMethodStatus.REMOVED.value, IGNORE),
    },
)  # fmt: skip


class PaymentMethod(Aggregate):
    """A payment method of a buyer, and what may be shown of it."""

    stream = "payment_method"
    life = PAYMENT_METHOD_LIFE

    id = models.CharField(max_length=40, primary_key=True)
    buyer = models.CharField(max_length=40, db_index=True)
    status = models.CharField(max_length=10, choices=PaymentMethodStatus, default=PaymentMethodStatus.ACTIVE)
    provider = models.CharField(max_length=20)
    token = models.CharField("the provider's token", max_length=80, blank=True)
    kind = models.CharField(max_length=40)
    brand = models.CharField(max_length=40, blank=True)
    last4 = models.CharField(max_length=4, blank=True)
    expires = models.CharField(max_length=7, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"payment method {self.id}"

    @classmethod
    def add(
        cls, id: PaymentMethodId, buyer: BuyerId, provider: str, token: PaymentMethodId, kind: str, **shown: str
    ) -> Self:
        """A new payment method of a buyer.

        Args:
            provider: the name of the payment provider that knows the token.
            kind: such as `card` or `bank_transfer`.
            shown: `brand`, `last4` and `expires`, as the provider knows them.
        """
        method = cls()
        method.record(
            events.PaymentMethodAdded(
                method=id,
                buyer=buyer,
                provider=provider,
                token=token,
                kind=kind,
                **shown,
            )
        )
        return method

    def remove(self) -> None:
        """Forget the token and all that is shown of it. An order that was to be paid with it cannot be charged."""
        if self.accepts("remove"):
            self.record(events.PaymentMethodRemoved(method=PaymentMethodId(self.id)))

    @applies(events.PaymentMethodAdded)
    def _added(self, event: events.PaymentMethodAdded) -> None:
        self.id, self.buyer, self.provider, self.token = event.method, event.buyer, event.provider, event.token
        self.kind, self.brand, self.last4, self.expires = event.kind, event.brand, event.last4, event.expires

    @applies(events.PaymentMethodRemoved)
    def _removed(self, event: events.PaymentMethodRemoved) -> None:
        self.status, self.token = PaymentMethodStatus.REMOVED, ""
        self.brand = self.last4 = self.expires = ""
