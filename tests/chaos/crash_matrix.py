"""Kill a flow at every statement it makes, start again, and see that nothing is lost, doubled or oversold.

A crash is `os._exit` in a forked process: no `finally` block and no handler runs, and the connection ends. Each step
of a flow is killed before and after each statement, before and after each commit, and once more at each commit that
succeeded but is reported as failed. The process that is killed starts from the saved state in which the step begins.
The flow is then run from its first step to its end.
"""

import gc
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from django.db import OperationalError, connection, connections

from billing.reconciliation import reconcile
from config.verification import verify
from integration.domain import clock
from integration.messaging.models import Delivery
from integration.read_models.rebuild import differences
from integration.read_models.registry import read_models
from ordering.models import Order
from tests.chaos.databases import Fresh
from tests.chaos.flows import FLOWS, Flow, World, open_shop, own_steps

DIED = 77
"""The exit code of a process that died at its point."""
REPORTED_AS_FAILED = "commit reported as failed"
"""The one kind of point that the process survives. It does not know that its commit succeeded."""
BEFORE_THE_STEP = "before_the_step"
"""The saved state in which the step that is being killed begins."""


class Point(NamedTuple):
    """Where to die: before or after the n-th statement or commit, or at a commit that is reported as failed."""

    when: str
    n: int


class Place(NamedTuple):
    """A point in a step of a flow."""

    flow: str
    step: int
    point: Point


class Ledger:
    """Counts the statements and commits of this process, and ends it at its point."""

    def __init__(self, point: Point | None = None) -> None:
        self.point = point
        self.counts: Counter[str] = Counter()

    def watch(self, stack: ExitStack) -> None:
        """Count from now on, until the stack is closed."""
        stack.enter_context(connection.execute_wrapper(self._statement))
        commit = connection._commit
        stack.enter_context(mock.patch.object(connection, "_commit", partial(self._commit, commit)))

    def _statement(self, execute: Callable[..., Any], *args: Any) -> Any:
        self.counts["statement"] += 1
        self._die_at("before statement", "statement")
        result = execute(*args)
        self._die_at("after statement", "statement")
        return result

    def _commit(self, commit: Callable[[], None]) -> None:
        self.counts["commit"] += 1
        self._die_at("before commit", "commit")
        commit()
        self._die_at("after commit", "commit")
        if self.point == Point(REPORTED_AS_FAILED, self.counts["commit"]):
            raise OperationalError("the connection was lost before the commit was confirmed")

    def _die_at(self, when: str, kind: str) -> None:
        if self.point == Point(when, self.counts[kind]):
            os._exit(DIED)


def points(counts: Counter[str]) -> Iterator[Point]:
    """Every point of a process that makes so many statements and commits."""
    for n in range(1, counts["statement"] + 1):
        yield Point("before statement", n)
        yield Point("after statement", n)
    for n in range(1, counts["commit"] + 1):
        yield from (Point(when, n) for when in ("before commit", "after commit", REPORTED_AS_FAILED))


def run_in_child(act: Callable[[], None], point: Point | None) -> tuple[int, Counter[str]]:
    """Call a function in a forked process that dies at a point.

    Returns:
        Its exit code, and the statements and commits it made; no counts when it did not come to its end.
    """
    if connection.vendor == "sqlite":
        connections.close_all()  # SQLite's locks belong to the process: a connection must not be carried over a fork
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        gc.disable()  # a collection would touch, and so copy, the memory that is shared with the parent
        _ours = connections["default"]  # a reference, because closing the object would end the parent's connection
        del connections["default"]
        os._exit(_run_and_report(act, point, writer))
    os.close(writer)
    with os.fdopen(reader) as pipe:
        counts = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), Counter(json.loads(counts)) if counts else Counter()


def _run_and_report(act: Callable[[], None], point: Point | None, writer: int) -> int:
    ledger = Ledger(point)
    try:
        with ExitStack() as stack:
            ledger.watch(stack)
            act()
    except BaseException as error:
        print(f"at {point}: the process itself failed: {error!r}", file=sys.stderr)
        return 1
    os.write(writer, json.dumps(ledger.counts).encode())
    return 0


def finish(flow: Flow, tag: str) -> list[str]:
    """Run a flow from its first step, under the same idempotency keys as before the crash; returns the violations."""
    world = World(tag)
    flow.run(world)
    return judge(world, flow.ends)


