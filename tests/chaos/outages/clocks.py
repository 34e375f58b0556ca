"""Machines whose clocks are wrong: set while the system runs, or different from the others'.

Every process runs on a machine of its own. In each row a wake-up is lost, too: only beat's sweep finds the delivery.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.outages.shop import Shop
from tests.chaos.outages.table import Table
from tests.system.machine_clock import MachineClock
from tests.system.running_system import TIMEOUT

HOUR = 3600
SWEPT_WITHIN = 15.0


@contextmanager
def on_machines_of_their_own(shop: Shop) -> Iterator[None]:
    """Let each process see a clock that can be set."""
    usual = shop.system.commands
    clocks = {name: MachineClock(shop.folder, f"{name}.clock") for name in usual}
    restart_with(shop, {name: clocks[name].seen_by(command) for name, command in usual.items()})
    try:
        yield
    finally:
        restart_with(shop, usual)


def restart_with(shop: Shop, commands: dict[str, list[str]]) -> None:
    shop.system.commands = commands
    for name in commands:
        shop.restart(name)
    shop.open()


TABLE = Table("clock", around=on_machines_of_their_own)


@contextmanager
def ahead(shop: Shop, **seconds: int) -> Iterator[None]:
    """Let machines be ahead of the real time; those without an argument are right."""
    clocks = {name: MachineClock(shop.folder, f"{name}.clock") for name in shop.system.commands}
    for name, clock in clocks.items():
        clock.set(seconds.get(name, 0))
    try:
        delivery, began = shop.system.lose_wake_up(), time.monotonic()
        yield
        within = SWEPT_WITHIN if shop.is_bounded else TIMEOUT
        while not shop.system.is_done(delivery) and time.monotonic() - began < within:
            time.sleep(0.1)
        shop.outcome.require(shop.system.is_done(delivery), f"nothing was swept for {within:g} s")
    finally:
        for clock in clocks.values():
            clock.set(0)


@TABLE.row(short=True)
def set_back(shop: Shop) -> Iterator[None]:
    """All clocks are set back an hour, and later forward again."""
    with ahead(shop, web=-HOUR, worker1=-HOUR, worker2=-HOUR, beat=-HOUR):
        yield


@TABLE.row()
def set_forward(shop: Shop) -> Iterator[None]:
    """All clocks are set forward an hour, and later back again."""
    with ahead(shop, web=HOUR, worker1=HOUR, worker2=HOUR, beat=HOUR):
        yield


@TABLE.row()
def differ_by_seconds(shop: Shop) -> Iterator[None]:
    """A worker's clock is 3 s ahead, the other's 3 s behind."""
    with ahead(shop, worker1=3, worker2=-3):
        yield


@TABLE.row(short=True)
def differ_by_minutes(shop: Shop) -> Iterator[None]:
    """The workers' clocks are 60 s ahead, and beat's is 60 s behind."""
    with ahead(shop, worker1=60, worker2=60, beat=-60):
        yield


@TABLE.row()
def differ_by_hours(shop: Shop) -> Iterator[None]:
    """The clock of web is an hour behind, a worker's an hour ahead."""
    with ahead(shop, web=-HOUR, worker1=HOUR):
        yield
