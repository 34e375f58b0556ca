"""Kill a flow at every statement it makes, start again, and see that nothing is lost, doubled or oversold.

A crash is `os._exit` in a forked process: nothing is unwound, no handler runs, the connection just ends. The flow is
killed before and after each statement, before and after each commit, and once more at each commit that was done but is
reported as failed.
"""

import gc
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from typing import Any, NamedTuple
from unittest import mock

from django.db import OperationalError, connection, connections

from billing.reconciliation import reconcile
from config.verification import verify
from integration.domain import clock
from integration.messaging.models import Delivery
from integration.read_models.batch import read_models
from integration.read_models.rebuild import differences
from ordering.models import Order
from tests.chaos.databases import Fresh
from tests.chaos.flows import FLOWS, TIMEOUT, World, drain, open_shop

DIED = 77
"""How a process ends that crashed where it was told to."""
REPORTED_AS_FAILED = "commit reported as failed"
"""The one kind of point the process survives, not knowing that what it did was done."""


class Point(NamedTuple):
    """Where to die: before or after the n-th statement or commit, or at a commit that is reported as failed."""

    when: str
    n: int


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
            raise OperationalError("the connection was lost while the commit was answered")

    def _die_at(self, when: str, kind: str) -> None:
        if self.point == Point(when, self.counts[kind]):
            os._exit(DIED)


def points(counts: Counter[str]) -> Iterator[Point]:
    """Every point of a flow that makes so many statements and commits."""
    for n in range(1, counts["statement"] + 1):
        yield Point("before statement", n)
        yield Point("after statement", n)
    for n in range(1, counts["commit"] + 1):
        yield from (Point(when, n) for when in ("before commit", "after commit", REPORTED_AS_FAILED))


def run_in_child(flow: Callable[[Any], None], tag: str, point: Point | None) -> tuple[int, Counter[str]]:
    """Run the flow in a forked process; returns how it ended, and what it counted if it came to its end."""
    if connection.vendor == "sqlite":
        connections.close_all()  # its locks are the process's, and are not to be carried over a fork
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        gc.disable()  # to look through all that was inherited would be to copy it
        _ours = connections["default"]  # kept, for to be rid of it would be to close it
        del connections["default"]
        os._exit(_run_and_report(flow, tag, point, writer))
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), Counter(json.loads(said)) if said else Counter()


def _run_and_report(flow: Callable[[Any], None], tag: str, point: Point | None, writer: int) -> int:
    ledger = Ledger(point)
    try:
        with ExitStack() as stack:
            ledger.watch(stack)
            flow(World(tag))
            drain(timeout=TIMEOUT)
    except BaseException as error:
        print(f"{flow.__name__} at {point}: the process itself failed: {error!r}", file=sys.stderr)
        return 1
    os.write(writer, json.dumps(ledger.counts).encode())
    return 0


def finish(flow: Callable[[Any], None], tag: str, ends: set[str]) -> list[str]:
    """Start again, let the clients repeat what they asked for, and look for violations."""
    world = World(tag)
    flow(world)
    drain(timeout=TIMEOUT)
    return judge(world, ends)


def judge(world: World, ends: set[str]) -> list[str]:
    """What is wrong with the one order of a world at rest: every check there is, and where it ended."""
    violations = [f"{name}: {what}" for name, finding in verify().items() for what in finding.offenders]
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
    orders = Order.objects.count()
    if orders != 1:
        violations.append(f"{orders} orders instead of 1")
    return violations


def kill_everywhere(sample: int | None, seed: int, only: str, hands: int = 1) -> dict[str, Any]:
    """Try every point of every flow, or a sample of them; returns the report.

    Args:
        hands: so many processes share the points, each with a database of its own.
    """
    fresh = Fresh(open_shop)
    todo = []
    for flow in FLOWS:
        if only in flow.__name__:
            fresh.restore()
            status, counts = run_in_child(flow, "count", None)
            if status:
                raise SystemExit(f"{flow.__name__} fails without any crash")
            todo += [(flow, point) for point in points(counts)]
    if sample is not None:
        todo = random.Random(seed).sample(todo, min(sample, len(todo)))
    if hands == 1:
        reports = [kill_at_each(todo, fresh)]
    else:
        fresh.remove()
        with get_context("fork").Pool(hands) as pool:
            reports = pool.starmap(_lend_a_hand, [(hand, todo[hand::hands]) for hand in range(hands)])
    return {
        "points": dict(sum((report.tried for report in reports), Counter[str]())),
        "died": dict(sum((report.died for report in reports), Counter[str]())),
        "violations": [what for report in reports for what in report.violations],
    }


class Tried(NamedTuple):
    """How many points of each flow were tried, how many died there, and what was wrong afterwards."""

    tried: Counter[str]
    died: Counter[str]
    violations: list[str]


def kill_at_each(todo: Sequence[tuple[Callable[[World], None], Point]], fresh: Fresh) -> Tried:
    """Try these points of these flows, and leave no database behind."""
    done = Tried(Counter(), Counter(), [])
    gc.freeze()  # what is there by now stays: no collection need look through it
    for i, (flow, point) in enumerate(todo):
        fresh.restore()
        status, _ = run_in_child(flow, f"t{i}", point)
        done.tried[flow.__name__] += 1
        done.died[flow.__name__] += status == DIED or point.when == REPORTED_AS_FAILED
        try:
            found = finish(flow, f"t{i}", FLOWS[flow])
        except Exception as error:
            found = [f"could not be finished: {error!r}"]
        done.violations.extend(f"{flow.__name__}, {point.when} {point.n}: {what}" for what in found)
    fresh.remove()
    return done


def _lend_a_hand(hand: int, todo: Sequence[tuple[Callable[[World], None], Point]]) -> Tried:
    connection.settings_dict["NAME"] = f"{connection.settings_dict['NAME']}_{hand}"
    return kill_at_each(todo, Fresh(open_shop))
