"""Upgrades while orders flow: old and new code run side by side, no request fails, and nothing is lost.

Each row begins with a system of older code. While clients place, read and list orders, other code is deployed as
docs/operations.md says: `migrate`, then the new processes while the old ones run, then the old ones are stopped. What
is measured is how long it takes from then until every order is confirmed and listed. The rows need the git history.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import psycopg

from tests.chaos.outages.deployment import Stage, deploy
from tests.chaos.outages.table import Site, Table
from tests.chaos.outcome import Outcome
from tests.system.running_system import ROOT
from tests.upgrades.old_code import changed, check_out

RELEASED = "c4a1a4a"
"""The oldest commit from which a deployment without a break is promised."""

SOLD_WHEN_PLACED = {
    "ordering/queries/sales.py": [
        ("CHANGES = (events.OrderConfirmed, ", "CHANGES = (events.OrderPlaced, "),
        ("for event in (events.OrderPlaced, *CHANGES)]", "for event in CHANGES]"),
        ("                    case events.OrderConfirmed():", "                    case events.OrderPlaced():"),
        ("            order.lines = event.lines\n        else:\n    ", "            order.lines = event.lines\n"),
        ("        if isinstance(event, events.OrderConfirmed):", "        if isinstance(event, events.OrderPlaced):"),
    ],
}
"""Changes of the code: sales count orders when they are placed, an event that the older read model does not use."""

Row = Callable[[Stage, int], dict[str, Any]]
ROWS: dict[str, Row] = {}
TABLE = Table("upgrade")
ORDERS = 400
"""How many orders are placed in each row, at least."""


def row(act: Row) -> Row:
    """Register a row of the report."""
    ROWS[act.__name__] = act

    @wraps(act)
    def alone(site: Site) -> Outcome:
        server, name = site.postgresql.url("").rstrip("/"), f"upgrade_{act.__name__}"
        with a_database(server, name):
            found = act(Stage(site.folder, server, site.redis.url, name), ORDERS)
        n = {"orders": found["n"], "longest request s": found["longest request"], "requests": found["requests"]}
        return Outcome({"lost": found["lost"], **n}, found["violations"], found["healed"])

    TABLE.alone("no request fails, no order is lost, and `verify` and `rebuild --check` find nothing")(alone)
    return act


@row
def deployment(stage: Stage, orders: int) -> dict[str, Any]:
    """From c4a1a4a to today's code, without a break."""
    return deploy(stage, orders, [check_out(RELEASED, stage.folder / "released"), ROOT])


@row
def roll_back(stage: Stage, orders: int) -> dict[str, Any]:
    """From c4a1a4a to today's code, back, and forward again, on the migrated database."""
    released = check_out(RELEASED, stage.folder / "released")
    return deploy(stage, orders, [released, ROOT, released, ROOT])


@row
def other_read_models(stage: Stage, orders: int) -> dict[str, Any]:
    """From c4a1a4a to code whose sales use an event that older code passes over, by way of today's code."""
    released = check_out(RELEASED, stage.folder / "released")
    return deploy(stage, orders, [released, ROOT, changed(stage.folder / "changed", SOLD_WHEN_PLACED)])


# --- On given servers ---


def live_through_all(
    folder: Path, server: str, broker: str, orders: int, only: str, prefix: str = "upgrade"
) -> dict[str, Any]:
    """All rows whose name contains one of the words of `only`, which are separated by commas.

    Args:
        folder: for the files of the systems.
        server: the URL of a PostgreSQL server, without a database; each row has one of its own, which is dropped.
        broker: the URL of a broker; the queues have the database's name as their prefix.
        orders: how many orders are placed in each row, at least.
        only: words.
        prefix: how the names of the databases begin.
    """
    report = {}
    for name, act in ROWS.items():
        if any(word in name for word in only.split(",")):
            stage = Stage(folder / name, server, broker, f"{prefix}_{name}")
            stage.folder.mkdir()
            with a_database(server, stage.name):
                report[name] = {"what": act.__doc__, **act(stage, orders)}
            print(f"{name}: {report[name]}", file=sys.stderr, flush=True)
    return report


@contextmanager
def a_database(server: str, name: str) -> Iterator[None]:
    """A new PostgreSQL database inside the block."""
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
