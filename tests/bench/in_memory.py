"""What happens to an event before anything is written."""

import os
from collections.abc import Mapping

from tests.bench.crew import Crew
from tests.bench.pairing import Measurement, in_turn
from tests.bench.stage import Stage, embedded_environment


def record_and_dispatch(stage: Stage) -> Measurement:
    """Row e: recording and dispatching beside a Django signal."""
    n = stage.scale.dispatches
    with recorder(stage) as ours, signals(stage) as baseline:

        def record() -> Mapping[str, float]:
            took = ours.do(times=n)[0]
            return {"": n / took["all"], "the dispatch alone": n / took["dispatch"]}

        def send() -> Mapping[str, float]:
            return dict.fromkeys(["", "the dispatch alone"], n / baseline.do(times=n)[0])

        return in_turn(record, send, stage.scale.rounds), f"{n:,} events"


def recorder(stage: Stage) -> Crew:
    """A process that records events, and dispatches them."""
    own = {**os.environ, **embedded_environment(stage), "DATABASE_URL": "sqlite://:memory:"}
    return stage.crew("tests.bench.ours.record", 1, own)


def signals(stage: Stage) -> Crew:
    """A process that sends signals."""
    return stage.crew("tests.bench.baselines.signals", 1, dict(os.environ))
