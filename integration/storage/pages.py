"""Reading many rows page by page, each page with a query of its own, in the order of a unique column.

A cursor on the server would do it in one query, but it needs a session. A pooler such as PgBouncer gives each
transaction another session, so Waybill uses no such cursors, and `QuerySet.iterator()` would load all rows at once.
"""

from collections.abc import Iterator
from typing import TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)

PAGE = 500
"""Rows of one page."""


def pages(rows: QuerySet[M], by: str = "pk", size: int = PAGE) -> Iterator[list[M]]:
    """Yield the rows in pages, as they are when each page is read.

    Args:
        rows: which rows to read; their ordering is replaced.
        by: a column whose values are unique among the rows.
        size: the rows of a page.
    """
    rows = rows.order_by(by)
    page = list(rows[:size])
    while page:
        yield page
        page = list(rows.filter(**{f"{by}__gt": getattr(page[-1], by)})[:size]) if len(page) == size else []
