"""The table: what is measured, beside what, and what the ratio is to be."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench import capacity, growth, profile
from tests.bench.deliveries_alone import deliver_events, low_load
from tests.bench.in_memory import record_and_dispatch
from tests.bench.long_past import with_history
from tests.bench.orders_through import embedded, large_orders, one_sku, whole_flow
from tests.bench.over_http import memory, requests
from tests.bench.pairing import Goal, Measurement
from tests.bench.peers import oscar
from tests.bench.stage import Stage


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Args:
        what: what of Waybill's is measured.
        baseline: beside what.
        unit: of both sides' figures.
        goal: what the ratio is to be.
        measure: returns the pairs measured, by name, and how much was done in a round.
        servers: whether it needs PostgreSQL and Redis.
    """

    what: str
    baseline: str
    unit: str
    goal: Goal
    measure: Callable[[Stage], Measurement]
    servers: bool = True


@dataclass(frozen=True)
class Section:
    """What is measured without a baseline, and told in a section of the page.

    Args:
        measure: returns a report; `n` in it says how much was done.
        tell: that section, line by line, of such a report.
    """

    measure: Callable[[Stage], dict[str, Any]]
    publish_all: Callable[[Mapping[str, Any]], Iterator[str]]


SECTIONS = {
    "profile": Section(profile.measure, profile.publish_all),
    "capacity": Section(capacity.measure, capacity.publish_all),
    "growth": Section(growth.measure, growth.publish_all),
}

ROWS: dict[str, Row] = {
    "a": Row(
        "the whole flow: placed by command, reserved, charged, confirmed, shipment arranged; Celery, Redis, PostgreSQL",
        "a bare ORM chain of four transactions, 2 processes",
        "orders/s",
        Goal(1.0),
        whole_flow,
    ),
    "b": Row(
        "delivery of events to one transactional consumer that inserts a row, 2 worker processes",
        "Celery no-op tasks, same worker",
        "events/s",
        Goal(2.0),
        deliver_events,
    ),
    "c": Row(
        "`POST /orders` with 3 lines, gunicorn with 2 workers",
        "a bare DRF view, same inserts",
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
        "an event recorded, and dispatched to 3 handlers",
        "`Signal.send` to 3 receivers",
        "events/s",
        Goal(5.0),
        record_and_dispatch,
        servers=False,
    ),
    "f": Row("a and b with a long history", "a and b with 1,000 orders behind it", "per s", Goal(0.9), with_history),
    "g": Row("every order wants the same sku", "spread over 2,000 skus", "orders/s", Goal(0.6), one_sku),
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
}
