"""The failed deliveries of a story on its order's page: what hangs, why, and the way to try it again."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.text import Truncator

from integration.admin.columns import exact_moment, link
from integration.messaging.models import Delivery, Status

MOST_FAILURES = 3
"""The number of failed deliveries that are shown."""
FAILED = Q(status=Status.DEAD) | (Q(status=Status.PENDING, attempts__gt=0) & ~Q(error=""))


def failures(request: HttpRequest, correlation_id: UUID) -> list[dict[str, Any]]:
    """The dead deliveries of a story, and those that failed and are retried; none if the viewer may not view any."""
    page: Any = admin.site.get_model_admin(Delivery)
    if not page.has_view_permission(request):
        return []
    found = Delivery.objects.filter(FAILED, message__correlation_id=correlation_id).select_related("message")
    rows = found.defer("traceback", "message__data").order_by("status", "pk")[:MOST_FAILURES]
    return [
        {
            "delivery": link(Delivery, row.pk, row.consumer),
            "message": row.message.name,
            "is_dead": row.status == Status.DEAD,
            "attempts": row.attempts,
            "error": Truncator(row.error).chars(300),
            "due": exact_moment(row.due_at),
            "acts": page.acts_on(request, row),
        }
        for row in rows
    ]
