"""The tables of outages: each module of this folder has one for each peer, and each row is a function.

A row of a running shop is a generator: it makes the peer ill, yields, and makes it well again. Meanwhile the runner
places orders. A row that needs a system of its own is a function that returns an `Outcome`. The first line of its
docstring says in which way the peer is ill; it is printed on the page of proofs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.outcome import Outcome
from tests.chaos.servers import PostgreSQL, Redis

if TYPE_CHECKING:  # a shop needs the apps of Django, a table does not
    from tests.chaos.outages.shop import Shop

BROKERS = ("redis", "rabbitmq")
GONE = 15.0
"""Seconds by which a peer that is needed for the response, such as PostgreSQL, may delay it."""

Illness = Callable[["Shop"], Iterator[None]]
Around = Callable[["Shop"], AbstractContextManager[Any]]
Alone = Callable[["Site"], Outcome]


@dataclass(frozen=True)
class Site:
    """Where a row runs that needs a system of its own.

    Args:
        folder: an empty folder.
        postgresql: a server that runs.
        redis: a server that runs.
        short: whether a tenth is enough, as in a test run.
        ends: calls what is registered in it at the end of the row, also when a signal ends the run.
    """

    folder: Path
    postgresql: PostgreSQL
    redis: Redis
    short: bool
    ends: ExitStack


@dataclass(frozen=True)
class Row:
    """An outage of a running shop, and what it may do to requests.

    Args:
        ill: makes the peer ill, yields, and makes it well again.
        brokers: the brokers with which it is tried.
        at_once: whether it is over as soon as it has happened, so that nothing is started in the middle of it.
        slower: seconds by which it may delay a request.
        may_refuse: whether requests may get a 503 or no response; clients repeat them.
        short: whether the short form may draw it.
        lasts: seconds that it lasts at least.
        around: is entered before any order is placed, and left after the last is confirmed.
    """

    ill: Illness
    brokers: Sequence[str]
    at_once: bool = False
    slower: float = 1.1
    may_refuse: bool = False
    short: bool = False
    lasts: float = 6.0
    around: Around = nullcontext

    @property
    def name(self) -> str:
        return self.ill.__name__

    @property
    def what(self) -> str:
        """In which way the peer is ill."""
        return _first_line(self.ill)

    @property
    def outage(self) -> Around:
        """The illness as a context manager."""
        return contextmanager(self.ill)


@dataclass(frozen=True)
class RowAlone:
    """A row that runs a system of its own.

    Args:
        run: does everything.
        must_hold: what must hold, for the page of proofs.
        short: whether the short form may draw it.
    """

    run: Alone
    must_hold: str
    short: bool = False

    @property
    def name(self) -> str:
        return self.run.__name__

    @property
    def what(self) -> str:
        """In which way the peer is ill."""
        return _first_line(self.run)


class Table:
    """The outages of one peer.

    Args:
        peer: its name on the page of proofs.
        brokers: the brokers with which each row is tried, unless a row says otherwise.
        around: is entered once before the first row, and left after the last.
    """

    def __init__(self, peer: str, brokers: Sequence[str] = ("redis",), around: Around = nullcontext) -> None:
        self.peer, self.brokers, self.around = peer, brokers, around
        self.rows: list[Row] = []
        self.alone_rows: list[RowAlone] = []

    def row(self, **how: Any) -> Callable[[Illness], Illness]:
        """Add the decorated generator; takes the arguments of `Row`."""

        def add(ill: Illness) -> Illness:
            self.rows.append(Row(**{"ill": ill, "brokers": self.brokers, **how}))
            return ill

        return add

    def alone(self, must_hold: str, short: bool = False) -> Callable[[Alone], Alone]:
        """Add the decorated function, which takes a `Site` and returns an `Outcome`."""

        def add(run: Alone) -> Alone:
            self.alone_rows.append(RowAlone(run, must_hold, short))
            return run

        return add


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").partition("\n")[0].rstrip(".")
