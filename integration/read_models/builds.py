"""Which builds this code catches up: its own, and other code's only where nobody else does.

Code of another version may not know an event that this code uses. If both caught up one build, each would move it past
events that only the other knows. So each version has a build of its own, known by a fingerprint of its code, and never
touches another's. A new version's build begins with the first event. Until it has reached the end of the history, the
build of the version before is read.

Code from before fingerprints existed catches up the builds that are `live`. This code helps with these until its own
builds are ready. The same goes for a build that its own code has abandoned: then it belongs to nobody any more.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet

from integration.domain import clock
from integration.history.entries import history_of
from integration.read_models.history_reader import not_handed_out
from integration.read_models.models import ReadModelBuild
from integration.read_models.registry import ReadModel, read_models

ABANDONED_AFTER = timedelta(seconds=10)
"""A build that does not show events of this age is not caught up by its own code any more."""

DELETED_AFTER = timedelta(days=1)
"""After this time an abandoned build is deleted. Until then its code can return to it, such as after a rollback."""

ROWS_AT_ONCE = 5_000


class Known(NamedTuple):
    """What is known about a build without locking it.

    Args:
        pk: its key.
        code: the fingerprint of the code that it belongs to.
        ready: whether it has reached the end of the history once.
        live: whether code from before fingerprints catches it up.
        mark: up to where it has read the history.
        fails: whether the last attempt to catch it up failed.
        behind: whether there are events that it has not read.
    """

    pk: int
    code: str
    ready: bool
    live: bool
    mark: int
    fails: bool
    behind: bool


class Target(NamedTuple):
    """A build that this code may catch up."""

    model: ReadModel
    build: Known


class LockedBuild(NamedTuple):
    """A read model and the build that catches up, whose row is locked."""

    model: ReadModel
    build: ReadModelBuild


def known_builds(models: Sequence[ReadModel]) -> dict[ReadModel, list[Known]]:
    """The builds of a context's read models, the live one of each first, as in `models.live_first`; one query.

    Args:
        models: read models of one context.
    """
    if not models:
        return {}
    history, by_name = history_of(models[0].context), {model.name: model for model in models}
    beyond = not_handed_out(history, "build.mark", "build.ahead")
    found: dict[ReadModel, list[Known]] = {model: [] for model in models}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT build.read_model, build.id, build.code, build.ready, build.live, build.mark, build.error <> '',
                EXISTS (SELECT 1 FROM {history._meta.db_table} AS history WHERE {beyond})
            FROM integration_readmodelbuild AS build WHERE build.read_model IN ({", ".join(["%s"] * len(models))})
            """,  # noqa: S608 - names of the code only
            list(by_name),
        )
        for name, *values in cursor.fetchall():
            found[by_name[name]].append(Known(*values))
    for model, builds in found.items():
        builds.sort(key=lambda each: (_rank(each, model.code), -each.mark, -each.pk))
    return found


def _rank(build: Known, code: str) -> int:
    if build.ready and build.code == code:
        return 0
    return 1 if (build.ready or build.live) and not build.fails else 2


def to_catch_up(models: Sequence[ReadModel]) -> list[Target]:
    """The builds that a worker catches up: this code's that are behind or not ready, and what is read until then.

    Args:
        models: read models of one context.
    """
    known = known_builds(models)
    if missing := [model for model in models if not _own(model, known[model])]:
        _begin(missing)
        known = known_builds(models)
    targets = []
    for model, builds in known.items():
        own = _own(model, builds)
        if own and (own.behind or not own.ready):
            targets.append(Target(model, own))
        if not (own and own.ready) and _may_help(model, builds[0]):
            targets.append(Target(model, builds[0]))
    return targets


def to_catch_up_before_reading(model: ReadModel) -> Target | None:
    """The live build of a read model, if it is behind and this code may catch it up; one query if it is not behind."""
    known = known_builds([model])
    if not known[model]:
        _begin([model])
        known = known_builds([model])
    live = known[model][0]
    wanted = live.behind or not live.ready if live.code == model.code else _may_help(model, live)
    return Target(model, live) if wanted else None


def lock(targets: Sequence[Target], *, wait: bool) -> list[LockedBuild]:
    """Lock builds in one order; leaves out those that another transaction has replaced or taken over meanwhile.

    Args:
        targets: what to lock.
        wait: whether to wait for those that another transaction has locked, instead of leaving them out.
    """
    by_key = {target.build.pk: target for target in targets}
    skip_locked = not wait and connection.features.has_select_for_update_skip_locked
    chosen = ReadModelBuild.objects.filter(pk__in=by_key).order_by("pk").select_for_update(skip_locked=skip_locked)
    locked = [(by_key[build.pk], build) for build in chosen]
    return [
        LockedBuild(target.model, build)
        for target, build in locked
        if (build.code, build.ready) == (target.build.code, target.build.ready)
    ]


