"""The rows of a list as CSV, sent while they are read, so that a list of any length takes a page of memory.

Cells that a spreadsheet would run as a formula are made harmless by `defusedcsv`.
"""

from collections.abc import Iterator, Sequence
from contextvars import copy_context
from typing import Any

from defusedcsv import csv
from django.contrib.admin.utils import label_for_field, lookup_field
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.html import strip_tags
from django.utils.text import normalize_newlines

from integration.storage.pages import pages


class _Lines:
    """A file that hands over each line instead of storing it."""

    def write(self, line: str) -> str:
        return line


def csv_response(page: Any, rows: QuerySet[Any], columns: Sequence[Any], name: str) -> StreamingHttpResponse:
    """The response with a row for each row of the list, in the order of their keys.

    Args:
        page: the admin page of the list.
        rows: the rows, filtered; their order is replaced.
        columns: the columns of the list.
        name: the name of the file, without its ending.
    """
    # The response is made after the request's middleware has ended, so the context is the one of now.
    context, lines = copy_context(), _lines(page, rows, columns)
    parts = iter(lambda: context.run(next, lines, ""), "")
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(parts, content_type="text/csv; charset=utf-8", headers=headers)


def _lines(page: Any, rows: QuerySet[Any], columns: Sequence[Any]) -> Iterator[str]:
    write = csv.writer(_Lines()).writerow
    yield "\ufeff" + write([str(label_for_field(column, page.model, page)) for column in columns])
    for some in pages(rows):
        page.prepare(some)
        yield "".join(write([_cell(column, row, page) for column in columns]) for row in some)


def _cell(column: Any, row: Any, page: Any) -> str:
    """What the list shows, without its markup; a value that does not exist is empty."""
    field, _, value = lookup_field(column, row, page)
    if field is not None and field.choices:
        value = dict(field.flatchoices).get(value, value)
    text = normalize_newlines(strip_tags(str("" if value is None else value))).strip()
    return "" if text == "–" else text
