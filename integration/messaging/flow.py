"""Flow control of external consumers: how often and how many at once they call, over all workers together.

The consumer's state counts the calls. Only a consumer with limits locks that row, at most twice for each batch; any
other pays nothing. A limit that is reached costs a delivery no attempt: the delivery is due again a little later.

An external system that asks to wait (429 with Retry-After) is asked by no worker until then: a claim reads that moment
along with the consumer's state.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, Q

from integration.domain import clock
from integration.messaging.claim import Claim
from integration.messaging.consumer_states import locked
from integration.messaging.limits import Flow
from integration.messaging.models import ConsumerState, Delivery
from integration.messaging.outcomes import claim_of, claimed
from integration.messaging.parking import Readable
from integration.storage.row_locks import lock_in_order

AHEAD = timedelta(milliseconds=250)
"""How far ahead a worker plans its calls; about how long it makes calls before it records their results."""

AGAIN = timedelta(milliseconds=300)
"""After which time a delivery is tried again for which no call was free."""

GRACE = timedelta(seconds=5)
"""How much longer than its timeout a call counts as under way if its worker has died."""


class Admission(NamedTuple):
    """The deliveries whose calls may be made now, one after the other, and the times to wait before each."""

    deliveries: list[Readable]
    pauses: list[float]


@contextmanager
def admitted(name: str, flow: Flow, timeout: timedelta, deliveries: Sequence[Readable]) -> Iterator[Admission]:
    """Admit the deliveries that the limits allow for the duration of the block, and make the others due again soon.

    Args:
        name: the consumer.
        flow: its limits.
        timeout: how long one of its calls may take.
        deliveries: the claimed deliveries, with their events.
    """
    ours = f"{deliveries[0][0].pk}-{deliveries[0][0].fencing_token}"
    with transaction.atomic():
        state, now = locked(name), clock.now()
        calls = {each: call for each, call in state.calls.items() if call["until"] > now.timestamp()}
        found = [each for each in deliveries if _is_free(flow, calls, each)]
        if flow.at_once is not None and len(calls) >= flow.at_once:
            found = []
        first = max(state.next_call_at or now, now)
        if flow.rate:
            free = int((now + AHEAD - first) / flow.rate.interval) + 1 if first <= now + AHEAD else 0
            found = found[:free]
            state.next_call_at = first + flow.rate.interval * len(found)
        if found:
            until = now + timeout + AHEAD + GRACE
            calls[ours] = {"until": until.timestamp(), "keys": sorted({*_keys(flow, found)})}
        state.calls = calls
        state.save(update_fields=["calls", "next_call_at"])
        known = {delivery.pk for delivery, _ in found}
        refused = [claim_of(delivery) for delivery, _ in deliveries if delivery.pk not in known]
        if refused:
            wait_until(refused, max(now + AGAIN, state.next_call_at or now))
    interval = flow.rate.interval.total_seconds() if flow.rate else 0.0
    pauses = [(first - now).total_seconds(), *[interval] * (len(found) - 1)] if flow.rate else [0.0] * len(found)
    try:
        yield Admission(found, pauses)
    finally:
        if found and (flow.at_once is not None or flow.key is not None):
            _leave(name, ours)


def _leave(name: str, ours: str) -> None:
    with transaction.atomic():
        state = locked(name)
        if state.calls.pop(ours, None):
            state.save(update_fields=["calls"])


def _is_free(flow: Flow, calls: dict[str, Any], delivery: Readable) -> bool:
    if flow.key is None or flow.at_once_per_key is None:
        return True
    busy = Counter(key for call in calls.values() for key in call["keys"])
    return busy[_hashed(flow.key(delivery[1]))] < flow.at_once_per_key


def _keys(flow: Flow, deliveries: Sequence[Readable]) -> Iterator[str]:
    if flow.key is not None:
        yield from (_hashed(flow.key(event)) for _, event in deliveries)


def _hashed(key: str) -> str:
    """A key as it is stored: it may be personal."""
    return blake2b(key.encode(), digest_size=8).hexdigest()


def wait_until(claims: Sequence[Claim], moment: datetime) -> None:
    """Make claimed deliveries due at a moment; their attempt is not counted."""
    valid = Delivery.objects.filter(pk__in=lock_in_order(claimed(claims))).order_by()
    valid.update(attempts=F("attempts") - 1, in_flight=False, due_at=moment)


def wait_as_asked(name: str, claims: Sequence[Claim]) -> None:
    """Make claimed deliveries due when the external system of their consumer wants to be asked again."""
    with transaction.atomic():
        asked = ConsumerState.objects.filter(pk=name).values_list("waits_until", flat=True).first()
        wait_until(claims, asked or clock.now())


def is_asked_to_wait() -> Q:
    """The condition that the external system of a delivery's consumer wants to be left alone by now."""
    waiting = ConsumerState.objects.filter(waits_until__gt=clock.now())
    return Q(external=True, consumer__in=waiting.values("pk"))
