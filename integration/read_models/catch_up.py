"""A read model follows its history in batches: the rows and how far they go are written in one transaction.

Whoever follows holds the build's row locked, so that no event is applied by two; who finds it locked leaves it to the
other. A context's read models are taken on together, so that what they are all made of is read once; when that fails,
all are taken back and each is tried alone. A projection that fails alone, too, leaves its rows as they were, which its
build's `error` says, and takes down nothing: until it is mended, it is not taken on together with others.
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
"""As many events are applied in one transaction."""

LONGEST_TURN = 5.0
"""Seconds after which one that has far to go makes room for others; the next look goes on."""

MOST_IN_A_REQUEST = 1_000
"""As many events does a request catch up with before it answers with what there is."""

LOCK_TIMEOUT_TOGETHER = 0.1
"""Seconds for which several wait for a table that somebody has locked; then each waits alone, for its own."""

LOCK_TIMEOUT_OF_A_REQUEST = 0.5
"""Seconds for which a request waits for another that follows the same read model."""


POSITION = Update(ReadModelBuild, ("mark", "ahead", "gaps_until", "writers", "error"))


class LockedBuild(NamedTuple):
    """A read model, and the build of it that is taken on, which is locked."""

    model: ReadModel
    build: ReadModelBuild


def catch_up_context(context: str) -> None:
    """Take the read models of a context as far as its history goes, those that are behind."""
    began = time.monotonic()
    late = behind(of_context(context))
    well = [model for model, fails in late.items() if not fails]
    turns: list[Sequence[ReadModel]] = [well, *([model] for model, fails in late.items() if fails)]
    for models in turns:
        while models and time.monotonic() - began < LONGEST_TURN:
            models = _catch_up(models)


def catch_up_all() -> None:
    """Take every read model as far as its history goes."""
    for context in sorted({model.context for _, model in read_models.items()}):
        catch_up_context(context)


def catch_up(name: str) -> None:
    """Have a read model show what has been committed, before it is read: so that who wrote reads what they wrote.

    One query when there is nothing new. Otherwise it is taken on by a bounded number of events; another who follows at
    this moment is waited for, but not for long. Then it is read as it is.
    """
    model = read_models.get(name)
    if not behind([model]):
        return
    with _lock_timeout(LOCK_TIMEOUT_OF_A_REQUEST):
        for _ in range(MOST_IN_A_REQUEST // BATCH):
            if not _catch_up([model], wait=True):
                break


def behind(models: Sequence[ReadModel]) -> dict[ReadModel, bool]:
    """Those of a context's read models for which there is something new, or that have not begun; one query.

    Returns:
        Of each of them whether it failed when it was last tried.
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
    entries = [(model, *known.get(model.name, (False, True))) for model in models]
    return {model: bool(fails) for model, fails, is_behind in entries if is_behind}


def apply_next(locked: Sequence[LockedBuild], limit: int = BATCH) -> int:
    """Apply the next events to builds of a context that have come equally far; returns how many they were."""
    (first, build), *_ = locked
    unread, position = read_on(history_of(first.context), build.position, limit)
    wanted = [[entry for _, entry in unread if model.wants(entry.stream, entry.name)] for model, _ in locked]
    load_personal(chain.from_iterable(wanted))
    for (model, build), entries in zip(locked, wanted, strict=True):
        if entries:
            model.project(Batch(model.rows, build.pk, entries))
    _keep(position, [build for _, build in locked])
    return len(unread)


def _keep(position: Position, builds: Sequence[ReadModelBuild]) -> None:
    """Remember how far the builds have come, and that nothing ails them."""
    changed = [build for build in builds if build.position != position or build.error]
    for build in changed:
        build.position, build.error = position, ""
    write({POSITION: [*map(values_of, changed)]})


def _catch_up(models: Sequence[ReadModel], *, wait: bool = False) -> Sequence[ReadModel]:
    """Apply a batch to the live builds; returns those for which there may be more to do."""
    try:
        return _apply_together(models, wait)
    except Exception as error:
        if len(models) == 1:
            _record_error(models[0], error)
            return []
        names = ", ".join(model.name for model in models)
        log.warning("%s are taken on each alone, for together: %s: %s", names, type(error).__name__, error)
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
    """Have the live build say what it fails of, and the log, once."""
    if isinstance(error, OperationalError):
        # The line was cut, or another took too long: nothing of it was kept, and whoever looks next does it.
        log.info("%s is left for later: %s", model.name, error)
        return
    entries = f"{type(error).__name__}: {error}"[:2_000]
    _begin([model])  # the first batch took that back
    if ReadModelBuild.objects.filter(read_model=model.name, live=True).exclude(error=entries).update(error=entries):
        log.error("%s stands still: its projection failed", model.name, exc_info=error)


def lock_live(model: ReadModel) -> ReadModelBuild:
    """The live build, locked; whoever else holds it is waited for. The first to come makes it."""
    # Another may swap it while we wait, and then there is another to lock.
    while not (locked := _lock_live([model])):
        pass
    return locked[0].build


def _lock_free_builds(models: Sequence[ReadModel]) -> list[LockedBuild]:
    """The live builds, locked, but those that another holds."""
    return _lock_live(models, skip_locked=connection.features.has_select_for_update_skip_locked)


def _lock_live(models: Sequence[ReadModel], *, skip_locked: bool = False) -> list[LockedBuild]:
    """The live builds, locked, those made that have none; one that another has swapped just now is left out."""
    live = ReadModelBuild.objects.filter(read_model__in=[model.name for model in models], live=True)
    locking = live.order_by("pk").select_for_update(skip_locked=skip_locked)
    builds = {build.read_model: build for build in locking}
    if len(builds) < len(models):
        known = {*live.values_list("read_model", flat=True)}
        if unborn := [model for model in models if model.name not in known]:
            _begin(unborn)
            builds = {build.read_model: build for build in locking.all()}
    return [LockedBuild(model, builds[model.name]) for model in models if model.name in builds]


def _begin(models: Sequence[ReadModel]) -> None:
    """Make the first build of each, unless there is a live one."""
    begun = [ReadModelBuild(read_model=model.name, live=True, started_at=clock.now()) for model in models]
    ReadModelBuild.objects.bulk_create(begun, ignore_conflicts=True)


@contextmanager
def _lock_timeout(seconds: float) -> Iterator[None]:
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
