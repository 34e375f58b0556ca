"""`manage.py verify`: check every invariant of a running system, without locks and within a time limit."""

from datetime import timedelta
from json import dumps
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.table import Table

from config.verification import UnknownCheck, verify
from integration.invariants import Finding


class Command(BaseCommand):
    """Checks the invariants."""

    help = (
        "Check every invariant, and print the checked rows and the offenders of each. Exits 1 if there is an offender, "
        "or if a check could not be finished."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")
        parser.add_argument(
            "--only", metavar="NAME", action="append", help="check only invariants whose names begin with NAME"
        )
        parser.add_argument(
            "--newest", type=int, default=10_000, help="rebuild the newest N aggregates of each kind (0: all)"
        )
        parser.add_argument("--provider", action="store_true", help="also compare payments with the provider's books")
        parser.add_argument("--days", type=int, default=30, help="how many days back to compare with --provider")
        parser.add_argument(
            "--timeout",
            "--patience",
            type=float,
            default=60,
            metavar="SECONDS",
            help="give up a check whose statement takes longer",
        )

    def handle(
        self,
        *args: Any,
        json: bool,
        only: list[str] | None,
        newest: int,
        provider: bool,
        days: int,
        timeout: float,
        **options: Any,
    ) -> None:
        if newest < 0 or days < 0 or timeout <= 0:
            raise CommandError("--newest and --days are 0 or more, --timeout is more than 0.")
        try:
            findings = verify(only, newest or None, timedelta(days=days) if provider else None, timeout)
        except UnknownCheck as unknown:
            raise CommandError(str(unknown)) from unknown
        if json:
            self._print_json(findings)
        else:
            self._print_table(findings)
        wrong = sum(len(finding.offenders) for finding in findings.values())
        unfinished = sum(not finding.finished for finding in findings.values())
        if unfinished:
            raise CommandError(f"{wrong} offenders, and {unfinished} checks not finished", returncode=1)
        if wrong:
            raise CommandError(f"{wrong} offenders", returncode=1)

    def _print_table(self, findings: dict[str, Finding]) -> None:
        table = Table("check", "rows", "offenders")
        for name, finding in findings.items():
            table.add_row(name, *_counts(finding))
        console = Console(file=self.stdout, soft_wrap=True)  # type: ignore[arg-type]
        console.print(table)
        for name, finding in findings.items():
            for sentence in finding.complaints:
                console.print(f"{name}: {sentence}", markup=False, highlight=False)

    def _print_json(self, findings: dict[str, Finding]) -> None:
        self.stdout.write(dumps({name: finding._asdict() for name, finding in findings.items()}, indent=2))


def _counts(finding: Finding) -> tuple[str, str]:
    """The cells of a finding: the rows that were looked at, and how many of them are offenders."""
    if not finding.finished:
        return "?", "not finished"
    if not finding.looked_at and not finding.offenders:
        return "0", "nothing to look at"
    return f"{finding.looked_at:,}", str(len(finding.offenders)) if finding.offenders else "–"
