"""Measures what an order writes: bytes of the write-ahead log, and bytes by which tables and indexes grow.

The log is the server's, so each side is measured while the other one does nothing. It includes the images of whole
pages that PostgreSQL writes after a checkpoint.
"""

import psycopg

from tests.bench.capacity import DISK
from tests.bench.order_flow import SMALL, bare_chain, flow, open_shop
from tests.bench.pairing import Measurement, in_turn
from tests.bench.stage import Stage

KIB = 1024
FEWEST = 200
"""Orders of a round. The tables of the chain grow by whole pages, which few orders do not fill."""
LOG, STAYS = "log", "tables and indexes"


def weight(stage: Stage) -> Measurement:
    """Row l: compare the bytes that an order writes with those of the bare chain."""
    scale = stage.scale
    orders = max(scale.orders, FEWEST) // scale.placers * scale.placers
    with (
        open_shop(stage) as (system, placers),
        bare_chain(stage) as chain,
        psycopg.connect(system.environment["DATABASE_URL"], autocommit=True) as ours,
        psycopg.connect(stage.postgresql.url("plain"), autocommit=True) as plain,
    ):

        def of_waybill() -> dict[str, float]:
            before = _written(ours)
            flow(system, placers, orders)
            return _each(before, _written(ours), orders)

        def of_the_chain() -> dict[str, float]:
            with system.paused():
                before = _written(plain)
                chain.do(orders=orders // scale.placers, lines=SMALL, skus=scale.skus)
                return _each(before, _written(plain), orders)

        pairs = in_turn(of_waybill, of_the_chain, scale.rounds)
    return pairs, f"{orders:,} orders of {SMALL} lines"


def _written(connection: "psycopg.Connection[tuple[float, ...]]") -> tuple[float, float]:
    found = connection.execute(f"SELECT {DISK['wal']}, {DISK['table']} + {DISK['index']}").fetchone()
    assert found
    return float(found[0]), float(found[1])


def _each(before: tuple[float, float], after: tuple[float, float], orders: int) -> dict[str, float]:
    """KiB an order, by the figure's name."""
    return {name: (end - start) / orders / KIB for name, start, end in zip((LOG, STAYS), before, after, strict=True)}
