"""Opens a sales export and yields its rows: checks the gzip file, the encoding, the CSV form and the heading."""

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import TextIO

COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)


class UnreadableExport(Exception):
    """The file is no sales export; the message says what is wrong with it."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}")


def rows_of(path: Path) -> Iterator[tuple[str, ...] | None]:
    """The cells we need of each row, in our order; None for a row longer or shorter than the heading."""
    records = _records(path)
    heading = [name.strip() for name in next(records, [])]
    _check_heading(path, heading)
    needed = itemgetter(*map(heading.index, COLUMNS))
    for record in records:
        yield needed(record) if len(record) == len(heading) else None


def _check_heading(path: Path, heading: list[str]) -> None:
    if not heading:
        raise UnreadableExport(path, "is empty: a sales export begins with a heading")
    missing = [column for column in COLUMNS if column not in heading]
    if missing:
        raise UnreadableExport(path, f"lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    doubled = [column for column in COLUMNS if heading.count(column) > 1]
    if doubled:
        raise UnreadableExport(path, f"has the column {doubled[0]} more than once")


def _records(path: Path) -> Iterator[list[str]]:
    """Heading and rows as they stand, without blank lines, which are no rows."""
    try:
        with _opened(path) as text:
            yield from _well_formed(path, _without_nul(path, text))
    except UnicodeDecodeError as error:
        raise UnreadableExport(path, "is not UTF-8 text") from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UnreadableExport(path, f"is not an intact gzip file: {error}") from error
    except OSError as error:
        raise UnreadableExport(path, f"cannot be opened: {error.strerror}") from error


def _opened(path: Path) -> TextIO:
    # A byte order mark, which spreadsheets like to write, is no part of the first column's name.
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open("rt", encoding="utf-8-sig", newline="")


def _well_formed(path: Path, lines: Iterable[str]) -> Iterator[list[str]]:
    # Strict, because a quotation mark that is never closed would swallow rows which nobody then counts.
    records = csv.reader(lines, strict=True)
    try:
        yield from filter(None, records)
    except csv.Error as error:
        problem = f"is not well-formed CSV near line {records.line_num}: {error}"
        raise UnreadableExport(path, problem) from error


def _without_nul(path: Path, lines: Iterable[str]) -> Iterator[str]:
    # No text file holds a NUL, and PostgreSQL could not store one.
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise UnreadableExport(path, f"is not text: line {number} holds a NUL character")
        yield line
