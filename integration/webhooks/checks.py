"""A check of what endpoints want. `manage.py check --database default`, and each `migrate`, name what is no event."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connection

from integration.contracts.contract import contracts
from integration.webhooks.models import EVERYTHING, WebhookEndpoint


@register(Tags.database)
def endpoints_want_events_that_exist(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Each event that an endpoint wants is a contract of this code. Otherwise the endpoint waits for it in vain."""
    if not databases or WebhookEndpoint._meta.db_table not in connection.introspection.table_names():
        return []
    known = {EVERYTHING, *(name for name, _ in contracts.items())}
    return [
        Warning(
            f"the webhook endpoint {endpoint.pk} wants {', '.join(unknown)}, which is no event",
            hint="Change its events, or deploy code that knows them.",
            id="waybill.W030",
        )
        for endpoint in WebhookEndpoint.objects.order_by("pk")
        if (unknown := sorted({*endpoint.events, *endpoint.personal_data} - known))
    ]
