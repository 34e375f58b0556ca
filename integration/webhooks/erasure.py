"""A receiver's response may quote personal data. When a buyer is erased, the responses of their stories are blanked.

Bodies of requests need no erasing: they are stored nowhere, and what is sent later no longer contains what was erased.
"""

from collections.abc import Collection
from uuid import UUID

from integration.messaging.erasure import ERASED
from integration.webhooks.models import EndpointAttempt


def forget_attempts(stories: Collection[UUID]) -> None:
    """Blank the responses and errors of all attempts of these stories; one statement.

    Args:
        stories: correlation ids.
    """
    quoting = EndpointAttempt.objects.filter(delivery__correlation_id__in=stories)
    quoting.exclude(response="", error="").order_by().update(response=ERASED, error="")
