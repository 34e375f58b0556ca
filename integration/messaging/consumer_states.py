"""A consumer whose last deliveries all became dead letters pauses itself; operators pause and resume consumers.

While a consumer is paused, its deliveries are held: see `holding`. The state is a row in the database, which a claim
reads along. Only a failure, and the first success after failures, write it.
"""

import logging
from datetime import datetime

from django.conf import settings
from django.db import transaction

from integration.domain import clock
from integration.domain.errors import NotFound, Refused, Unacceptable
from integration.measuring import count_failed
from integration.messaging.consumers import consumers
from integration.messaging.models import HELD, ConsumerState, Delivery, Status

log = logging.getLogger(__name__)

ITSELF = "system"
"""Who paused a consumer that paused itself. Only such a consumer is probed: an operator resumes what they paused."""

AN_OUTAGE = 3
"""Failed attempts of an external consumer, without a success among them, after which its external system was away."""

MOST_BROUGHT_FORWARD = 5_000
"""Deliveries that are due at once when an external system is back."""


class NoSuchConsumer(NotFound):
    """There is no such consumer."""


class NoReasonToPause(Unacceptable):
    """Give the reason for pausing: nothing else will explain it later."""


class NotPaused(Refused):
    """The consumer is not paused."""


def states() -> dict[str, ConsumerState]:
    """The state of every registered consumer and of every other one that has a row, by name; one query."""
    found = {name: ConsumerState(consumer=name) for name, _ in consumers.items()}
    return dict(sorted((found | ConsumerState.objects.in_bulk()).items()))


def pause(name: str, reason: str, actor: str) -> ConsumerState:
    """Hold the consumer's deliveries until it is resumed; returns its state.

    Args:
        name: the consumer's wire name. If it has paused itself, it is now paused by the actor, and not probed.
        reason: why its deliveries are not to be handled.
        actor: who decided this, such as `user:12`.

    Raises:
        NoSuchConsumer: there is none of this name.
        NoReasonToPause: the reason is blank.
    """
    if not reason.strip():
        raise NoReasonToPause(pointer="/reason")
    with transaction.atomic():
        state = locked(name)
        _pause(state, reason.strip(), actor)
    log.warning("%s is paused by %s: %s", name, actor, reason.strip())
    return state


def resume(name: str, actor: str) -> ConsumerState:
    """Let the consumer's deliveries be handled again; returns its state.

    Raises:
        NoSuchConsumer: there is none of this name.
        NotPaused: it is not paused.
    """
    with transaction.atomic():
        state = locked(name)
        if not state.is_paused:
            raise NotPaused
        _resume(state, actor)
    log.warning("%s is resumed by %s", name, actor)
    return state


def locked(name: str) -> ConsumerState:
    """The consumer's state, locked until the transaction ends; raises `NoSuchConsumer`."""
    if name in consumers:
        ConsumerState.objects.bulk_create([ConsumerState(consumer=name)], ignore_conflicts=True)
    try:
        return ConsumerState.objects.select_for_update().get(pk=name)
    except ConsumerState.DoesNotExist:
        raise NoSuchConsumer from None


def note_failed(name: str, error: Exception, *, died: bool) -> None:
    """Count a failed attempt; the consumer pauses itself when its last deliveries have all died.

    Args:
        name: the consumer.
        error: why it failed. An external system that says when to ask again is not away.
        died: whether the delivery is now a dead letter.
    """
    count_failed(name, died=died)
    is_away = consumers.get(name).external and getattr(error, "retry_after", None) is None
    if not (died or is_away):
        return
    with transaction.atomic():
        state = locked(name)
        state.failures, state.deaths = state.failures + is_away, state.deaths + died
        pauses = died and not state.is_paused and state.deaths >= settings.PAUSE_AFTER_DEATHS
        if pauses:
            _pause(state, f"Its last {state.deaths} deliveries all became dead letters.", ITSELF)
        state.save()
    if pauses:
        log.error("%s has paused itself: its last %s deliveries all became dead letters", name, state.deaths)


def note_wait(name: str, until: datetime) -> None:
    """Let no worker call the external system of a consumer before this moment, because it asked for that."""
    with transaction.atomic():
        state = locked(name)
        if state.waits_until is None or state.waits_until < until:
            state.waits_until = until
            state.save(update_fields=["waits_until"])


def note_done(state: ConsumerState) -> None:
    """Note that a delivery of a consumer that was failing is done; the state is locked.

    A consumer that has paused itself is resumed. If its external system was away, deliveries that wait for their next
    attempt are due now.
    """
    if state.failures >= AN_OUTAGE:
        log.warning("%s succeeds again after %s failures", state, state.failures)
        _bring_forward(state.consumer)
    state.failures = state.deaths = 0
    if state.is_paused and state.paused_by == ITSELF:
        log.warning("%s has resumed itself: a probe succeeded", state)
        _resume(state, ITSELF)
    else:
        state.save()


def _pause(state: ConsumerState, reason: str, actor: str) -> None:
    now = clock.now()
    state.paused_at, state.paused_by, state.reason = now, actor, reason
    state.resumed_at, state.resumed_by, state.releasing = None, "", False
    state.probed_at = now if actor == ITSELF else None
    state.probe = None
    state.save()


def _resume(state: ConsumerState, actor: str) -> None:
    state.paused_at, state.paused_by, state.reason = None, "", ""
    state.resumed_at, state.resumed_by, state.releasing = clock.now(), actor, True
    state.probe = state.probed_at = None
    state.failures = state.deaths = 0
    state.save()


def _bring_forward(name: str) -> None:
    """Make deliveries due now that failed and wait for their next attempt."""
    now, consumer = clock.now(), consumers.get(name)
    waiting = Delivery.objects.filter(
        status=Status.PENDING,
        context=consumer.context,
        external=consumer.external,
        in_flight=False,
        due_at__gt=now,
        due_at__lt=HELD,
        consumer=name,
    )
    first = waiting.exclude(error="").order_by("due_at", "pk").values_list("pk")[:MOST_BROUGHT_FORWARD]
    waiting.filter(pk__in=first).order_by().update(due_at=now)
