"""The rows of the table: what each measures, its baseline and its goal."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench import capacity, growth, profile
from tests.bench.deliveries import deliver_events, low_load
from tests.bench.in_memory import record_and_dispatch
from tests.bench.long_history import with_history
from tests.bench.order_flow import embedded, large_orders, one_sku, whole_flow
from tests.bench.over_http import memory, requests
from tests.bench.pairing import Goal, Measurement
from tests.bench.peers import oscar
from tests.bench.stage import Stage
from tests.bench.weight import weight


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        what: the part of Waybill that is measured.
        baseline: the program it is compared with.
        unit: the unit of both sides' figures.
        goal: the goal for the ratio.
        measure: returns the measured pairs by name, and the amount of work in a round.
        servers: whether the row needs PostgreSQL and Redis.
    """

    what: str
    baseline: str
    unit: str
    goal: Goal
    measure: Callable[[Stage], Measurement]
    servers: bool = True


@dataclass(frozen=True)
class Section:
    """A measurement without a baseline, with a section of its own on the page.

    Args:
        measure: returns a report; its `n` says how much work was done.
        render: yields the lines of the section from a report.
    """

    measure: Callable[[Stage], dict[str, Any]]
    render: Callable[[Mapping[str, Any]], Iterator[str]]


SECTIONS = {
    "profile": Section(profile.measure, profile.render),
    "capacity": Section(capacity.measure, capacity.render),
    "growth": Section(growth.measure, growth.render),
}

ROWS: dict[str, Row] = {
    "a": Row(
        "the whole flow: place by command, reserve, charge, confirm, arrange the shipment; Celery, Redis, PostgreSQL",
        "a bare ORM chain of four transactions, 2 processes",
        "orders/s",
        Goal(1.0),
        whole_flow,
    ),
    "b": Row(
        "delivery of events to one transactional consumer that inserts a row, 2 worker processes",
        "Celery no-op tasks, the same worker",
        "events/s",
        Goal(2.0),
        deliver_events,
    ),
    "c": Row(
        "`POST /orders` with 3 lines, gunicorn with 2 workers",
        "a bare DRF view, the same inserts",
        "requests/s",
        Goal(0.7),
        requests,
    ),
    "d": Row(
        "placed → confirmed at low load",
        "three Celery no-op tasks, one after the other",
        "ms",
        Goal(3.0, at_most=True),
        low_load,
    ),
    "e": Row(
        "record an event and dispatch it to 3 handlers",
        "`Signal.send` to 3 receivers",
        "events/s",
        Goal(5.0),
        record_and_dispatch,
        servers=False,
    ),
    "f": Row("a and b with a long history", "a and b after 1,000 orders", "per s", Goal(0.9), with_history),
    "g": Row("every order contains the same SKU", "orders spread over 2,000 SKUs", "orders/s", Goal(0.6), one_sku),
    "h": Row("orders of 300 lines", "orders of 3 lines", "lines/s", Goal(10.0), large_orders),
    "i": Row(
        "embedded, the whole flow: SQLite, one process",
        "the bare ORM chain on SQLite",
        "orders/s",
        Goal(0.7),
        embedded,
        servers=False,
    ),
    "j": Row("the whole flow", "django-oscar's `place_order`, 2 processes", "orders/s", Goal(5.0), oscar),
    "k": Row("memory after many orders", "after a tenth of them", "MiB", Goal(1.1, at_most=True), memory),
    "l": Row("what an order writes", "the bare ORM chain", "KiB", Goal(9.0, at_most=True), weight),
}
