"""Measures rows a and b again in a database with a long history (row f)."""

from collections.abc import Mapping
from contextlib import ExitStack

from tests.bench.deliveries import deliveries
from tests.bench.history import create_history
from tests.bench.order_flow import flow, open_shop
from tests.bench.pairing import Measurement, in_turn
from tests.bench.stage import Stage


def with_history(stage: Stage) -> Measurement:
    """Row f: compare rows a and b in a system with a long history with the same in one with almost none."""
    scale = stage.scale
    remembered = create_history(stage, "prepared", "old", scale.history)
    with ExitStack() as ends:
        shops = [ends.enter_context(open_shop(stage, template)) for template in ("old", "prepared")]
        renderers = [
            ends.enter_context(stage.start_processes("tests.bench.ours.send", 1, system.environment))
            for system, _ in shops
        ]

        def measure(which: int) -> Mapping[str, float]:
            (system, placers), (other, _) = shops[which], shops[1 - which]
            with other.paused():
                return {
                    "a": flow(system, placers, scale.orders),
                    "b": deliveries(system, renderers[which], scale.events),
                }

        pairs = in_turn(lambda: measure(0), lambda: measure(1), scale.rounds)
    return pairs, f"{remembered}; {scale.orders:,} orders and {scale.events:,} events"
