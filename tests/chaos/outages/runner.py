"""Lets one running shop live through the outages of all tables, and measures how long it takes until it has healed.

A row that makes a peer ill costs no start of the system. After each row every order is at its end and `verify` finds
nothing, so that the next row begins with a shop that is well.
"""

import json
import random
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from django.db import InterfaceError, OperationalError, connections

from tests.chaos.live import ends, violations
from tests.chaos.outages.buyers import Buyers
from tests.chaos.outages.rabbitmq import RabbitMQ
from tests.chaos.outages.shop import Shop
from tests.chaos.outages.table import BROKERS, Row, RowAlone, Site, Table
from tests.chaos.outcome import Outcome
from tests.chaos.servers import PostgreSQL, Redis

HEALED_WITHIN = 15.0
GIVEN_UP_AFTER = 180.0
"""Seconds after which a row ends although the shop has not healed."""

Report = dict[str, Any]


class Scale(NamedTuple):
    """How much is done in a row.

    Args:
        orders: how many orders are placed, at least.
        lasts: seconds that an outage lasts, at most what its row says.
        is_bounded: whether the times are asserted. In a test run the machine may be busy, so they are only reported.
    """

    orders: int
    lasts: float
    is_bounded: bool


SHORT, WHOLE = Scale(orders=6, lasts=2.0, is_bounded=False), Scale(orders=20, lasts=60.0, is_bounded=True)


class Place(NamedTuple):
    """A row that is to be run, with its table and its broker."""

    table: Table
    row: Row | RowAlone
    broker: str

    @property
    def key(self) -> str:
        """The key in the report: the peer, the name of the row, and the broker."""
        return f"{self.table.peer}: {self.row.name}, {self.broker}"


def all_tables() -> list[Table]:
    """The tables of all modules of this folder."""
    modules = [import_module(f"tests.chaos.outages.{path.stem}") for path in sorted(Path(__file__).parent.glob("*.py"))]
    found = [each for module in modules for each in vars(module).values() if isinstance(each, Table)]
    return list(dict.fromkeys(found))  # a module may import the table of another


def all_places() -> list[Place]:
    """Every row with each of its brokers, in the order in which they are run: the rows of a broker together."""
    tables = all_tables()
    shared = [Place(table, row, broker) for table in tables for row in table.rows for broker in row.brokers]
    shared.sort(key=lambda place: BROKERS.index(place.broker))
    return shared + [Place(table, row, BROKERS[0]) for table in tables for row in table.alone_rows]


def draw(places: list[Place], seed: int) -> list[Place]:
    """One row of every peer, drawn from those that the short form may draw."""
    chance, short = random.Random(seed), [place for place in places if place.row.short]
    tables = dict.fromkeys(place.table for place in short)
    return [chance.choice([place for place in short if place.table is table]) for table in tables]


