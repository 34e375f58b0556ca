"""Leases that are renewed while an external system is called, because a call may take longer than a lease.

A thread renews them until the calls have returned. Without it, another worker would claim the delivery after `LEASE`
and repeat the call. A worker that is killed renews nothing, so its deliveries are claimed again as soon as any other.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Lock, Thread

from django.db import Error, connections

from integration.domain import clock
from integration.messaging.claim import LEASE, Claim
from integration.messaging.outcomes import claimed, release
from integration.messaging.wakeups import DeliveryQueue

log = logging.getLogger(__name__)

RENEWED_EVERY = LEASE / 3
"""The time from one renewal to the next. A failed renewal leaves time for one more before the lease ends."""

LONGEST_CALL = timedelta(seconds=90)
"""The time after which leases are not renewed any more. A call that takes longer counts as lost and is repeated."""


class Leases:
    """The leases of a batch of claims. Calls begin in the order of the claims, the first at once.

    Args:
        delivery_queue: the delivery queue of the claims.
        claims: the claims, all made by one statement.
    """

    def __init__(self, delivery_queue: DeliveryQueue, claims: Sequence[Claim]) -> None:
        self._delivery_queue, self._claims = delivery_queue, claims
        self._lock, self._stopped = Lock(), Event()
        self._begun, self._has_released = 1, False

    def begin(self, n: int) -> bool:
        """Whether the call of the n-th claim may begin; not if the claim has been released meanwhile."""
        with self._lock:
            if n >= self._begun and self._has_released:
                return False
            self._begun = max(self._begun, n + 1)
            return True

    def stop(self) -> None:
        """Renew no more."""
        self._stopped.set()

    def renew_until_stopped(self) -> None:
        """Renew the leases of the calls that have begun, until `stop` or for at most `LONGEST_CALL`.

        The first renewal also releases the claims whose calls have not begun.
        """
        began = clock.stopwatch()
        try:
            while not self._stopped.wait(RENEWED_EVERY.total_seconds()):
                if clock.stopwatch() - began > LONGEST_CALL.total_seconds():
                    log.error("a call to an external system takes too long: %s", self._claims[0].consumer)
                    return
                try:
                    self._renew()
                except Error as error:  # the next renewal tries again, on a new connection
                    log.warning("could not renew the leases of %s: %s", self._claims[0].consumer, error)
                    connections.close_all()
        finally:
            connections.close_all()

    def _renew(self) -> None:
        with self._lock:
            self._has_released = True
            begun, rest = self._claims[: self._begun], self._claims[self._begun :]
        claimed(begun).filter(in_flight=True).order_by().update(due_at=clock.now() + LEASE)
        if rest:
            release(self._delivery_queue, rest)
            self._claims = begun


@contextmanager
def leases_renewed(delivery_queue: DeliveryQueue, claims: Sequence[Claim]) -> Iterator[Leases]:
    """Renew the leases of these claims in a thread for the duration of the block; yields the leases."""
    leases = Leases(delivery_queue, claims)
    thread = Thread(target=leases.renew_until_stopped, name="leases", daemon=True)
    thread.start()
    try:
        yield leases
    finally:
        leases.stop()
        thread.join()
