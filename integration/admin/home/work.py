"""The registry of work: kinds of rows that wait for a person, each with a list on which the person does it.

A kind of work is a function that returns the rows that wait. It is counted up to `MOST`, in one statement, so that a
day on which everything waits does not slow the page down. Only who may open the list sees the number.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Min, Model, Q, QuerySet

from integration.admin.badges import Tone
from integration.admin.columns import list_url
from integration.admin.viewer import may_view
from integration.domain import clock

MOST = 10_000
"""The number of rows that are counted. Beyond it the page says `10,000+`."""

Waiting = Callable[[], QuerySet[Any]]


class Work(NamedTuple):
    """A kind of work.

    Args:
        title: what waits, such as `Parcels to send`.
        group: the heading under which it is shown.
        place: where it is shown: by this number, in its group and among the groups.
        model: the rows that wait; who may view them sees the work.
        waiting: returns the rows that wait.
        since: the field that says since when a row waits.
        query: the parameters of the list that shows these rows.
        late_after: how long a row may wait; None if it should not wait at all.
    """

    title: str
    group: str
    place: int
    model: type[Model]
    waiting: Waiting
    since: str
    query: Callable[[], Mapping[str, Any]]
    late_after: timedelta | None


@dataclass(frozen=True)
class Counted:
    """How much there is of a kind of work.

    Args:
        work: the kind of work.
        count: how many rows wait, at most `MOST` + 1.
        late: how many of them wait for longer than they should, at most `count`.
        oldest: since when the first of them waits; None if none does.
    """

    work: Work
    count: int
    late: int
    oldest: datetime | None

    @property
    def number(self) -> str:
        """The count in words of the page, such as `1,204` or `10,000+`."""
        return f"{self.count:,}" if self.count <= MOST else f"{MOST:,}+"

    @property
    def late_number(self) -> str:
        """The number of late rows, such as `3`; empty without one, or if all are late because none should wait."""
        if not self.late or self.work.late_after is None:
            return ""
        return f"{self.late:,}" if self.count <= MOST else f"{self.late:,}+"

    @property
    def tone(self) -> Tone:
        """`bad` if rows wait for longer than they should, `info` if rows wait, else `quiet`."""
        is_bad = self.late or (self.count and self.work.late_after is None)
        return "bad" if is_bad else "info" if self.count else "quiet"

    @property
    def url(self) -> str:
        """The list that shows the rows."""
        return list_url(self.work.model, dict(self.work.query()))


_works: dict[str, Work] = {}


def work(
    title: str,
    *,
    group: str,
    place: int,
    model: type[Model],
    query: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
    since: str = "created_at",
    late_after: timedelta | None = None,
) -> Callable[[Waiting], Waiting]:
    """Decorator that registers a function, which returns the rows that wait, as a kind of work.

    The arguments are those of `Work`; `query` may be a function if the parameters depend on the time.

    Raises:
        ValueError: another kind of work has this title.
    """

    def register(waiting: Waiting) -> Waiting:
        known = _works.get(title)
        if known and known.waiting.__qualname__ != waiting.__qualname__:
            raise ValueError(f"there is other work called {title!r}")
        parameters = query if callable(query) else lambda: query
        _works[title] = Work(title, group, place, model, waiting, since, parameters, late_after)
        return waiting

    return register


def all_work() -> list[Work]:
    """All kinds of work, in the order of the page."""
    return sorted(_works.values(), key=lambda each: each.place)


def work_to_do() -> Iterator[Counted]:
    """The work that the viewer of the page may do, counted; one statement for each kind."""
    now = clock.now()
    for each in all_work():
        if may_view(each.model):
            yield _counted(each, now)


def _counted(each: Work, now: datetime) -> Counted:
    oldest_first = each.waiting().order_by(each.since)[: MOST + 1]
    is_late = Q(**{f"{each.since}__lte": now - (each.late_after or timedelta())})
    found = oldest_first.aggregate(
        count=Count(each.since), late=Count(each.since, filter=is_late), oldest=Min(each.since)
    )
    return Counted(each, **found)
