"""Rows a and b once more, with a past that is as long as is asked for."""

from collections.abc import Mapping
from contextlib import ExitStack

from tests.bench.deliveries_alone import deliveries
from tests.bench.history import remember_orders
from tests.bench.orders_through import flow, open_shop
from tests.bench.pairing import Measurement, in_turn
from tests.bench.stage import Stage


def with_history(stage: Stage) -> Measurement:
    """Row f: a and b in a shop with a long past beside the same in one that has hardly any."""
    scale = stage.scale
    remembered = remember_orders(stage, "furnished", "old", scale.history)
    with ExitStack() as ends:
        shops = [ends.enter_context(open_shop(stage, template)) for template in ("old", "furnished")]
        tellers = [
            ends.enter_context(stage.crew("tests.bench.ours.tell", 1, system.environment)) for system, _ in shops
        ]

        def measure(which: int) -> Mapping[str, float]:
            (system, placers), (other, _) = shops[which], shops[1 - which]
            with other.frozen():
                return {
                    "a": flow(system, placers, scale.orders),
                    "b": deliveries(system, tellers[which], scale.events),
                }

        pairs = in_turn(lambda: measure(0), lambda: measure(1), scale.rounds)
    return pairs, f"{remembered}; {scale.orders:,} orders and {scale.events:,} events"
