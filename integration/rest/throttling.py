"""Throttling counts requests by the monotonic clock.

If the machine's clock is set back, requests counted by that clock would stay recent for as long.
"""

from rest_framework.throttling import ScopedRateThrottle

from integration.domain import clock


class Throttle(ScopedRateThrottle):
    """Limits the requests of one client to the views of one scope."""

    timer = staticmethod(clock.stopwatch)
