"""The commands of buyers' payment methods: keep one, remove it, and forget all of a buyer who is erased."""

from django.conf import settings

from billing.gateways import KnownMethod, provider
from billing.models import PaymentMethod, PaymentMethodStatus
from billing.models.payment_method import PREFIX
from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import NotFound, Unacceptable
from integration.domain.identifiers import BuyerId, PaymentMethodId, new_event_id


class UnknownToken(Unacceptable):
    """The payment provider knows no payment method under this token."""


def find_method(token: PaymentMethodId) -> KnownMethod | None:
    """What the provider knows of a token; None if it knows none. Call it while no transaction is open.

    Raises:
        OutcomeUnknown: the provider did not respond.
    """
    return provider().find_method(token)


def add_payment_method(buyer: BuyerId, token: PaymentMethodId, known: KnownMethod | None) -> PaymentMethod:
    """Keep a payment method of a buyer for later orders.

    Args:
        token: the provider's name of the payment method; never a card number.
        known: what `find_method` returned.

    Raises:
        UnknownToken: the provider knows no such token.
    """
    if known is None:
        raise UnknownToken(f"the payment provider does not know {token!r}", pointer="/provider_token")
    shown = {name: getattr(known, name) for name in ("brand", "last4", "expires")}
    id = PaymentMethodId(f"{PREFIX}{new_event_id().hex.upper()}")
    added = PaymentMethod.add(id, buyer, settings.PAYMENT_PROVIDER, token, known.kind, **shown)
    with unit_of_work() as work:
        work.add(added)
    return added


def remove_payment_method(id: PaymentMethodId, buyer: BuyerId) -> None:
    """Remove a payment method of a buyer, and all that is stored of it.

    Raises:
        NotFound: the buyer has no such payment method.
    """
    with unit_of_work() as work:
        method = work.find(PaymentMethod, id)
        if method is None or method.buyer != buyer or method.status != PaymentMethodStatus.ACTIVE:
            raise NotFound(f"there is no payment method {id}")
        method.remove()
        forget(PaymentMethod, [id])


def forget_payment_methods(buyer: BuyerId) -> None:
    """Remove all payment methods of a buyer who is erased; the number of SQL statements is constant."""
    own = PaymentMethod.objects.filter(buyer=buyer, status=PaymentMethodStatus.ACTIVE).order_by("pk")
    ids = list(own.values_list("pk", flat=True))
    if not ids:
        return
    with unit_of_work() as work:
        for method in work.get_many(PaymentMethod, ids).values():
            method.remove()
        forget(PaymentMethod, ids)
