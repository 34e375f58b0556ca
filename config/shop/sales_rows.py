"""Reads the rows of a sales export, and checks the gzip file, the encoding, the CSV format and the heading."""

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
    """The file is no sales export; the message names the problem."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}")


def rows_of(path: Path) -> Iterator[tuple[str, ...] | None]:
    """The cells of `COLUMNS` of each row; `None` for a row that is longer or shorter than the heading."""
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
    """The heading and the rows, without blank lines."""
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
    # utf-8-sig drops the byte order mark that spreadsheets write before the first column's name.
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open("rt", encoding="utf-8-sig", newline="")


def _well_formed(path: Path, lines: Iterable[str]) -> Iterator[list[str]]:
    # Strict, because an unclosed quotation mark would swallow rows that would then not be counted.
    records = csv.reader(lines, strict=True)
    try:
        yield from filter(None, records)
    except csv.Error as error:
        problem = f"is not well-formed CSV near line {records.line_num}: {error}"
        raise UnreadableExport(path, problem) from error


def _without_nul(path: Path, lines: Iterable[str]) -> Iterator[str]:
    # PostgreSQL cannot store a NUL.
    for number, line in enumerate(lines, start=1):
        if "\0" in line:
            raise UnreadableExport(path, f"is not text: line {number} holds a NUL character")
        yield line
