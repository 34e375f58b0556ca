"""Leases that are renewed while an external system is called, because a call may take longer than a lease.

A thread renews them until the calls have returned. Without it, another worker would claim the delivery after `LEASE`
and repeat the call. A worker that is killed renews nothing, so its deliveries are claimed again as soon as any other.

The same thread gives up a call that exceeds its timeout, so that a call that never returns ends all the same.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Lock, Thread, current_thread

from django.db import Error, connections

from integration.domain import clock
from integration.messaging.call_threads import HUNG_FOR, call_threads
from integration.messaging.claim import LEASE, Claim
from integration.messaging.outcomes import claimed, release
from integration.messaging.wakeups import DeliveryQueue

log = logging.getLogger(__name__)

RENEWED_EVERY = LEASE / 3
"""The time from one renewal to the next. A failed renewal leaves time for one more before the lease ends."""


class Leases:
    """The leases of a batch of claims. Calls begin in the order of the claims, the first at once.

    Args:
        delivery_queue: the delivery queue of the claims.
        claims: the claims, all made by one statement.
        timeout: how long one call may take.
        on_timeout: settles the batch without the thread that makes the calls. Its argument is the claim of the call
            that takes too long; None if the calls have returned and what comes after them takes too long.
    """

    def __init__(
        self,
        delivery_queue: DeliveryQueue,
        claims: Sequence[Claim],
        timeout: timedelta,
        on_timeout: Callable[[Claim | None], None],
    ) -> None:
        self._delivery_queue, self._claims = delivery_queue, claims
        self._timeout, self._on_timeout = timeout.total_seconds(), on_timeout
        self._caller = current_thread()
        self._lock, self._stopped = Lock(), Event()
        self._current: Claim | None = claims[0]
        self._since = clock.stopwatch()
        self._begun, self._has_released, self._is_given_up = 1, False, False

    def begin(self, n: int) -> bool:
        """Whether the call of the n-th claim may begin; not if the claim has been released meanwhile."""
        with self._lock:
            if self._is_given_up or (n >= self._begun and self._has_released):
                return False
            if n:  # the first began with the batch
                self._current, self._since = self._claims[n], clock.stopwatch()
            self._begun = max(self._begun, n + 1)
            return True

    def end(self, settle: Callable[[], object]) -> bool:
        """Run `settle` for the call that has returned; not if the call was given up meanwhile. Returns whether it was
        run."""
        with self._lock:
            if self._is_given_up:
                return False
            self._current, self._since = None, clock.stopwatch()
            settle()
            return True

    def stop(self) -> None:
        """Renew no more."""
        with self._lock:
            self._stopped.set()

    @property
    def are_given_up(self) -> bool:
        """Whether a call took too long, so that the batch was settled without the thread that makes the calls."""
        return self._is_given_up

    def renew_until_stopped(self) -> None:
        """Renew the leases of the calls that have begun, until `stop` or until one takes too long.

        The first renewal also releases the claims whose calls have not begun.
        """
        renewed = clock.stopwatch()
        try:
            while not self._stopped.wait(self._seconds_until_next(renewed)):
                if self._give_up_if_late():
                    return
                if clock.stopwatch() - renewed < RENEWED_EVERY.total_seconds():
                    continue
                renewed = clock.stopwatch()
                try:
                    self._renew()
                except Error as error:  # the next renewal tries again, on a new connection
                    log.warning("could not renew the leases of %s: %s", self._claims[0].consumer, error)
                    connections.close_all()
        finally:
            connections.close_all()

    def _seconds_until_next(self, renewed: float) -> float:
        until = min(renewed + RENEWED_EVERY.total_seconds(), self._since + self._timeout)
        return max(until - clock.stopwatch(), 0.001)

    def _give_up_if_late(self) -> bool:
        with self._lock:
            if self._stopped.is_set() or clock.stopwatch() - self._since < self._timeout:
                return False
            self._is_given_up = True
            late, rest = self._current, self._claims[self._begun :]
        log.error("a call to an external system takes too long: %s", self._claims[0].consumer)
        call_threads.give_up(self._caller)
        try:
            self._on_timeout(late)
            if rest:
                release(self._delivery_queue, rest)
        except Error:  # the leases end, and the deliveries are claimed again
            log.exception("could not settle the deliveries of %s", self._claims[0].consumer)
        connections.close_all()
        if not self._stopped.wait(HUNG_FOR):
            call_threads.note_hung(self._caller)
        return True

    def _renew(self) -> None:
        with self._lock:
            self._has_released = True
            begun, rest = self._claims[: self._begun], self._claims[self._begun :]
            self._claims = begun
        claimed(begun).order_by().update(due_at=clock.now() + LEASE)
        if rest:
            release(self._delivery_queue, rest)


@contextmanager
def leases_renewed(
    delivery_queue: DeliveryQueue,
    claims: Sequence[Claim],
    timeout: timedelta,
    on_timeout: Callable[[Claim | None], None],
) -> Iterator[Leases]:
    """Renew the leases of these claims in a thread for the duration of the block; yields the leases.

    Args:
        delivery_queue, claims, timeout, on_timeout: as in `Leases`.
    """
    leases = Leases(delivery_queue, claims, timeout, on_timeout)
    thread = Thread(target=leases.renew_until_stopped, name="leases", daemon=True)
    thread.start()
    try:
        yield leases
    finally:
        leases.stop()
        if not leases.are_given_up:
            thread.join()
