"""Rebuilding makes a second build from nothing while the first is read, and then swaps them by changing one row.

Whatever stops it leaves the live build as it was; the next rebuild takes away what was left and starts clean.
"""

import time
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from integration.domain import clock
from integration.domain.errors import Refused
from integration.history.entries import history_of
from integration.read_models.batch import ReadModel
from integration.read_models.catch_up import LockedBuild, apply_next, lock_live
from integration.read_models.history_reader import not_handed_out
from integration.read_models.models import ReadModelBuild, Row

TAKEN_AWAY_AT_ONCE = 5_000
MOST_NAMED = 100
"""More differences than this are counted as this many."""
PAUSE = 0.05
"""Seconds to wait for a transaction that holds up the history, before looking again."""

Progress = Callable[[int], None]


class RebuiltByAnother(Refused):
    """Another rebuild of the same read model began, and took this one's place."""


def rebuild(model: ReadModel, on_progress: Progress = lambda applied: None) -> None:
    """Make a read model again from its whole history, and swap it in at once.

    Args:
        on_progress: told again and again how many events have been applied.

    Raises:
        RebuiltByAnother: when another rebuild of it began meanwhile.
    """
    build = _build_anew(model, on_progress)
    with transaction.atomic():
        live = lock_live(model)
        _catch_up(model, build)
        ReadModelBuild.objects.filter(pk=live.pk).update(live=False)
        ReadModelBuild.objects.filter(pk=build).update(live=True)
    _take_away(model, ReadModelBuild.objects.filter(pk=live.pk))


def differences(model: ReadModel, on_progress: Progress = lambda applied: None) -> list[str]:
    """Make a read model again, compare it with the live one at the same point of the history, and throw it away.

    Returns:
        What is only in one of them, as sentences; at most 100.

    Raises:
        RebuiltByAnother: when another rebuild of it began meanwhile.
    """
    build = _build_anew(model, on_progress)
    with transaction.atomic():
        live = lock_live(model)
        # When neither finds anything new in one round, both have read the same events.
        while apply_next([LockedBuild(model, live)]) + _catch_up(model, build):
            pass
        found = _compare(model.rows, live.pk, build)
    _take_away(model, ReadModelBuild.objects.filter(pk=build))
    return found


def events_to_read(model: ReadModel) -> int:
    """How many events a rebuild reads."""
    return history_of(model.context).objects.count()


def _build_anew(model: ReadModel, on_progress: Progress) -> int:
    """A build that has read nearly everything; returns its key."""
    _take_away(model, ReadModelBuild.objects.filter(read_model=model.name, live=False))
    build = ReadModelBuild.objects.create(read_model=model.name, started_at=clock.now()).pk
    applied = 0
    while _is_behind(model, build):
        with transaction.atomic():
            some = apply_next([LockedBuild(model, _lock(build))])
        applied += some
        on_progress(applied)
        if not some:
            time.sleep(PAUSE)
    return build


def _catch_up(model: ReadModel, build: int) -> int:
    """Read all that can be seen; returns how many events that were."""
    locked, applied = _lock(build), 0
    while some := apply_next([LockedBuild(model, locked)]):
        applied += some
    return applied


def _lock(build: int) -> ReadModelBuild:
    locked = ReadModelBuild.objects.select_for_update().filter(pk=build).first()
    if locked is None:
        raise RebuiltByAnother
    return locked


def _is_behind(model: ReadModel, build: int) -> bool:
    history = history_of(model.context)
    beyond = not_handed_out(history, "build.mark", "build.ahead")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT EXISTS (SELECT 1 FROM {history._meta.db_table} AS history WHERE {beyond})
            FROM integration_readmodelbuild AS build WHERE build.id = %s
            """,  # noqa: S608 - names of the code only
            [build],
        )
        return any(behind for (behind,) in cursor.fetchall())  # none, where another has taken it away


def _compare(rows: type[Row], live: int, rebuilt: int) -> list[str]:
    """What only one of two builds has: every column but their own numbers."""
    columns = [field.name for field in rows._meta.concrete_fields if field.name not in ("id", "build")]

    def of(build: int) -> QuerySet[Any, Any]:
        return rows.of_all_builds.filter(build=build).order_by().values_list(*columns)

    def only_in(build: int, other: int, where: str) -> list[str]:
        found = of(build).difference(of(other))[:MOST_NAMED]
        return [f"only {where}: " + ", ".join(f"{c}={v}" for c, v in zip(columns, row, strict=True)) for row in found]

    return (only_in(live, rebuilt, "in the live one") + only_in(rebuilt, live, "by its history"))[:MOST_NAMED]


def _take_away(model: ReadModel, builds: QuerySet[ReadModelBuild]) -> None:
    """Delete builds and their rows; the build first, so that whoever still works on it finds out."""
    keys = list(builds.values_list("pk", flat=True))
    builds.filter(pk__in=keys).delete()
    while gone := list(
        model.rows.of_all_builds.filter(build__in=keys).values_list("pk", flat=True)[:TAKEN_AWAY_AT_ONCE]
    ):
        model.rows.of_all_builds.filter(pk__in=gone)._raw_delete(using=connection.alias)
