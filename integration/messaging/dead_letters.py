"""What an operator asks of one delivery is done, or refused with a sentence that says why."""

from integration.domain.errors import NotFound, Refused
from integration.messaging.models import Delivery, Status
from integration.messaging.replay import replay
from integration.messaging.skip import skip


class NoSuchDelivery(NotFound):
    """There is no such delivery; what was settled long ago is in the archive."""


class AlreadySettled(Refused):
    """The delivery is settled, and stays so."""


class NotFailed(Refused):
    """The delivery has not failed: only what is dead, or failed at least once, can be skipped."""


def delivery(id: int) -> Delivery:
    """The delivery and its message; raises `NoSuchDelivery`."""
    try:
        return Delivery.objects.select_related("message").get(pk=id)
    except Delivery.DoesNotExist:
        raise NoSuchDelivery from None


def replay_one(id: int) -> Delivery:
    """Have the delivery tried again now; returns it as it is then.

    Raises:
        AlreadySettled: when it is done or was skipped.
        NoSuchDelivery: when there is none.
    """
    replayed = replay(Delivery.objects.filter(pk=id))
    found = delivery(id)
    if not replayed:
        raise _settled(found)
    return found


def skip_one(id: int, reason: str, actor: str) -> Delivery:
    """Skip the delivery; returns it as it is then.

    Raises:
        NoReason: for a reason that says nothing.
        AlreadySettled: when it is done or was skipped.
        NotFailed: when it waits for its first attempt, or that is being made.
        NoSuchDelivery: when there is none.
    """
    skipped = skip(Delivery.objects.filter(pk=id), reason, actor)
    found = delivery(id)
    if not skipped:
        raise _settled(found) if found.status in (Status.DONE, Status.SKIPPED) else NotFailed
    return found


def _settled(found: Delivery) -> AlreadySettled:
    return AlreadySettled(f"Delivery {found.pk} is {found.status}, and stays so.")
