"""A read model follows its history in batches: the rows and how far they go are written in one transaction.

Whoever follows holds the build's row locked, so that no event is applied by two; who finds it locked leaves it to the
other. A projection that fails keeps its rows as they were and says so in the build's `error`: it takes down nothing.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import OperationalError, connection, transaction

from integration.domain import clock
from integration.domain.history import HistoryEntry, history_of
from integration.domain.personal_data import recall
from integration.domain.rows import read
from integration.read_models.batch import Batch, ReadModel, of_context, read_models
from integration.read_models.feed import Told, not_handed_out, read_on
from integration.read_models.models import ReadModelBuild

log = logging.getLogger(__name__)

BATCH = 500
"""As many events are applied in one transaction."""

LONGEST_TURN = 5.0
"""Seconds after which one that has far to go makes room for others; the next look goes on."""

MOST_IN_A_REQUEST = 1_000
"""As many events does a request catch up with before it answers with what there is."""

PATIENCE_OF_A_REQUEST = 0.5
"""Seconds for which a request waits for another that follows the same read model."""


def follow_context(context: str) -> None:
    """Take the read models of a context as far as its history goes, those that are behind."""
    began = time.monotonic()
    for model in behind(of_context(context)):
        while _follow(model) and time.monotonic() - began < LONGEST_TURN:
            pass


def follow_all() -> None:
    """Take every read model as far as its history goes."""
    for context in sorted({model.context for _, model in read_models.items()}):
        follow_context(context)


def freshen(name: str) -> None:
    """Have a read model show what has been committed, before it is read: so that who wrote reads what they wrote.

    One query when there is nothing new. Otherwise it is taken on by a bounded number of events; another who follows at
    this moment is waited for, but not for long. Then it is read as it is.
    """
    model = read_models.get(name)
    if not behind([model]):
        return
    with _patience(PATIENCE_OF_A_REQUEST):
        for _ in range(MOST_IN_A_REQUEST // BATCH):
            if not _follow(model, wait=True):
                break


def behind(models: Sequence[ReadModel]) -> list[ReadModel]:
    """Those of a context's read models for which there is something new, or that have not begun; one query."""
    if not models:
        return []
    history, names = history_of(models[0].context), [model.name for model in models]
    beyond = not_handed_out(history, "build.mark", "build.ahead")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT build.read_model, EXISTS (SELECT 1 FROM {history._meta.db_table} AS history WHERE {beyond})
            FROM integration_readmodelbuild AS build
            WHERE build.live AND build.read_model IN ({", ".join(["%s"] * len(names))})
            """,  # noqa: S608 - names of the code only
            names,
        )
        known = dict(cursor.fetchall())
    return [model for model in models if known.get(model.name, True)]


def apply_next(model: ReadModel, build: ReadModelBuild, limit: int = BATCH) -> int:
    """Apply the next events to a build, which is locked by whoever calls; returns how many they were."""
    history = history_of(model.context)
    told, position = read_on(history, build.position, limit)
    wanted = [each for each in told if model.wants(each.stream, each.name)]
    if wanted:
        model.project(Batch(model.rows, build.pk, _entries(history, wanted)))
    if position != build.position or build.error:
        build.position, build.error = position, ""
        build.save(update_fields=["mark", "ahead", "gaps_until", "writers", "error"])
    return len(told)


def _follow(model: ReadModel, *, wait: bool = False) -> bool:
    """Apply a batch to the live build; returns whether there may be more to do."""
    try:
        with transaction.atomic():
            build = lock_live(model) if wait else _try_to_lock_live(model, skip_locked=True)
            return build is not None and apply_next(model, build) >= BATCH
    except OperationalError as error:
        # The line was cut, or another took too long: nothing of it was kept, and whoever looks next does it.
        log.info("%s is left for later: %s", model.name, error)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"[:2_000]
        _begin(model)  # the first batch took that back
        if ReadModelBuild.objects.filter(read_model=model.name, live=True).exclude(error=told).update(error=told):
            log.exception("%s stands still: its projection failed", model.name)
    return False


def lock_live(model: ReadModel) -> ReadModelBuild:
    """The live build, locked; whoever else holds it is waited for. The first to come makes it."""
    # Another may swap it while we wait, and then there is another to lock.
    while (build := _try_to_lock_live(model, skip_locked=False)) is None:
        pass
    return build


def _try_to_lock_live(model: ReadModel, *, skip_locked: bool) -> ReadModelBuild | None:
    """The live build, locked, or None when another holds it, or has swapped it just now."""
    live = ReadModelBuild.objects.filter(read_model=model.name, live=True)
    locking = live.select_for_update(skip_locked=skip_locked and connection.features.has_select_for_update_skip_locked)
    build = locking.first()
    if build is None and not live.exists():
        _begin(model)
        build = locking.first()
    return build


def _begin(model: ReadModel) -> None:
    """Make the first build, unless there is a live one."""
    begun = ReadModelBuild(read_model=model.name, live=True, started_at=clock.now())
    ReadModelBuild.objects.bulk_create([begun], ignore_conflicts=True)


def _entries(history: type[HistoryEntry], told: Sequence[Told]) -> list[HistoryEntry]:
    entries = {entry.id: entry for entry in read(history, "id", [each.id for each in told])}
    return recall(entries[each.id] for each in told)


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    """Wait no longer than this for a lock of another."""
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
