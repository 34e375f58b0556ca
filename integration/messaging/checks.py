"""System checks for wiring mistakes: Waybill refuses to start rather than lose work later."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from integration.contracts.contract import contracts
from integration.domain.events import domain_events
from integration.domain.versions import missing_upcasters
from integration.messaging.consumers import Consumer, consumers
from integration.messaging.routines import Routine, routines


@register
def contexts_exist(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The name of every consumer and routine begins with a context that has workers."""
    named: list[tuple[str, Consumer | Routine]] = [*consumers.items(), *routines.items()]
    known = [*settings.CONTEXTS, "integration"]
    return [
        Error(f"{name!r} is named after none of {known}", id="waybill.E001")
        for name, entry in named
        if entry.context not in known
    ]


@register
def every_version_leads_to_the_newest(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Upcasters lead from every version of every event to its newest version. Otherwise stored events could not be
    read."""
    return [
        Error(
            f"no upcaster leads on from version {version} of {name}, which is in version {event.schema_version}",
            hint=f"Write one below the class: @upcast({event.__name__}, from_version={version})",
            id="waybill.E010",
        )
        for name, event in [*contracts.items(), *domain_events.items()]
        for version in missing_upcasters(event)
    ]


@register
def batches_lock_in_one_order(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A reaction in a transaction locks the rows of its whole batch in `prepare`.

    Otherwise each event of the batch locks its own rows. Two batches that lock the same rows in opposite orders end in
    a deadlock.
    """
    return [
        Warning(
            f"{name} has no `prepare`, so two batches of it can end in a deadlock",
            hint="Lock the rows of all its events there, or say `prepare=locks_nothing`.",
            id="waybill.W011",
        )
        for name, consumer in consumers.items()
        if not consumer.external and consumer.prepare is None
    ]


@register
def memory_broker_stays_in_process(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The broker `memory://` reaches no other process: it requires one web process whose workers are threads."""
    if not settings.EMBEDDED:
        return []
    errors: list[CheckMessage] = []
    if settings.WEB_CONCURRENCY > 1:
        errors.append(
            Error(
                f"{settings.WEB_CONCURRENCY} web processes cannot share the broker memory://",
                hint="Set WEB_CONCURRENCY=1, or CELERY_BROKER_URL to a Redis.",
                id="waybill.E002",
            )
        )
    if settings.CELERY_WORKER_POOL != "threads":
        errors.append(
            Error(
                f"a {settings.CELERY_WORKER_POOL} worker loses tasks on the broker memory://",
                hint="Set CELERY_WORKER_POOL=threads, or CELERY_BROKER_URL to a Redis.",
                id="waybill.E003",
            )
        )
    return errors