def live_through(shop: Shop, row: Row, scale: Scale) -> Outcome:
    """Let orders flow before, in and after an outage, and start a worker and beat in the middle of it."""
    outcome = shop.outcome = Outcome()
    shop.is_bounded = scale.is_bounded
    with row.around(shop), Buyers(shop.system, f"{row.name}-{time.time()}") as buyers:
        buyers.wait_for(scale.orders // 4)
        usual = buyers.longest_request()
        with row.outage(shop):
            if not row.at_once:
                _stay_ill(shop, min(row.lasts, scale.lasts))
        well = time.monotonic()
        buyers.wait_for_more()
        _lost(buyers.numbers)
        outcome.healed = time.monotonic() - well
        buyers.wait_for(scale.orders)
        placed = buyers.stop()
        outcome.n |= {"orders": len(placed), "lost": sum(_lost(placed).values())}
        outcome.wrong += [*_ended_by_themselves(shop), *shop.come_to_rest(GIVEN_UP_AFTER), *violations()]
    for proxy in (shop.broker.proxy, shop.database):
        proxy.bury()
    longest = buyers.longest_request()
    outcome.n["longest request s"] = round(longest, 2)
    _judge_responses(outcome, row, buyers.responses)
    outcome.require(not outcome.n["lost"], f"not confirmed: {_lost(placed, 0)}")
    outcome.require(len(set(placed)) == len(placed), "two requests got the same order")
    shop.require_in_time(outcome.healed <= HEALED_WITHIN, f"healed after {outcome.healed:.1f} s")
    shop.require_in_time(longest <= usual + row.slower, f"a request took {longest:.1f} s, before {usual:.1f} s")
    return outcome


def _judge_responses(outcome: Outcome, row: Row, responses: Counter[int]) -> None:
    """Require that requests were only refused, and only where the row allows that."""
    refused = {status or "none": n for status, n in responses.items() if status >= 500 or not status}
    allowed = {"none", 503} if row.may_refuse else set()
    outcome.require(set(refused) <= allowed, f"responses: {refused}")
    if refused:
        outcome.n["requests repeated"] = sum(refused.values())


def _stay_ill(shop: Shop, seconds: float) -> None:
    """Wait so many seconds, and start a worker and beat in the middle."""
    time.sleep(seconds / 2)
    shop.outcome.wrong += _ended_by_themselves(shop)
    for name in ("worker2", "beat"):
        shop.restart(name)
    time.sleep(seconds / 2)


def _lost(numbers: Sequence[str], within: float = GIVEN_UP_AFTER) -> dict[str, int]:
    """Wait until all these orders are confirmed; returns how many are not by then, by their status."""
    deadline = time.monotonic() + within
    while True:
        try:
            by_end = ends(list(numbers))
            by_end["not there"] = len(numbers) - sum(by_end.values())
            left = {end: n for end, n in by_end.items() if n and end != "confirmed"}
        except (OperationalError, InterfaceError) as error:
            connections.close_all()
            left = {str(error): len(numbers)}
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def _ended_by_themselves(shop: Shop) -> Iterator[str]:
    """A sentence about each process that has ended although nobody stopped it; it is started again."""
    for name, program in list(shop.system.programs.items()):
        if program.exit_code is not None:
            yield f"{name} ended with {program.exit_code}"
            print(f"{name}:\n{program.output[-2_000:]}", file=sys.stderr)
            shop.restart(name)


class Runner:
    """Runs rows, and stores the result of each in a file, so that an interrupted run can go on.

    Args:
        folder: an empty folder.
        postgresql: the database server of the shop; it also serves rows that run alone.
        redis: the broker of the shop.
        ends: calls what is registered in it when the run ends.
        scale: how much is done in a row.
        results: the file; rows in it are not run again. None stores nothing.
    """

    def __init__(
        self,
        folder: Path,
        postgresql: PostgreSQL,
        redis: Redis,
        ends: ExitStack,
        scale: Scale,
        results: Path | None = None,
    ) -> None:
        self._folder, self._postgresql, self._redis, self._ends = folder, postgresql, redis, ends
        self._scale, self._results = scale, results
        self._shop: Shop | None = None
        lines = results.read_text().splitlines() if results and results.exists() else []
        self.report: Report = dict(json.loads(line) for line in lines)

    def run(self, places: Sequence[Place]) -> Report:
        """Run the rows that have no result yet; returns the report of all."""
        left = [place for place in places if place.key not in self.report]
        for broker in BROKERS:
            for table in {place.table: None for place in left}:
                rows = [(place, place.row) for place in left if place.table is table and place.broker == broker]
                self._share([(place, row) for place, row in rows if isinstance(row, Row)], table, broker)
        if self._shop:
            self._shop.system.close()
        for place in left:
            if isinstance(place.row, RowAlone):
                self._record(place, partial(self._alone, place.row))
        return {place.key: self.report[place.key] for place in places}

    def _share(self, rows: list[tuple[Place, Row]], table: Table, broker: str) -> None:
        """Run rows of a table on the shared shop."""
        if not rows:
            return
        shop = self._shop_on(broker)
        with table.around(shop):
            for place, row in rows:
                self._record(place, partial(live_through, shop, row, self._scale))

    def _shop_on(self, broker: str) -> Shop:
        """The shared shop, started when it is first needed, on this broker."""
        if self._shop is None:
            self._shop = Shop(self._folder / "shop", self._postgresql, self._redis, self._ends)
            self._ends.callback(self._shop.tear_down)
        if broker == "rabbitmq" and self._shop.broker_kind != broker:
            server = RabbitMQ(self._folder / "rabbitmq")
            self._ends.callback(server.kill)
            server.start()
            self._shop.change_to(server)
        return self._shop

    def _alone(self, row: RowAlone) -> Outcome:
        folder = self._folder / row.name
        folder.mkdir()
        with ExitStack() as ends:
            outcome = row.run(Site(folder, self._postgresql, self._redis, self._scale is SHORT, ends))
        if outcome.healed and self._scale.is_bounded:
            outcome.require(outcome.healed <= HEALED_WITHIN, f"healed after {outcome.healed:.1f} s")
        if not outcome.wrong:
            shutil.rmtree(folder)
        return outcome

    def _record(self, place: Place, run: Callable[[], Outcome]) -> None:
        """Run a row, and add its result to the report and to the file."""
        began = time.monotonic()
        try:
            outcome = run()
        except Exception as error:
            outcome = Outcome(wrong=[f"could not be finished: {error!r}"])
            traceback.print_exc()
            if isinstance(place.row, Row) and self._shop:
                self._shop.rebuild()
        self.report[place.key] = result = {
            "peer": place.table.peer,
            "what": place.row.what,
            "broker": place.broker if isinstance(place.row, Row) else "",
            "healed": None if outcome.healed is None else round(outcome.healed, 1),
            "n": outcome.n,
            "violations": outcome.wrong,
            "seconds": round(time.monotonic() - began, 1),
        }
        print(f"{place.key}: {result}", file=sys.stderr, flush=True)
        if self._results:
            with self._results.open("a") as file:
                file.write(json.dumps([place.key, result]) + "\n")
