"""The owner of an endpoint that disabled itself gets an e-mail, at least once and with one Message-ID."""

import logging
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage

from integration.policies import every
from integration.webhooks.models import WebhookEndpoint

log = logging.getLogger(__name__)

MOST = 20
"""E-mails of one run; the next run continues."""


@every(timedelta(seconds=30), name="integration.notify-endpoint-owners", external=True)
def notify_owners() -> None:
    """Send the e-mails that are due. One that the mail server does not accept is tried again by the next run."""
    due = WebhookEndpoint.objects.filter(owner_is_due_notice=True).select_related("owner").order_by("pk")
    for endpoint in due[:MOST]:
        if endpoint.owner and endpoint.owner.email and endpoint.owner.is_active:
            try:
                _letter(endpoint).send()
            except OSError as error:
                log.warning("could not notify the owner of the webhook endpoint %s: %r", endpoint.pk, error)
                continue
        else:
            log.error("the webhook endpoint %s is disabled, and has no owner with an e-mail address", endpoint.pk)
        disabled_then = WebhookEndpoint.objects.filter(pk=endpoint.pk, disabled_at=endpoint.disabled_at)
        disabled_then.update(owner_is_due_notice=False)


def _letter(endpoint: WebhookEndpoint) -> EmailMessage:
    body = (
        f"The webhook endpoint {endpoint.url} is disabled. {endpoint.disabled_because}\n\n"
        "Nothing more is sent to it. Once the receiver works again, set the status of the endpoint to enabled, and "
        "replay what was published in the meantime.\n\n"
        f"Endpoint: {endpoint.pk}\nDescription: {endpoint.description or '-'}\nDisabled at: {endpoint.disabled_at}\n"
    )
    moment = int(endpoint.disabled_at.timestamp()) if endpoint.disabled_at else 0
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2]
    headers = {"Message-ID": f"<webhook-{endpoint.pk}-{moment}@{domain}>"}
    to = [endpoint.owner.email] if endpoint.owner else []
    return EmailMessage("A webhook endpoint is disabled", body, to=to, headers=headers)
