"""What staff do with endpoints: register, change, rotate the secret, test, delete."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction

from integration.contracts.contract import contracts
from integration.domain import clock
from integration.domain.errors import NotFound, StaleVersion, Unacceptable, UnacceptableInput
from integration.domain.identifiers import new_event_id
from integration.domain.metadata import current_cause
from integration.domain.personal import personal_fields
from integration.gateways.public_addresses import UnusableUrl, checked_url
from integration.messaging.feed import newest
from integration.webhooks.models import EVERYTHING, EndpointDelivery, EndpointStatus, Kind, SharedOut, WebhookEndpoint
from integration.webhooks.outcomes import disable
from integration.webhooks.requests import TEST_TYPE

OVERLAP = timedelta(hours=24)
"""How long the old secret signs along after a rotation."""

MOST_CONCURRENCY = 20
"""The highest `concurrency` of an endpoint."""

BY_STAFF = "Disabled by staff."
"""Why an endpoint is disabled that staff disabled."""


class NoSuchEndpoint(NotFound):
    """There is no such webhook endpoint."""


class EndpointChanged(StaleVersion):
    """The webhook endpoint was changed in the meantime."""


def register(values: dict[str, Any], owner: AbstractBaseUser | AnonymousUser | None) -> WebhookEndpoint:
    """Register an endpoint; it gets what is published from now on.

    Args:
        values: `url`, `events` and perhaps `description`, `personal_data`, `ordered` and `concurrency`.
        owner: who gets an e-mail if it is disabled.

    Raises:
        UnacceptableInput: the URL may not be requested, or there is no such event.
    """
    _refuse_wrong(values)
    with transaction.atomic():
        _pause_sharing_out()
        return WebhookEndpoint.objects.create(**values, after=newest(), owner_id=owner.pk if owner else None)


def change(id: UUID, values: dict[str, Any], versions: Collection[int] | None = None) -> WebhookEndpoint:
    """Change an endpoint; returns it.

    One that is enabled, or gets other events, is owed what is published from now on. `replay` sends what was before.

    Args:
        id: the endpoint.
        values: as in `register`, and `status`; only those that change.
        versions: the versions that may be changed; None allows any.

    Raises:
        NoSuchEndpoint: there is none with this id.
        EndpointChanged: it has another version.
        UnacceptableInput: as in `register`.
    """
    _refuse_wrong(values)
    with transaction.atomic():
        _pause_sharing_out()
        endpoint = locked(id, versions)
        status = values.pop("status", None)
        if "events" in values and values["events"] != endpoint.events:
            endpoint.after = newest()
        for name, value in values.items():
            setattr(endpoint, name, value)
        if status == EndpointStatus.DISABLED:
            disable(endpoint, BY_STAFF, by_itself=False)
        elif status == EndpointStatus.ENABLED and not endpoint.is_enabled:
            _enable(endpoint)
        _save(endpoint)
    return endpoint


def rotate_secret(id: UUID) -> WebhookEndpoint:
    """Give an endpoint a new secret; the old one signs along for 24 hours. Raises `NoSuchEndpoint`."""
    with transaction.atomic():
        endpoint = locked(id)
        until = clock.now() + OVERLAP
        valid = [[number, end] for number, end in endpoint.old_secrets if end > clock.now().isoformat()]
        endpoint.old_secrets = [*valid, [endpoint.secret_number, until.isoformat()]]
        endpoint.secret_number += 1
        _save(endpoint)
    return endpoint


def send_test(id: UUID) -> EndpointDelivery:
    """Have a test sent to an endpoint, once, whether it is enabled or not. Raises `NoSuchEndpoint`."""
    with transaction.atomic():
        return EndpointDelivery.objects.create(
            endpoint=locked(id),
            message_id=new_event_id(),
            name=TEST_TYPE,
            correlation_id=current_cause().correlation_id,
            is_test=True,
        )


def delete(id: UUID) -> None:
    """Delete an endpoint with its rows and its log; raises `NoSuchEndpoint`."""
    with transaction.atomic():
        _pause_sharing_out()
        locked(id).delete()


def locked(id: UUID, versions: Collection[int] | None = None) -> WebhookEndpoint:
    """An endpoint, locked until the transaction ends; raises `NoSuchEndpoint` and `EndpointChanged`."""
    found = WebhookEndpoint.objects.filter(kind=Kind.WEBHOOK, pk=id).select_for_update(no_key=True).first()
    if found is None:
        raise NoSuchEndpoint
    if versions is not None and found.version not in versions:
        raise EndpointChanged
    return found


def _pause_sharing_out() -> None:
    """Let nothing be shared out until the transaction ends, and then by what it has changed.

    So an endpoint misses nothing after the end of the feed that it saw, and gets no row while it is deleted.
    """
    SharedOut.objects.bulk_create([SharedOut()], ignore_conflicts=True)
    SharedOut.objects.select_for_update().get()


def _enable(endpoint: WebhookEndpoint) -> None:
    endpoint.status, endpoint.disabled_because, endpoint.disabled_at = EndpointStatus.ENABLED, "", None
    endpoint.owner_is_due_notice, endpoint.failures, endpoint.failing_since = False, 0, None
    endpoint.not_before, endpoint.after = None, newest()


def _save(endpoint: WebhookEndpoint) -> None:
    endpoint.version, endpoint.updated_at = endpoint.version + 1, clock.now()
    endpoint.save()


def _refuse_wrong(values: dict[str, Any]) -> None:
    errors = [*_wrong_url(values.get("url")), *_wrong_events(values), *_wrong_personal_data(values)]
    if errors:
        raise UnacceptableInput(errors)


def _wrong_url(url: str | None) -> Sequence[Unacceptable]:
    if url is not None:
        try:
            checked_url(url, local=settings.WEBHOOKS.local)
        except UnusableUrl as error:
            return [Unacceptable(str(error), pointer="/url")]
    return []


def _wrong_events(values: dict[str, Any]) -> list[Unacceptable]:
    known = {EVERYTHING, *(name for name, _ in contracts.items())}
    return [
        Unacceptable("There is no such event.", pointer=f"/events/{n}")
        for n, name in enumerate(values.get("events", ()))
        if name not in known
    ]


def _wrong_personal_data(values: dict[str, Any]) -> list[Unacceptable]:
    known = {name for name, event in contracts.items() if personal_fields(event)}
    return [
        Unacceptable("There is no such event with personal data.", pointer=f"/personal_data/{n}")
        for n, name in enumerate(values.get("personal_data", ()))
        if name not in known
    ]