def judge(world: World, ends: Collection[str]) -> list[str]:
    """The violations of a world at rest: what every check finds, and an end that its order may not have."""
    violations = [f"{name}: {what}" for name, finding in verify().items() for what in finding.complaints]
    with clock.moved(timedelta(hours=1)):
        books = reconcile(clock.now() - timedelta(days=1)).discrepancies
    for name, model in read_models.items():
        violations += [f"{name}, not what a rebuild makes of it: {what}" for what in differences(model)]
    violations += [f"the provider's books, {key}: {what}" for key, what in books.items()]
    if world.end not in ends:
        violations.append(f"{world.order} ended {world.end}")
    violations += [
        f"{delivery} is {delivery.status}: {delivery.error}"
        for delivery in Delivery.objects.filter(status__in=["pending", "dead"])
    ]
    orders = Order.objects.filter(replaces="").count()
    if orders != 1:
        violations.append(f"{orders} orders instead of 1")
    return violations


def kill_everywhere(
    sample: int | None, seed: int, only: str, processes: int = 1, results: Path | None = None
) -> dict[str, Any]:
    """Try every point of every step that a flow owns, or a sample of the points; returns the report.

    Args:
        sample: how many points are drawn; None for all.
        only: a part of the names of the flows to kill.
        processes: how many processes share the points, each with a database of its own.
        results: a file with a line for each point that was tried. Points in it are not tried again, and each result
            is appended to it, so that an interrupted run goes on where it stopped.
    """
    fresh, steps = Fresh(open_shop), own_steps()
    places = [place for name, own in steps.items() if only in name for place in _places(name, own, fresh)]
    if sample is not None:
        places = random.Random(seed).sample(places, min(sample, len(places)))
    earlier = _read(results)
    tried = {result.place for result in earlier}
    todo = [place for place in places if place not in tried]
    if processes == 1:
        found = kill_at_each(todo, fresh, results)
    else:
        fresh.remove()
        shares = [(number, todo[number::processes], results) for number in range(processes)]
        with get_context("fork").Pool(processes) as pool:
            found = [result for share in pool.starmap(_kill_a_share, shares) for result in share]
    all_found = [result for result in earlier if result.place in places] + found
    return {
        "points": dict(Counter(result.place.flow for result in all_found)),
        "died": dict(Counter(result.place.flow for result in all_found if result.died)),
        "violations": [violation for result in all_found for violation in result.violations],
        **({"points of an earlier run": len(all_found) - len(found)} if earlier else {}),
    }


class Result(NamedTuple):
    """What came of a point: whether the process died there, and the violations that were found afterwards."""

    place: Place
    died: bool
    violations: list[str]


def _read(results: Path | None) -> list[Result]:
    lines = results.read_text().splitlines() if results and results.exists() else []
    return [
        Result(Place(flow, step, Point(when, n)), died, violations)
        for flow, step, when, n, died, violations in map(json.loads, lines)
    ]


def _places(name: str, own: Collection[int], fresh: Fresh) -> list[Place]:
    """Every point of some steps of a flow, which runs once to be counted."""
    flow, world, places = FLOWS[name], World(name), []
    fresh.restore()
    for number, step in enumerate(flow.steps):
        ledger = Ledger()
        with ExitStack() as stack:
            ledger.watch(stack)
            step.run(world)
        places += [Place(name, number, point) for point in points(ledger.counts) if number in own]
    return places


def _go_to(name: str, number: int, fresh: Fresh) -> World:
    """Run a flow up to a step, and save that state as `BEFORE_THE_STEP`; returns the world in it."""
    world = World(name)
    fresh.restore()
    for step in FLOWS[name].steps[:number]:
        step.run(world)
    fresh.save(BEFORE_THE_STEP)
    return world


def kill_at_each(places: Sequence[Place], fresh: Fresh, results: Path | None = None) -> list[Result]:
    """Try these points, and drop the database at the end; returns a result for each point."""
    found = []
    gc.freeze()  # objects that exist by now stay, so collections need not look at them
    for (name, number), some in groupby(sorted(places, key=lambda place: place[:2]), key=lambda place: place[:2]):
        flow, world = FLOWS[name], _go_to(name, number, fresh)
        for place in some:
            fresh.restore(BEFORE_THE_STEP)
            status, _ = run_in_child(partial(flow.run, replace(world), number), place.point)
            died = status == DIED or place.point.when == REPORTED_AS_FAILED
            try:
                violations = finish(flow, world.tag)
            except Exception as error:
                violations = [f"could not be finished: {error!r}"]
            where = f"{name}, {flow.steps[number].name}, {place.point.when} {place.point.n}"
            found.append(Result(place, died, [f"{where}: {violation}" for violation in violations]))
            if results:
                with results.open("a") as file:
                    file.write(json.dumps([name, number, *place.point, died, found[-1].violations]) + "\n")
    fresh.remove()
    return found


def _kill_a_share(number: int, places: Sequence[Place], results: Path | None) -> list[Result]:
    connection.settings_dict["NAME"] = f"{connection.settings_dict['NAME']}_{number}"
    return kill_at_each(places, Fresh(open_shop), results)
