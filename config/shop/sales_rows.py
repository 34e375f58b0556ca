"""Reads the rows of a sales export: plain or gzip, with commas, semicolons or tabs, in UTF-8, UTF-16 or Windows-1252.

A row that cannot be read is returned with its line, and reading goes on. A file that is no sales export raises
`UnreadableExport`.
"""

import csv
import gzip
import re
import sys
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterator
from io import TextIOWrapper
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO, cast

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
DELIMITERS = ",;\t|"
PRICE = COLUMNS.index("UnitPrice")
DECIMAL_COMMA = re.compile(r"\s*-?[0-9]{1,9},([0-9]{1,4})\s*")
"""A price where no comma separates columns. With more digits than the currency has, the comma means thousands."""
CHUNK = 1 << 20


class UnreadableExport(Exception):
    """The file is no sales export; the message names the problem."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}")


class Row(NamedTuple):
    """A row of the file.

    Args:
        line: the line of the file on which it begins; the heading is on the first.
        cells: the cells of `COLUMNS`; None if the row has more or fewer columns than the heading.
        problem: why the row is not CSV or not text; empty for all others.
    """

    line: int
    cells: tuple[str, ...] | None
    problem: str = ""


def rows_of(path: Path, decimals: int) -> Iterator[Row]:
    """The rows of an export, without blank lines; raises `UnreadableExport`.

    Args:
        path: the file.
        decimals: those of the currency: a price may have as many after a decimal comma, and always two.
    """
    try:
        encoding = _encoding(path)
        with _opened(path) as file:
            text = _as_text(file, encoding)
            delimiter = _delimiter(text.readline().removeprefix("\ufeff"))
        with _opened(path) as file:
            yield from _rows(path, _as_text(file, encoding), delimiter, max(decimals, 2))
    except UnicodeDecodeError as error:
        problem = "is not UTF-8 text, nor Windows-1252, nor UTF-16 with a byte order mark"
        raise UnreadableExport(path, problem) from error
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UnreadableExport(path, f"is not an intact gzip file: {error}") from error
    except OSError as error:
        raise UnreadableExport(path, f"cannot be opened: {error.strerror}") from error


def _rows(path: Path, text: TextIO, delimiter: str, decimals: int) -> Iterator[Row]:
    records = _records(path, text, delimiter)
    _, names, _ = next(records, (0, [], ""))
    heading = [name.strip() for name in names]
    _check_heading(path, heading)
    needed = itemgetter(*map(heading.index, COLUMNS))
    for line, record, problem in records:
        fits = not problem and len(record) == len(heading)
        yield Row(line, _with_decimal_point(needed(record), delimiter, decimals) if fits else None, problem)


def _check_heading(path: Path, heading: list[str]) -> None:
    if not heading:
        raise UnreadableExport(path, "is empty: a sales export begins with a heading")
    missing = [column for column in COLUMNS if column not in heading]
    if missing:
        raise UnreadableExport(path, f"lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    doubled = [column for column in COLUMNS if heading.count(column) > 1]
    if doubled:
        raise UnreadableExport(path, f"has the column {doubled[0]} more than once")


def _records(path: Path, text: TextIO, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """The first line, the cells and the problem of each record, without blank ones."""
    csv.field_size_limit(sys.maxsize)  # a long cell is no reason to refuse a file
    # Strict, because a quotation mark within a cell would swallow rows that would then not be counted.
    records = csv.reader(text, delimiter=delimiter, strict=True)
    while True:
        line = records.line_num + 1
        try:
            record = next(records)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                problem = f"is not well-formed CSV near line {records.line_num}: {error}, after line {line}"
                raise UnreadableExport(path, problem) from error
            yield line, [], f"it is not well-formed CSV: {error}"
            continue
        if any("\0" in cell for cell in record):  # PostgreSQL cannot store a NUL
            yield line, [], "it holds a NUL character"
        elif record:
            yield line, record, ""


def _with_decimal_point(cells: tuple[str, ...], delimiter: str, decimals: int) -> tuple[str, ...]:
    comma = None if delimiter == "," else DECIMAL_COMMA.fullmatch(cells[PRICE])
    if comma is None or len(comma[1]) > decimals:
        return cells
    return (*cells[:PRICE], cells[PRICE].replace(",", "."), *cells[PRICE + 1 :])


def _delimiter(heading: str) -> str:
    """The delimiter that separates most of the columns' names."""

    def known(delimiter: str) -> int:
        return len({name.strip(' "\r\n') for name in heading.split(delimiter)} & {*COLUMNS})

    return max(DELIMITERS, key=known)


def _encoding(path: Path) -> str:
    """The encoding of a file: by its byte order mark, or else UTF-8 if all of it is, or else Windows-1252.

    Raises:
        UnicodeDecodeError: the bytes are none of these.
    """
    with _opened(path) as file:
        chunk = file.read(CHUNK)
        if chunk.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            return "utf-16"
        decoder = getincrementaldecoder("utf-8")()
        has_nul = False
        try:
            while chunk:
                has_nul = has_nul or b"\0" in chunk
                decoder.decode(chunk)
                chunk = file.read(CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            if has_nul:
                raise
            return "cp1252"
    return "utf-8-sig"  # drops the byte order mark that spreadsheets write before the first column's name


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def _as_text(file: BinaryIO, encoding: str) -> TextIO:
    return TextIOWrapper(file, encoding=encoding, newline="")
