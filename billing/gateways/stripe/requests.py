"""Which object at Stripe belongs to a key, and whether a key may still be repeated.

Source: https://docs.stripe.com/api/idempotent_requests, which says that keys can be removed once they are a day old.
"""

from collections.abc import Callable
from datetime import timedelta

from billing.gateways.stripe.client import Object
from billing.gateways.stripe.models import Request
from integration.domain import clock

GOOD_FOR = timedelta(hours=23)
"""How long a key is repeated, an hour less than Stripe promises to know it."""


def begin(key: str, about: str = "") -> Request:
    """The row of a key, committed before anything is requested under it."""
    row, _ = Request.objects.get_or_create(pk=key, defaults={"sent_at": clock.now(), "about": about})
    return row


def find(key: str) -> Request | None:
    """The row of a key; None if nothing was requested under it."""
    return Request.objects.filter(pk=key).first()


def make(row: Request, look: Callable[[], Object | None], create: Callable[[str], Object]) -> Object:
    """The object of a key: the one that exists, or a new one; its id is committed.

    Args:
        row: the row of the key, without an object.
        look: searches Stripe's lists for an object with this key. It is called if the key is too old to be repeated.
        create: requests the object under the idempotency key that it is given.

    Raises:
        OutcomeUnknown: try again; the key is repeated, or its object looked for.
    """
    found = None
    if row.sent_at < clock.now() - GOOD_FOR:
        found = look()
        if found is None:
            row.attempt, row.sent_at = row.attempt + 1, clock.now()
            row.save(update_fields=["attempt", "sent_at"])
    made = found or create(idempotency_key(row))
    row.object = made["id"]
    Request.objects.filter(pk=row.pk).update(object=row.object)
    return made


def idempotency_key(row: Request) -> str:
    """The key that Stripe gets."""
    return row.key if row.attempt == 1 else f"{row.key}-{row.attempt}"


def cancel(key: str) -> Request:
    """Note that nothing may be confirmed under a key from now on; returns its row."""
    begin(key)
    Request.objects.filter(pk=key).update(is_cancelled=True)
    return Request.objects.get(pk=key)


def is_cancelled(row: Request) -> bool:
    """Whether the key was cancelled by now."""
    return Request.objects.filter(pk=row.pk, is_cancelled=True).exists()
