"""Deliveries of a paused consumer are held: they wait without a due time that would come, and use up no attempt.

A claim therefore does not read past them, however many they are. A worker holds what it has claimed of a paused
consumer, and once a second a routine holds all that is due.

A consumer that has paused itself is probed: once a minute one of its held deliveries is tried. If that succeeds, the
consumer is resumed. After that its deliveries are released in portions, so that they do not delay new ones.

Older code knows none of this. It makes held deliveries due again and handles them.
"""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet

from integration.domain import clock
from integration.messaging.claim import Claim
from integration.messaging.consumer_states import ITSELF, locked, note_done
from integration.messaging.consumers import consumers
from integration.messaging.models import HELD, ConsumerState, Delivery, Status
from integration.messaging.outcomes import claimed
from integration.messaging.routines import Routine, register
from integration.messaging.wakeups import DeliveryQueue, wake
from integration.storage.row_locks import lock_in_order, skipping_locked

PROBED_EVERY = timedelta(minutes=1)
"""The time from one probe of a consumer to the next."""

AT_ONCE = 2_000
"""Deliveries held in one transaction. On SQLite all other writers wait for it."""

LONGEST_HOLDING = 0.5
"""Seconds after which the routine goes on with other consumers; its next run continues."""

MOST_RELEASED = 1_000
"""Due deliveries of a resumed consumer up to which more are released: about what a worker handles in a second."""


def hold(name: str, claims: Sequence[Claim]) -> None:
    """Hold claimed deliveries of a paused consumer; their attempt is not counted.

    If the consumer has been resumed since they were claimed, they are due as before.
    """
    with transaction.atomic():
        is_paused = locked(name).is_paused  # the lock is held, so a resume afterwards finds what is held here
        due_at = HELD if is_paused else clock.now()
        valid = Delivery.objects.filter(pk__in=lock_in_order(claimed(claims))).order_by()
        valid.update(attempts=F("attempts") - 1, in_flight=False, due_at=due_at)


def note_attempt(name: str, claims: Sequence[Claim]) -> None:
    """Note how an attempt of a consumer ended that was failing before; a probe that failed is held again.

    Args:
        name: the consumer.
        claims: the claims of the attempt.
    """
    with transaction.atomic():
        state = locked(name)
        of_attempt = Delivery.objects.filter(pk__in=[claim.id for claim in claims])
        if of_attempt.filter(status=Status.DONE).exists():
            note_done(state)
        elif state.is_paused:
            unclaimed = {"fencing_token": claims[0].fencing_token, "attempts": claims[0].attempt}
            failed = of_attempt.filter(status=Status.PENDING, **unclaimed)
            failed.update(attempts=F("attempts") - 1, in_flight=False, due_at=HELD)


def held() -> Q:
    """The condition that a delivery is held for a consumer that is paused, or is to be released."""
    of_paused = ConsumerState.objects.filter(Q(paused_at__isnull=False) | Q(releasing=True))
    return Q(status=Status.PENDING, due_at=HELD, consumer__in=of_paused.values("pk"))


def hold_and_release() -> None:
    """Hold what is due of each paused consumer, probe those that paused themselves, and release what was held of those
    that were resumed."""
    states = ConsumerState.objects.in_bulk()
    missing = [ConsumerState(consumer=name) for name, _ in consumers.items() if name not in states]
    ConsumerState.objects.bulk_create(missing, ignore_conflicts=True)
    for name, state in states.items():
        if name not in consumers:
            continue
        if state.is_paused:
            _hold_due(state)
            _probe(state)
        elif state.releasing:
            _release_some(name)


# `register`, not `every`: `integration.policies`, which defines `every`, imports this package.
register(Routine("integration.hold-and-release-deliveries", timedelta(seconds=1), hold_and_release))


def _hold_due(state: ConsumerState) -> None:
    began = clock.stopwatch()
    while clock.stopwatch() - began <= LONGEST_HOLDING:
        with transaction.atomic():
            if not locked(state.consumer).is_paused:
                return
            keys = _some(_pending(state.consumer, due_at__lte=clock.now()).exclude(pk=state.probe or 0), AT_ONCE)
            Delivery.objects.filter(pk__in=keys).update(due_at=HELD)
        if len(keys) < AT_ONCE:
            return


def _probe(state: ConsumerState) -> None:
    """Make one held delivery due, unless the consumer was probed in the last minute or is paused by an operator."""
    now = clock.now()
    if state.paused_by != ITSELF or (state.probed_at and state.probed_at > now - PROBED_EVERY):
        return
    waiting = _pending(state.consumer, due_at=HELD).order_by("pk")
    # In turn: the first one may be the only one that fails.
    chosen = waiting.filter(pk__gt=state.probe or 0).first() or waiting.first()
    if chosen is None:
        return
    with transaction.atomic():
        unchanged = ConsumerState.objects.filter(pk=state.pk, paused_at=state.paused_at, probed_at=state.probed_at)
        if unchanged.update(probe=chosen.pk, probed_at=now):
            Delivery.objects.filter(pk=chosen.pk, status=Status.PENDING, due_at=HELD).update(due_at=now)
    wake([DeliveryQueue(chosen.context, chosen.external)])


def _release_some(name: str) -> None:
    """Make held deliveries due until about a thousand of the consumer are due."""
    with transaction.atomic():
        state = locked(name)
        if state.is_paused:
            return
        free = MOST_RELEASED - _pending(name, due_at__lte=clock.now())[:MOST_RELEASED].count()
        keys = _some(_pending(name, due_at=HELD), free)
        Delivery.objects.filter(pk__in=keys).update(due_at=clock.now())
        if len(keys) < free:
            state.releasing = False
            state.save()
    consumer = consumers.get(name)
    wake([DeliveryQueue(consumer.context, consumer.external)])


def _pending(name: str, **when: object) -> QuerySet[Delivery]:
    """The consumer's deliveries that wait, in the order of the index on pending deliveries."""
    consumer = consumers.get(name)
    waiting = Delivery.objects.filter(
        status=Status.PENDING, context=consumer.context, external=consumer.external, in_flight=False, consumer=name
    )
    return waiting.filter(**when).order_by("due_at", "pk")


def _some(deliveries: QuerySet[Delivery], most: int) -> list[int]:
    """The keys of the first of these deliveries, locked; those that another transaction has locked are left out."""
    return list(skipping_locked(deliveries).values_list("pk", flat=True)[:most])
