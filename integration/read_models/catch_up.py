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
from typing import NamedTuple

from django.db import OperationalError, connection, transaction

from integration.domain import clock
from integration.history.entries import history_of
from integration.history.personal_data import load_personal
from integration.read_models.batch import Batch, ReadModel, of_context, read_models
from integration.read_models.history_reader import Position, not_handed_out, read_on
from integration.read_models.models import ReadModelBuild
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


POSITION = Update(ReadModelBuild, ("mark", "ahead", "gaps_until", "writers", "error"))


class LockedBuild(NamedTuple):
    """A read model and the build that catches up, whose row is locked."""

    model: ReadModel
    build: ReadModelBuild


def catch_up_context(context: str) -> None:
    """Catch up the read models of a context that are behind, for at most `LONGEST_TURN` seconds."""
    began = time.monotonic()
    late = behind(of_context(context))
    healthy = [model for model, fails in late.items() if not fails]
    turns: list[Sequence[ReadModel]] = [healthy, *([model] for model, fails in late.items() if fails)]
    for models in turns:
        while models and time.monotonic() - began < LONGEST_TURN:
            models = _catch_up(models)


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
    model = read_models.get(name)
    if not behind([model]):
        return
    with _lock_timeout(LOCK_TIMEOUT_OF_A_REQUEST):
        for _ in range(MOST_IN_A_REQUEST // BATCH):
            if not _catch_up([model], wait=True):
                break


def behind(models: Sequence[ReadModel]) -> dict[ReadModel, bool]:
    """Those of a context's read models that have new events to apply or have no build yet; one query.

    Args:
        models: read models of one context.

    Returns:
        For each such read model, whether its last attempt failed.
    """
    if not models:
        return {}
    history, names = history_of(models[0].context), [model.name for model in models]
    beyond = not_handed_out(history, "build.mark", "build.ahead")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT build.read_model, build.error <> '',
                EXISTS (SELECT 1 FROM {history._meta.db_table} AS history WHERE {beyond})
            FROM integration_readmodelbuild AS build
            WHERE build.live AND build.read_model IN ({", ".join(["%s"] * len(names))})
            """,  # noqa: S608 - names of the code only
            names,
        )
        known = {name: (fails, is_behind) for name, fails, is_behind in cursor.fetchall()}
    states = [(model, *known.get(model.name, (False, True))) for model in models]
    return {model: bool(fails) for model, fails, is_behind in states if is_behind}


def apply_next(locked: Sequence[LockedBuild], limit: int = BATCH) -> int:
    """Apply the next events to builds of one context that are at the same position.

    Args:
        locked: the read models and their builds.
        limit: the most events to apply.

    Returns:
        The number of events read.
    """
    (first, build), *_ = locked
    unread, position = read_on(history_of(first.context), build.position, limit)
    wanted = [[entry for _, entry in unread if model.wants(entry.stream, entry.name)] for model, _ in locked]
    load_personal(chain.from_iterable(wanted))
    for (model, build), entries in zip(locked, wanted, strict=True):
        if entries:
            model.project(Batch(model.rows, build.pk, entries))
    _save_position(position, [build for _, build in locked])
    return len(unread)


def _save_position(position: Position, builds: Sequence[ReadModelBuild]) -> None:
    """Save the position of the builds and clear their errors."""
    changed = [build for build in builds if build.position != position or build.error]
    for build in changed:
        build.position, build.error = position, ""
    write({POSITION: [*map(values_of, changed)]})


def _catch_up(models: Sequence[ReadModel], *, wait: bool = False) -> Sequence[ReadModel]:
    """Apply a batch to the live builds; returns the read models that may have more to apply."""
    try:
        return _apply_together(models, wait)
    except Exception as error:
        if len(models) == 1:
            _record_error(models[0], error)
            return []
        names = ", ".join(model.name for model in models)
        log.warning(
            "%s catch up one by one, because catching up together failed: %s: %s", names, type(error).__name__, error
        )
    return [model for each in models for model in _catch_up([each], wait=wait)]


def _apply_together(models: Sequence[ReadModel], wait: bool) -> list[ReadModel]:
    with transaction.atomic():
        if len(models) > 1 and is_postgresql():
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {int(LOCK_TIMEOUT_TOGETHER * 1000)}")
        locked = [LockedBuild(model, lock_live(model)) for model in models] if wait else _lock_free_builds(models)
        return [model for some in _by_position(locked) if apply_next(some) >= BATCH for model, _ in some]


def _by_position(locked: Sequence[LockedBuild]) -> list[list[LockedBuild]]:
    together: dict[Position, list[LockedBuild]] = defaultdict(list)
    for each in locked:
        together[each.build.position].append(each)
    return [*together.values()]


def _record_error(model: ReadModel, error: Exception) -> None:
    """Store the error in the live build; log it only if it is new."""
    if isinstance(error, OperationalError):
        # The connection broke or a lock timed out. The transaction was rolled back, and the next run repeats the batch.
        log.info("%s catches up later: %s", model.name, error)
        return
    text = f"{type(error).__name__}: {error}"[:2_000]
    _begin([model])  # the rollback of the first batch also removed the new build
    if ReadModelBuild.objects.filter(read_model=model.name, live=True).exclude(error=text).update(error=text):
        log.error("%s has stopped: its projection failed", model.name, exc_info=error)


def lock_live(model: ReadModel) -> ReadModelBuild:
    """Lock the live build, waiting for any other lock on it; creates the first build of a read model."""
    # A rebuild may replace the build while this one waits; then the new live build has to be locked.
    while not (locked := _lock_live([model])):
        pass
    return locked[0].build


def _lock_free_builds(models: Sequence[ReadModel]) -> list[LockedBuild]:
    """Lock the live builds that no other transaction has locked."""
    return _lock_live(models, skip_locked=connection.features.has_select_for_update_skip_locked)


def _lock_live(models: Sequence[ReadModel], *, skip_locked: bool = False) -> list[LockedBuild]:
    """Lock the live builds, and first create those that are missing. A build that a rebuild has just replaced is left
    out."""
    live = ReadModelBuild.objects.filter(read_model__in=[model.name for model in models], live=True)
    locking = live.order_by("pk").select_for_update(skip_locked=skip_locked)
    builds = {build.read_model: build for build in locking}
    if len(builds) < len(models):
        known = {*live.values_list("read_model", flat=True)}
        if without_build := [model for model in models if model.name not in known]:
            _begin(without_build)
            builds = {build.read_model: build for build in locking.all()}
    return [LockedBuild(model, builds[model.name]) for model in models if model.name in builds]


def _begin(models: Sequence[ReadModel]) -> None:
    """Create the first build of each read model, unless a live one exists."""
    begun = [ReadModelBuild(read_model=model.name, live=True, started_at=clock.now()) for model in models]
    ReadModelBuild.objects.bulk_create(begun, ignore_conflicts=True)


@contextmanager
def _lock_timeout(seconds: float) -> Iterator[None]:
    """Limit the time that statements wait for a lock; restores the previous limit."""
    milliseconds = int(seconds * 1000)
    statement = "PRAGMA busy_timeout = {}" if connection.vendor == "sqlite" else "SET lock_timeout = {}"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout" if connection.vendor == "sqlite" else "SHOW lock_timeout")
        before = cursor.fetchone()[0]
        cursor.execute(statement.format(milliseconds))
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(statement.format(before if connection.vendor == "sqlite" else f"'{before}'"))
