"""Measures orders from placing to the shipment: the whole flow, one SKU for all, large orders, and embedded.

The clock stops when no delivery is pending. Every order must have its shipment by then.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.bench.pairing import Measurement, in_turn
from tests.bench.processes import ProcessGroup
from tests.bench.stage import MeasuredSystem, NotAllDelivered, Stage, embedded_environment, plain_environment
from tests.system.running_system import ROOT

SMALL, LARGE = 3, 300
"""Lines of a small and of a large order."""


def flow(
    system: MeasuredSystem, placers: ProcessGroup, orders: int, lines: int = SMALL, one_for_all: bool = False
) -> float:
    """Measure orders per second, from placing until every order has a shipment and no delivery is pending."""
    before = system.count("fulfillment_shipment")
    began = time.perf_counter()
    placers.do(orders=orders // placers.size, lines=lines, skus=system.stage.scale.skus, one_for_all=one_for_all)
    system.wait_until_idle()
    seconds = time.perf_counter() - began
    arranged = system.count("fulfillment_shipment") - before
    if arranged != orders // placers.size * placers.size:
        raise NotAllDelivered(f"{arranged} of {orders} orders have a shipment")
    return arranged / seconds


@contextmanager
def open_shop(stage: Stage, template: str = "prepared") -> Iterator[tuple[MeasuredSystem, ProcessGroup]]:
    """Start a system, and the processes that place orders in it."""
    place, size = "tests.bench.ours.place", stage.scale.placers
    with stage.system(template) as system, stage.start_processes(place, size, system.environment) as placers:
        yield system, placers


@contextmanager
def bare_chain(stage: Stage) -> Iterator[ProcessGroup]:
    """Start processes that run the bare chain, on a database with goods."""
    set_up_plain(stage)
    with stage.start_processes("tests.bench.baselines.chain", stage.scale.placers, stage.plain()) as chain:
        yield chain


def set_up_plain(stage: Stage) -> None:
    """Create the tables, goods and earlier orders of the baseline programs."""
    with stage.start_processes("tests.bench.baselines.chain", 1, stage.plain()) as one:
        one.do(what="set_up", skus=stage.scale.skus, past=stage.scale.past)
    stage.vacuum("plain")


def whole_flow(stage: Stage) -> Measurement:
    """Row a: compare the whole flow with the bare chain."""
    scale = stage.scale
    with open_shop(stage) as (system, placers), bare_chain(stage) as chain:

        def baseline() -> Mapping[str, float]:
            with system.paused():
                each = scale.chain_orders // scale.placers
                return {"": each * scale.placers / chain.time(orders=each, lines=SMALL, skus=scale.skus)}

        pairs = in_turn(lambda: {"": flow(system, placers, scale.orders)}, baseline, scale.rounds)
    return pairs, f"{scale.orders:,} orders, {scale.chain_orders:,} by the chain"


def one_sku(stage: Stage) -> Measurement:
    """Row g: compare orders that all contain the same SKU with orders spread over all SKUs."""
    orders = stage.scale.orders
    with open_shop(stage) as (system, placers):
        pairs = in_turn(
            lambda: {"": flow(system, placers, orders, one_for_all=True)},
            lambda: {"": flow(system, placers, orders)},
            stage.scale.rounds,
        )
    return pairs, f"{orders:,} orders of 3 lines"


def large_orders(stage: Stage) -> Measurement:
    """Row h: compare the lines per second of large orders with those of small ones."""
    few, many = stage.scale.large_orders, stage.scale.orders
    with open_shop(stage) as (system, placers):
        pairs = in_turn(
            lambda: {"": LARGE * flow(system, placers, few, LARGE)},
            lambda: {"": SMALL * flow(system, placers, many)},
            stage.scale.rounds,
        )
    return pairs, f"{few:,} orders of {LARGE} lines, {many:,} of {SMALL}"


def embedded(stage: Stage) -> Measurement:
    """Row i: compare the embedded mode with the bare chain on SQLite."""
    n = stage.scale.embedded_orders
    with embedded_system(stage, "tests.bench.ours.embedded") as ours, embedded_chain(stage) as chain:

        def baseline() -> Mapping[str, float]:
            with ours.paused():
                return {"": n / chain.time(orders=n, lines=SMALL, skus=stage.scale.skus)}

        pairs = in_turn(
            lambda: {"": n / ours.time(orders=n, lines=SMALL, skus=stage.scale.skus)}, baseline, stage.scale.rounds
        )
    return pairs, f"{n:,} orders"


def embedded_system(stage: Stage, program: str = "tests.bench.ours.profiled_orders") -> ProcessGroup:
    """Start a process that runs Waybill embedded, on an SQLite database with goods and earlier orders."""
    database = {"DATABASE_URL": f"sqlite:///{stage.folder}/embedded.sqlite3"}
    system = {**os.environ, **embedded_environment(stage), **database}
    stage.set_up({**system, "PYTHONPATH": str(ROOT)})
    return stage.start_processes(program, 1, system)


@contextmanager
def embedded_chain(stage: Stage) -> Iterator[ProcessGroup]:
    """Start a process that runs the bare chain on an SQLite database with as many goods and earlier orders."""
    plain = plain_environment(f"sqlite:///{stage.folder}/plain.sqlite3", stage.folder / "var")
    with stage.start_processes("tests.bench.baselines.chain", 1, plain) as chain:
        chain.do(what="set_up", skus=stage.scale.skus, past=stage.scale.past)
        yield chain