def finish(locked: Sequence[LockedBuild]) -> None:
    """Let this code's builds be read from now on; a statement only if one of them was not ready."""
    if new := [build.pk for model, build in locked if build.code == model.code and not build.ready]:
        ReadModelBuild.objects.filter(pk__in=new).update(ready=True)


def lock_own(model: ReadModel) -> ReadModelBuild | None:
    """Lock this code's build that is ready, waiting for any other lock on it; None if there is none."""
    return ReadModelBuild.objects.select_for_update().filter(read_model=model.name, code=model.code, ready=True).first()


def begin_anew(model: ReadModel) -> int:
    """Delete what was left of interrupted builds, and begin another one that is not ready; returns its key."""
    left = Q(code=model.code, ready=False) | Q(code="", ready=False, live=False)
    delete(model, ReadModelBuild.objects.filter(left, read_model=model.name))
    builds = ReadModelBuild.objects.filter(read_model=model.name)
    _delete_rows(model.rows.of_all_builds.exclude(build__in=builds.values("pk")))
    return ReadModelBuild.objects.create(read_model=model.name, code=model.code, started_at=clock.now()).pk


def delete(model: ReadModel, builds: QuerySet[ReadModelBuild]) -> None:
    """Delete builds and their rows.

    First the builds belong to nobody any more, so that the next rebuild goes on if this is interrupted. Then the rows
    are deleted, and then the builds, so that a process that still works on one notices. What such a process has written
    meanwhile is deleted last.
    """
    keys = list(builds.values_list("pk", flat=True))
    doomed = ReadModelBuild.objects.filter(pk__in=keys)
    doomed.update(code="", ready=False, live=False)
    of_them = model.rows.of_all_builds.filter(build__in=keys)
    _delete_rows(of_them)
    doomed.delete()
    _delete_rows(of_them)


def _delete_rows(rows: QuerySet[Any]) -> None:
    """Delete rows of a read model in portions, each in a transaction of its own."""
    while keys := list(rows.values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        rows.model.of_all_builds.filter(pk__in=keys)._raw_delete(using=connection.alias)


def delete_abandoned() -> None:
    """Delete the builds that other code has abandoned for long, of each read model that this code has built."""
    begun_before = clock.now() - DELETED_AFTER  # a younger one may just be on its way through the history
    for _, model in read_models.items():
        builds = known_builds([model])[model]
        own = _own(model, builds)
        if own and own.ready:
            old = [each.pk for each in builds if each.pk != own.pk and _has_unread(model, each, DELETED_AFTER)]
            delete(model, ReadModelBuild.objects.filter(pk__in=old, started_at__lt=begun_before))


def _own(model: ReadModel, builds: Sequence[Known]) -> Known | None:
    """This code's build: the one that is ready, or else the one that is not yet."""
    own = sorted((each for each in builds if each.code == model.code), key=lambda each: not each.ready)
    return own[0] if own else None


def _begin(models: Sequence[ReadModel]) -> None:
    """Begin a build of each read model, unless another process has just begun it."""
    begun = [ReadModelBuild(read_model=model.name, code=model.code, started_at=clock.now()) for model in models]
    ReadModelBuild.objects.bulk_create(begun, ignore_conflicts=True)


def _may_help(model: ReadModel, build: Known) -> bool:
    """Whether this code may catch up a build that is not its own: its own code, if it has one, does not."""
    if build.code == model.code or not build.behind:
        return False
    return not build.code or _has_unread(model, build, ABANDONED_AFTER)


def _has_unread(model: ReadModel, build: Known, age: timedelta) -> bool:
    """Whether a build has not read an event that is older than this."""
    history = history_of(model.context)
    beyond = not_handed_out(history, "build.mark", "build.ahead")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT EXISTS (SELECT 1 FROM {history._meta.db_table} AS history WHERE {beyond} AND occurred_at < %s)
            FROM integration_readmodelbuild AS build WHERE build.id = %s
            """,  # noqa: S608 - names of the code only
            [connection.ops.adapt_datetimefield_value(clock.now() - age), build.pk],
        )
        return any(unread for (unread,) in cursor.fetchall())
