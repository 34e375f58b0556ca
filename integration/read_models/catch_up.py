"""Each read model catches up in batches; one transaction writes the rows and the new position.

A process that catches up holds a lock on the build's row, so no event is applied twice. A process that finds the row
locked leaves the work to the other.

Read models of one context catch up together, so that the events they share are read once. If that fails, the
transaction is rolled back and each read model is tried alone. A projection that fails alone leaves its rows unchanged,
and its build's `error` says why. Other read models are not affected: until the projection is fixed, its read model
catches up separately.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

from django.db import OperationalError, connection, transaction

from integration.history.entries import history_of
from integration.history.personal_data import load_personal
from integration.read_models.batch import Batch
from integration.read_models.builds import LockedBuild, Target, finish, lock, to_catch_up, to_catch_up_before_reading
from integration.read_models.history_reader import Position, read_on
from integration.read_models.models import ReadModelBuild
from integration.read_models.registry import of_context, read_models
from integration.storage.limits import Limits, limited
from integration.storage.rows import values_of
from integration.storage.sql import is_postgresql
from integration.storage.writing import Update, write

log = logging.getLogger(__name__)

BATCH = 500
"""Events applied in one transaction."""

LONGEST_TURN = 5.0
"""Seconds that catching up a context may take before other contexts get their turn. The next run continues."""

MOST_IN_A_REQUEST = 1_000
"""The most events that a request applies before it reads the read model."""

LOCK_TIMEOUT_TOGETHER = 0.1
"""Seconds that several read models wait for a locked table. After that each catches up alone and waits only for its
own."""

LOCK_TIMEOUT_OF_A_REQUEST = 0.5
"""Seconds that a request waits for another process that catches up the same read model."""


POSITION = Update(ReadModelBuild, ("mark", "ahead", "gaps_until", "writers", "error", "code"))


def catch_up_context(context: str) -> None:
    """Catch up the read models of a context that are behind, for at most `LONGEST_TURN` seconds."""
    began = time.monotonic()
    late = to_catch_up(of_context(context))
    turns = [[each for each in late if not each.build.fails], *([each] for each in late if each.build.fails)]
    for targets in turns:
        while targets and time.monotonic() - began < LONGEST_TURN:
            targets = _catch_up(targets)


def catch_up_all() -> None:
    """Catch up the read models of all contexts."""
    for context in sorted({model.context for _, model in read_models.items()}):
        catch_up_context(context)


def catch_up(name: str) -> None:
    """Catch up a read model before it is read, so that clients read their own writes.

    One query if there is nothing new. Otherwise a bounded number of events is applied. If another process is catching
    up the same read model, this one waits a short time. After that the read model is read as it is.

    Args:
        name: its wire name.

    Raises:
        UnknownName: no read model has this name.
    """
    target = to_catch_up_before_reading(read_models.get(name))
    if not target:
        return
    with _lock_timeout(LOCK_TIMEOUT_OF_A_REQUEST):
        for _ in range(MOST_IN_A_REQUEST // BATCH):
            if not _catch_up([target], wait=True):
                break


def apply_next(locked: Sequence[LockedBuild], limit: int = BATCH, until: Position | None = None) -> int:
    """Apply the next events to builds of one context that are at the same position.

    Args:
        locked: the read models and their builds.
        limit: the most events to apply.
        until: apply only events that another build has read at this position; None applies all.

    Returns:
        The number of events read.

    Raises:
        UnknownName: this code does not know an event of a stream that one of the read models uses.
    """
    (first, build), *_ = locked
    unread, position = read_on(history_of(first.context), build.position, limit, until)
    wanted = []
    for model, _ in locked:
        of_stream = [entry for _, entry in unread if entry.stream == model.stream]
        for entry in of_stream:
            entry.refuse_unknown()
        wanted.append([entry for entry in of_stream if model.wants(entry.stream, entry.name)])
    load_personal(chain.from_iterable(wanted))
    for (model, build), entries in zip(locked, wanted, strict=True):
        if entries:
            model.project(Batch(model.rows, build.pk, entries, is_ready=build.ready or build.live))
    _save_position(position, locked)
    return len(unread)


def _save_position(position: Position, locked: Sequence[LockedBuild]) -> None:
    """Save the position of the builds and clear their errors. A build of other code belongs to nobody from now on."""
    changed = []
    for model, build in locked:
        code = model.code if build.code == model.code else ""
        if (build.position, build.error, build.code) != (position, "", code):
            build.position, build.error, build.code = position, "", code
            changed.append(values_of(build))
    write({POSITION: changed})


def _catch_up(targets: Sequence[Target], *, wait: bool = False) -> list[Target]:
    """Apply a batch to builds; returns those that may have more to apply."""
    try:
        return _apply_together(targets, wait)
    except Exception as error:
        if len(targets) == 1:
            _record_error(targets[0], error)
            return []
        names = ", ".join(target.model.name for target in targets)
        log.warning(
            "%s catch up one by one, because catching up together failed: %s: %s", names, type(error).__name__, error
        )
    return [target for each in targets for target in _catch_up([each], wait=wait)]


def _apply_together(targets: Sequence[Target], wait: bool) -> list[Target]:
    limits = Limits(lock=LOCK_TIMEOUT_TOGETHER) if len(targets) > 1 else Limits()
    unfinished: list[LockedBuild] = []
    with limited(limits), transaction.atomic():
        for some in _by_position(lock(targets, wait=wait)):
            if apply_next(some) >= BATCH:
                unfinished += some
            else:
                finish(some)
    known = {target.build.pk: target.build for target in targets}
    return [Target(model, known[build.pk]._replace(code=build.code)) for model, build in unfinished]


def _by_position(locked: Sequence[LockedBuild]) -> list[list[LockedBuild]]:
    together: dict[Position, list[LockedBuild]] = defaultdict(list)
    for each in locked:
        together[each.build.position].append(each)
    return [*together.values()]


def _record_error(target: Target, error: Exception) -> None:
    """Store the error in the build; log it only if it is new."""
    name = target.model.name
    if isinstance(error, OperationalError):
        # The connection broke or a lock timed out. The transaction was rolled back, and the next run repeats the batch.
        log.info("%s catches up later: %s", name, error)
        return
    text = f"{type(error).__name__}: {error}"[:2_000]
    if ReadModelBuild.objects.filter(pk=target.build.pk).exclude(error=text).update(error=text):
        log.error("%s has stopped: its projection failed", name, exc_info=error)


@contextmanager
def _lock_timeout(seconds: float) -> Iterator[None]:
    """Limit the time that transactions wait for a lock; restores the previous limit."""
    if is_postgresql():
        with limited(Limits(lock=seconds)):
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        (before,) = cursor.fetchone()
        cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA busy_timeout = {before}")
