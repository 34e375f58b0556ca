"""When a failed request is repeated: ten attempts over 75 hours and more. Source: Standard Webhooks, its example."""

import random
from datetime import timedelta

WAITS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
"""The shortest wait after each failed attempt but the last."""

ATTEMPTS = len(WAITS) + 1
"""After this many failed attempts a message is not sent to the endpoint any more, unless somebody replays it."""

JITTER = 1.1
"""The longest wait, in relation to the shortest. Receivers that failed together are not called together again."""

LASTS = sum(WAITS, timedelta())
"""The shortest time from the first attempt to the last: 75 h 35 min 5 s."""

LONGEST_ASKED = timedelta(hours=24)
"""The longest `Retry-After` that is obeyed."""


def wait_after(attempt: int, asked: timedelta | None) -> timedelta:
    """The wait after a failed attempt.

    Args:
        attempt: its number, from 1.
        asked: the receiver's `Retry-After`, if it sent one; the wait is at least that.
    """
    shortest = WAITS[min(attempt, len(WAITS)) - 1]
    wait = shortest * random.uniform(1, JITTER)  # noqa: S311 - not a secret
    return max(wait, min(asked or timedelta(), LONGEST_ASKED))
