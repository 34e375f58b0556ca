"""Measures delivery between contexts: the throughput of one consumer (row b), and the latency of one order (row d)."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from statistics import median, quantiles

from tests.bench.pairing import Measurement, in_turn
from tests.bench.processes import ProcessGroup
from tests.bench.stage import MeasuredSystem, NotAllDelivered, Stage


def deliveries(system: MeasuredSystem, sender: ProcessGroup, events: int) -> float:
    """Measure the events per second that one transactional consumer handles; all are pending when the worker starts."""
    before = system.count("bench_note")
    with system.paused():
        sender.do(events=events)
    began = time.perf_counter()
    system.wait_until_idle()
    seconds = time.perf_counter() - began
    noted = system.count("bench_note") - before
    if noted != events:
        raise NotAllDelivered(f"{events:,} events left {noted:,} rows")
    return events / seconds


def no_op_tasks(system: MeasuredSystem, sender: ProcessGroup, tasks: int) -> float:
    """Measure the no-op tasks per second that the same worker runs; all are queued when it starts."""
    with system.paused():
        sender.do(tasks=tasks)
    began = time.perf_counter()
    system.empty_queue()
    return tasks / (time.perf_counter() - began)


def deliver_events(stage: Stage) -> Measurement:
    """Row b: compare delivered events with no-op tasks."""
    events, tasks = stage.scale.events, stage.scale.tasks
    with stage.system() as system, stage.start_processes("tests.bench.ours.send", 1, system.environment) as sender:
        pairs = in_turn(
            lambda: {"": deliveries(system, sender, events)},
            lambda: {"": no_op_tasks(system, sender, tasks)},
            stage.scale.rounds,
        )
    return pairs, f"{events:,} events, {tasks:,} tasks"


def low_load(stage: Stage) -> Measurement:
    """Row d: compare the latency of a single order with three consecutive tasks."""
    n, pause = stage.scale.low_load, 0.02
    with ExitStack() as ends:
        system = ends.enter_context(stage.system())
        placer = ends.enter_context(stage.start_processes("tests.bench.ours.place", 1, system.environment))
        sender = ends.enter_context(stage.start_processes("tests.bench.ours.send", 1, system.environment))

        def ours() -> Mapping[str, float]:
            seconds = placer.do(what="watch", orders=n, skus=stage.scale.skus, pause=pause)[0]
            system.wait_until_idle()
            return _percentiles(seconds)

        pairs = in_turn(ours, lambda: _percentiles(sender.do(chains=n, pause=pause)[0]), stage.scale.rounds)
    return pairs, f"{n:,} one after the other, with pauses of {pause * 1000:g} ms"


def _percentiles(seconds: list[float]) -> dict[str, float]:
    hundredths = quantiles(seconds, n=100, method="inclusive")
    return {"p50": median(seconds) * 1000, "p99": hundredths[98] * 1000}
