"""Each caller may send so many requests a minute of each kind: reading, writing, logging in, opening carts and so on.

Each process counts for itself, in memory, because counting in the database would make each read a write. It counts by
the monotonic clock: if the machine's clock is set back, requests counted by that would stay recent for as long. Failed
logins are counted for all processes, in `login_attempts`.
"""

from threading import Lock
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from integration.domain import clock
from integration.rest.addresses import address_of
from integration.rest.middleware import actor_of

WINDOW = 60.0
"""Seconds for which requests are counted together, from the caller's first."""
_lock = Lock()


def counted(key: str, window: float) -> tuple[float, int]:
    """Count something under a key.

    Returns:
        When the window of the count began, and how often it was counted before in that window.
    """
    now = clock.stopwatch()
    with _lock:
        began, count = cache.get(key, (now, 0))
        if began + window <= now:
            began, count = now, 0
        cache.set(key, (began, count + 1), timeout=2 * window)
    return began, count


class Throttle(BaseThrottle):
    """Limits the requests of a user, or of an address without a user."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count a request; False if it is one too many."""
        kind = view.kind_of_request()
        user = request.user
        caller = actor_of(user) if user and user.is_authenticated else quote(address_of(request))[:150]
        began, count = counted(f"throttle:{kind}:{caller}", WINDOW)
        self._until = began + WINDOW
        return count < settings.THROTTLES[kind]

    def wait(self) -> float:
        """The seconds until the next request is allowed."""
        return max(self._until - clock.stopwatch(), 1.0)
