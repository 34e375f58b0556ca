"""The retry schedule of a consumer: how often a delivery is tried, and how long it waits between two attempts.

A reaction in the database fails because of a bug or a deadlock, so its deliveries soon become dead letters that people
see. An external system may be away for hours, and its deliveries wait for it.
"""

import random
from datetime import timedelta

from django.conf import settings
from msgspec import Struct


class Retries(Struct, frozen=True):
    """A retry schedule. The wait doubles from one second on, and its second half is random.

    Args:
        attempts: after this many failed attempts a delivery is a dead letter.
        longest_wait: the longest time from a failed attempt to the next one.
    """

    attempts: int
    longest_wait: timedelta

    def wait(self, attempt: int, error: Exception | None = None) -> timedelta:
        """The wait after a failed attempt.

        Args:
            attempt: its number, from 1.
            error: why it failed. If it has a `retry_after`, as the response 429 of an HTTP server may say, the wait is
                at least that, but at most `longest_wait`.
        """
        longest = self._longest_wait_after(attempt)
        wait = timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311
        asked_for = getattr(error, "retry_after", None) or timedelta()
        return max(wait, min(asked_for, self.longest_wait))

    @property
    def lasts(self) -> timedelta:
        """The longest time from the first attempt to the last."""
        return timedelta(seconds=sum(map(self._longest_wait_after, range(1, self.attempts))))

    @property
    def longest_without_request(self) -> timedelta:
        """The longest wait that the schedule reaches by itself, without a `retry_after`."""
        return timedelta(seconds=self._longest_wait_after(self.attempts - 1))

    def _longest_wait_after(self, attempt: int) -> float:
        return min(2.0 ** (attempt - 1), self.longest_wait.total_seconds())


def default_retries(external: bool) -> Retries:
    """The schedule of a consumer that declares none: minutes in the database, days for an external system."""
    if external:
        return Retries(settings.EXTERNAL_MAX_ATTEMPTS, timedelta(hours=6))
    return Retries(settings.DELIVERY_MAX_ATTEMPTS, timedelta(minutes=10))


def duration_words(duration: timedelta) -> str:
    """A duration in its largest unit that is not less than two, such as `10 min` or `2.4 days`."""
    seconds = duration.total_seconds()
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
