"""The way between contexts alone: many events for one consumer, and the latency of one order."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from statistics import median, quantiles

from tests.bench.crew import Crew
from tests.bench.pairing import Measurement, in_turn
from tests.bench.stage import Measured, NotAllDone, Stage


def deliveries(system: Measured, teller: Crew, events: int) -> float:
    """Events a second that one transactional consumer takes, all of them waiting when the worker begins."""
    before = system.count("bench_note")
    with system.frozen():
        teller.do(events=events)
    began = time.perf_counter()
    system.come_to_rest()
    seconds = time.perf_counter() - began
    noted = system.count("bench_note") - before
    if noted != events:
        raise NotAllDone(f"{events:,} events left {noted:,} rows")
    return events / seconds


def no_op_tasks(system: Measured, teller: Crew, tasks: int) -> float:
    """No-op tasks a second that the same worker runs, all of them waiting when it begins."""
    with system.frozen():
        teller.do(tasks=tasks)
    began = time.perf_counter()
    system.empty_queue()
    return tasks / (time.perf_counter() - began)


def deliver_events(stage: Stage) -> Measurement:
    """Row b: events delivered beside no-op tasks."""
    events, tasks = stage.scale.events, stage.scale.tasks
    with stage.system() as system, stage.crew("tests.bench.ours.tell", 1, system.environment) as teller:
        pairs = in_turn(
            lambda: {"": deliveries(system, teller, events)},
            lambda: {"": no_op_tasks(system, teller, tasks)},
            stage.scale.rounds,
        )
    return pairs, f"{events:,} events, {tasks:,} tasks"


def low_load(stage: Stage) -> Measurement:
    """Row d: one order alone beside three tasks, one after the other."""
    n, pause = stage.scale.low_load, 0.02
    with ExitStack() as ends:
        system = ends.enter_context(stage.system())
        placer = ends.enter_context(stage.crew("tests.bench.ours.place", 1, system.environment))
        teller = ends.enter_context(stage.crew("tests.bench.ours.tell", 1, system.environment))

        def ours() -> Mapping[str, float]:
            seconds = placer.do(what="watch", orders=n, skus=stage.scale.skus, pause=pause)[0]
            system.come_to_rest()
            return _percentiles(seconds)

        pairs = in_turn(ours, lambda: _percentiles(teller.do(chains=n, pause=pause)[0]), stage.scale.rounds)
    return pairs, f"{n:,} one after the other, {pause * 1000:g} ms apart"


def _percentiles(seconds: list[float]) -> dict[str, float]:
    hundredths = quantiles(seconds, n=100, method="inclusive")
    return {"p50": median(seconds) * 1000, "p99": hundredths[98] * 1000}
