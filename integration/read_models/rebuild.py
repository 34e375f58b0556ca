"""A rebuild makes a second build from the whole history while the live one is read, then swaps them in one transaction.

If it is interrupted, the live build stays as it was. The next rebuild deletes what was left and starts again. A rebuild
first repairs the numbers of the history, if they do not increase with the versions.
"""

import time
from collections.abc import Callable
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet

from integration.domain.errors import Refused
from integration.history.entries import history_of
from integration.read_models.builds import LockedBuild, begin_anew, delete, lock_own
from integration.read_models.catch_up import BATCH, apply_next
from integration.read_models.history_reader import not_handed_out
from integration.read_models.models import ReadModelBuild, Row
from integration.read_models.numbering import misnumbered, renumber
from integration.read_models.registry import ReadModel

MOST_NAMED = 100
"""The most differences that are reported."""
PAUSE = 0.05
"""Seconds to wait for a transaction that leaves a gap in the history, before looking again."""

Progress = Callable[[int], None]


class RebuiltByAnother(Refused):
    """Another rebuild of the same read model began and replaced this one."""


def rebuild(model: ReadModel, on_progress: Progress = lambda applied: None) -> None:
    """Make a read model again from its whole history and replace the live build.

    Args:
        model: the read model.
        on_progress: called after each batch with the number of events applied so far.

    Raises:
        NotTheOwner: the history is numbered wrongly, and this role may not change it.
        RebuiltByAnother: another rebuild of the read model began meanwhile.
    """
    renumber(model.context)
    build = _build_anew(model, on_progress)
    with transaction.atomic():
        before = lock_own(model)
        _catch_up(model, build)
        if before and before.pk != build:  # it is the same if a worker has finished it
            ReadModelBuild.objects.filter(pk=before.pk).update(code="", ready=False)
        ReadModelBuild.objects.filter(pk=build).update(ready=True)
    if before and before.pk != build:
        delete(model, ReadModelBuild.objects.filter(pk=before.pk))


def differences(model: ReadModel, on_progress: Progress = lambda applied: None) -> list[str]:
    """Rebuild a read model, compare it with this code's build at the same position, and delete the rebuild.

    If this code has no build yet, it gets one first.

    Args:
        model: the read model.
        on_progress: called after each batch with the number of events applied so far.

    Returns:
        Rows that are only in one of the two builds, as sentences; at most 100. Or, if the history is numbered wrongly,
        the events that are.

    Raises:
        RebuiltByAnother: another rebuild of the read model began meanwhile.
    """
    if wrong := misnumbered(history_of(model.context)._meta.db_table):
        return wrong
    if not ReadModelBuild.objects.filter(read_model=model.name, code=model.code, ready=True).exists():
        rebuild(model)
    build = _build_anew(model, on_progress)
    with transaction.atomic():
        own = lock_own(model)
        if own is None:
            raise RebuiltByAnother
        # Both have read the same events: the one up to a batch that is not full, the other up to the same position.
        while apply_next([LockedBuild(model, own)]) >= BATCH:
            pass
        rebuilt = _lock(build)
        while apply_next([LockedBuild(model, rebuilt)], until=own.position):
            pass
        found = _compare(model.rows, own.pk, build)
    delete(model, ReadModelBuild.objects.filter(pk=build))
    return found


def events_to_read(model: ReadModel) -> int:
    """The number of events in the history that a rebuild reads."""
    return history_of(model.context).objects.count()


def _build_anew(model: ReadModel, on_progress: Progress) -> int:
    """Make a build that has read nearly the whole history; returns its key."""
    build = begin_anew(model)
    applied = 0
    while True:
        with transaction.atomic():
            some = apply_next([LockedBuild(model, _lock(build))])
        applied += some
        on_progress(applied)
        if 0 < some < BATCH or not (some or _is_behind(model, build)):
            return build
        if not some:
            time.sleep(PAUSE)


def _catch_up(model: ReadModel, build: int) -> None:
    """Apply events to the build until a batch is not full.

    Events are recorded meanwhile, so under load no batch may ever be empty.
    """
    locked = _lock(build)
    while apply_next([LockedBuild(model, locked)]) >= BATCH:
        pass


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
        return any(behind for (behind,) in cursor.fetchall())  # no row if another rebuild has deleted this build


def _compare(rows: type[Row], live: int, rebuilt: int) -> list[str]:
    """Rows that only one of two builds has, as sentences; compares all columns except `of_the_build`."""
    columns = [field.name for field in rows._meta.concrete_fields if field.name not in rows.of_the_build]

    def of(build: int) -> QuerySet[Any, Any]:
        return rows.of_all_builds.filter(build=build).order_by().values_list(*columns)

    def only_in(build: int, other: int, where: str) -> list[str]:
        found = of(build).difference(of(other))[:MOST_NAMED]
        return [f"only {where}: " + ", ".join(f"{c}={v}" for c, v in zip(columns, row, strict=True)) for row in found]

    return (only_in(live, rebuilt, "in the live build") + only_in(rebuilt, live, "in the rebuild"))[:MOST_NAMED]
