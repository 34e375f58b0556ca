"""Orders from placing to the shipment: all at once, for one sku, of many lines, embedded.

The clock stops when nothing is left to be delivered, and every order must have its shipment.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.bench.crew import Crew
from tests.bench.pairing import Measurement, in_turn
from tests.bench.stage import Measured, NotAllDone, Stage, embedded_environment, plain_environment
from tests.system.running_system import ROOT

SMALL, LARGE = 3, 300
"""Lines of an order."""


def flow(system: Measured, placers: Crew, orders: int, lines: int = SMALL, one_for_all: bool = False) -> float:
    """Orders a second, from placing to the shipment, with nothing left to be delivered at the end."""
    before = system.count("fulfillment_shipment")
    began = time.perf_counter()
    placers.do(orders=orders // placers.hands, lines=lines, skus=system.stage.scale.skus, one_for_all=one_for_all)
    system.come_to_rest()
    seconds = time.perf_counter() - began
    arranged = system.count("fulfillment_shipment") - before
    if arranged != orders // placers.hands * placers.hands:
        raise NotAllDone(f"{arranged} of {orders} orders have a shipment")
    return arranged / seconds


@contextmanager
def open_shop(stage: Stage, template: str = "furnished") -> Iterator[tuple[Measured, Crew]]:
    """A house, and those who place orders in it."""
    place, hands = "tests.bench.ours.place", stage.scale.hands
    with stage.system(template) as system, stage.crew(place, hands, system.environment) as placers:
        yield system, placers


@contextmanager
def bare_chain(stage: Stage) -> Iterator[Crew]:
    """Processes that run the bare chain, on tables with goods in them."""
    furnish_plain(stage)
    with stage.crew("tests.bench.baselines.chain", stage.scale.hands, stage.plain()) as chain:
        yield chain


def furnish_plain(stage: Stage) -> None:
    """Give the plain programs their tables, goods to sell, and some orders behind them."""
    with stage.crew("tests.bench.baselines.chain", 1, stage.plain()) as one:
        one.do(what="furnish", skus=stage.scale.skus, past=stage.scale.past)
    stage.settle("plain")


def whole_flow(stage: Stage) -> Measurement:
    """Row a: the whole flow beside the bare chain."""
    scale = stage.scale
    with open_shop(stage) as (system, placers), bare_chain(stage) as chain:

        def baseline() -> Mapping[str, float]:
            with system.frozen():
                each = scale.chain_orders // scale.hands
                return {"": each * scale.hands / chain.time(orders=each, lines=SMALL, skus=scale.skus)}

        pairs = in_turn(lambda: {"": flow(system, placers, scale.orders)}, baseline, scale.rounds)
    return pairs, f"{scale.orders:,} orders, {scale.chain_orders:,} by the chain"


def one_sku(stage: Stage) -> Measurement:
    """Row g: every order wants the same sku, beside orders spread over all of them."""
    orders = stage.scale.orders
    with open_shop(stage) as (system, placers):
        pairs = in_turn(
            lambda: {"": flow(system, placers, orders, one_for_all=True)},
            lambda: {"": flow(system, placers, orders)},
            stage.scale.rounds,
        )
    return pairs, f"{orders:,} orders of 3 lines"


def large_orders(stage: Stage) -> Measurement:
    """Row h: lines a second in large orders, beside small ones."""
    few, many = stage.scale.large_orders, stage.scale.orders
    with open_shop(stage) as (system, placers):
        pairs = in_turn(
            lambda: {"": LARGE * flow(system, placers, few, LARGE)},
            lambda: {"": SMALL * flow(system, placers, many)},
            stage.scale.rounds,
        )
    return pairs, f"{few:,} orders of {LARGE} lines, {many:,} of {SMALL}"


def embedded(stage: Stage) -> Measurement:
    """Row i: the embedded mode beside the bare chain on SQLite."""
    n = stage.scale.embedded_orders
    with embedded_system(stage, "tests.bench.ours.embedded") as ours, embedded_chain(stage) as chain:

        def baseline() -> Mapping[str, float]:
            with ours.frozen():
                return {"": n / chain.time(orders=n, lines=SMALL, skus=stage.scale.skus)}

        pairs = in_turn(
            lambda: {"": n / ours.time(orders=n, lines=SMALL, skus=stage.scale.skus)}, baseline, stage.scale.rounds
        )
    return pairs, f"{n:,} orders"


def embedded_system(stage: Stage, program: str = "tests.bench.ours.walk") -> Crew:
    """A process of ours that runs embedded, on an SQLite database with goods and some orders in it."""
    database = {"DATABASE_URL": f"sqlite:///{stage.folder}/embedded.sqlite3"}
    system = {**os.environ, **embedded_environment(stage), **database}
    stage.furnish({**system, "PYTHONPATH": str(ROOT)})
    return stage.crew(program, 1, system)


@contextmanager
def embedded_chain(stage: Stage) -> Iterator[Crew]:
    """A process that runs the bare chain on an SQLite database, with as much in it."""
    plain = plain_environment(f"sqlite:///{stage.folder}/plain.sqlite3", stage.folder / "var")
    with stage.crew("tests.bench.baselines.chain", 1, plain) as chain:
        chain.do(what="furnish", skus=stage.scale.skus, past=stage.scale.past)
        yield chain
