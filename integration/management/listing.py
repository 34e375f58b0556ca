"""What the commands that list something have in common: a table for people, and the same rows as JSON for programs."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any, TextIO, cast

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.table import Table

WIDTH_OF_A_FILE = 160
"""The width of a table that is not printed to a terminal, in characters."""


def add_json_option(parser: CommandParser) -> None:
    """Add `--json`. It may stand before and after a verb, so a verb's parser has no default of its own."""
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def print_json(command: BaseCommand, data: Sequence[Any] | Mapping[str, Any]) -> None:
    """Print data as JSON. Moments are in ISO 8601; every other value without a JSON type is its text."""
    command.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, default=_as_text))


def print_table(command: BaseCommand, table: Table) -> None:
    """Print a table as wide as the terminal."""
    command.stdout.ending = ""  # rich ends its lines itself
    width = None if command.stdout.isatty() else WIDTH_OF_A_FILE
    Console(file=cast(TextIO, command.stdout), width=width).print(table)


def _as_text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
