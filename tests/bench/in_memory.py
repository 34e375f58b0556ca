"""Measures an event in memory: recording and dispatching it, without storing it."""

import os
from collections.abc import Mapping

from tests.bench.pairing import Measurement, in_turn
from tests.bench.processes import ProcessGroup
from tests.bench.stage import Stage, embedded_environment


def record_and_dispatch(stage: Stage) -> Measurement:
    """Row e: compare recording and dispatching an event with sending a Django signal."""
    n = stage.scale.dispatches
    with recorder(stage) as ours, signals(stage) as baseline:

        def record() -> Mapping[str, float]:
            took = ours.do(times=n)[0]
            return {"": n / took["all"], "the dispatch alone": n / took["dispatch"]}

        def send() -> Mapping[str, float]:
            return dict.fromkeys(["", "the dispatch alone"], n / baseline.do(times=n)[0])

        return in_turn(record, send, stage.scale.rounds), f"{n:,} events"


def recorder(stage: Stage) -> ProcessGroup:
    """Start a process that records and dispatches events."""
    own = {**os.environ, **embedded_environment(stage), "DATABASE_URL": "sqlite://:memory:"}
    return stage.start_processes("tests.bench.ours.record", 1, own)


def signals(stage: Stage) -> ProcessGroup:
    """Start a process that sends signals."""
    return stage.start_processes("tests.bench.baselines.signals", 1, dict(os.environ))
