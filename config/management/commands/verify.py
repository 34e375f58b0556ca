"""Ask every invariant whether it holds; usable on a system at work, for it takes no locks."""

from json import dumps
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from integration.domain.invariants import Finding, invariants
from integration.domain.rebuild import rows_are_their_histories

REBUILD = "events.rows_are_their_histories"


class Command(BaseCommand):
    """`manage.py verify`."""

    help = "Check every invariant: a table of check, rows looked at and offenders. Exits 1 if there is one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")
        parser.add_argument("--only", metavar="NAME", action="append", help="check only what begins with NAME")
        parser.add_argument(
            "--newest", type=int, default=10_000, help="rebuild so many aggregates of each kind (0 for all of them)"
        )

    def handle(self, *args: Any, json: bool, only: list[str] | None, newest: int, **options: Any) -> None:
        findings = verify(only, newest or None)
        if json:
            self._print_json(findings)
        else:
            self._print_table(findings)
        wrong = sum(len(finding.offenders) for finding in findings.values())
        if wrong:
            raise CommandError(f"{wrong} offenders", returncode=1)

    def _print_table(self, findings: dict[str, Finding]) -> None:
        table = Table("check", "rows", "offenders")
        for name, finding in findings.items():
            table.add_row(name, f"{finding.looked_at:,}", str(len(finding.offenders)) if finding.offenders else "–")
        console = Console(file=self.stdout, soft_wrap=True)  # type: ignore[arg-type]  # it writes text
        console.print(table)
        for name, finding in findings.items():
            for offender in finding.offenders:
                console.print(f"{name}: {offender}", markup=False, highlight=False)

    def _print_json(self, findings: dict[str, Finding]) -> None:
        self.stdout.write(dumps({name: finding._asdict() for name, finding in findings.items()}, indent=2))


def verify(only: list[str] | None = None, newest: int | None = None) -> dict[str, Finding]:
    """Every invariant's finding, by its name.

    Args:
        only: the beginnings of the names to check; all without.
        newest: so many aggregates of each kind are rebuilt from their histories; all without.
    """
    checks = {name: entry.check for name, entry in invariants.items()}
    checks[REBUILD] = lambda: rows_are_their_histories(newest)
    return {name: check() for name, check in checks.items() if not only or name.startswith(tuple(only))}
