"""`manage.py simulate`: run a whole shop with many failures, in memory; the same seed gives the same history."""

import os
import subprocess
import sys
import tempfile
from time import monotonic
from typing import Any

import msgspec
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from rich.table import Table

from config.shop.report import console_on
from config.simulation.run import Outcome, simulate

INSIDE = "WAYBILL_SIMULATES"
"""Set in the simulating process, whose environment has none of this shop's settings."""
ENVIRONMENT = {
    INSIDE: "1",
    "DATABASE_URL": "sqlite://:memory:",
    "CELERY_BROKER_URL": "memory://",
    "PAYMENT_PROVIDER": "sandbox",
    "SANDBOX_LATENCY_MS": "0",
    "SHOP_CURRENCY": "USD",
    "EMAIL_URL": "dummymail://",
    "ALLOWED_HOSTS": "testserver",
    "LOG_LEVEL": "CRITICAL",
    "PYTHONHASHSEED": "0",
}
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TERM", "NO_COLOR", "COLUMNS", "VIRTUAL_ENV", "PYTHONPATH", "SYSTEMROOT")
"""The environment variables that the simulating process inherits."""


class Command(BaseCommand):
    """Simulates in a new process, so that the settings and the database of this one do not matter."""

    help = (
        "Runs a shop in one thread, on a virtual clock and an SQLite database in memory: wake-ups are dropped, "
        "doubled, delayed and shuffled, workers and requests die, the payment provider fails. Then every check must "
        "find nothing. The same seed gives the same history hash. Exits 1 and names the offenders if there are any."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of all random choices (default: 1)")
        parser.add_argument("--orders", type=int, default=100, metavar="N", help="how many orders (default: 100)")
        parser.add_argument(
            "--capture", choices=["at_order", "at_dispatch"], default="at_order", help="when cards are charged"
        )
        parser.add_argument("--json", action="store_true", help="print the outcome as JSON")

    def handle(self, *, seed: int, orders: int, json: bool, capture: str, **options: Any) -> None:
        if orders < 1:
            raise CommandError("--orders must be 1 or more.")
        if INSIDE not in os.environ:
            self._run_in_a_new_process(seed, orders, json, capture)
            return
        outcome, seconds = self._simulate(seed, orders)
        if json:
            self.stdout.write(msgspec.json.format(msgspec.json.encode(outcome), indent=2).decode())
        else:
            self._show(outcome, seed, seconds, no_color=options["no_color"])
        if outcome.offenders:
            raise CommandError(f"{len(outcome.offenders)} offenders", returncode=1)

    def _run_in_a_new_process(self, seed: int, orders: int, json: bool, capture: str) -> None:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "simulate"]
        command += ["--seed", str(seed), "--orders", str(orders), *(["--json"] if json else [])]
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        with tempfile.TemporaryDirectory(prefix="waybill-simulation-") as var:
            env = {**passed_on, **ENVIRONMENT, "CAPTURE": capture, "WAYBILL_VAR": var}
            done = subprocess.run(command, env=env, check=False)  # noqa: S603 - this interpreter, and no shell
        if done.returncode:
            sys.exit(done.returncode)

    def _simulate(self, seed: int, orders: int) -> tuple[Outcome, float]:
        if not getattr(connection, "is_in_memory_db", bool)():
            raise CommandError(f"Simulations run in memory only, not in {connection.settings_dict['NAME']}.")
        began = monotonic()
        call_command("migrate", verbosity=0)
        return simulate(seed, orders), monotonic() - began

    def _show(self, outcome: Outcome, seed: int, seconds: float, *, no_color: bool) -> None:
        table = Table("what", title=f"Results of seed {seed}")
        table.add_column("times", justify="right")
        for rows in (outcome.orders, outcome.deliveries, outcome.tally):
            kind = {id(outcome.orders): "orders ", id(outcome.deliveries): "deliveries "}.get(id(rows), "")
            for name, times in rows.items():
                table.add_row(kind + name.replace("_", " "), f"{times:,}")
            table.add_section()
        table.add_row("virtual time", str(outcome.virtual_time).partition(".")[0])
        table.add_row("checks", f"{len(outcome.checks)}, of {sum(outcome.checks.values()):,} rows")
        console = console_on(self.stdout, no_color=no_color)
        console.print(table)
        console.print(f"history {outcome.history}, in {seconds:.1f} s")
        for offender in outcome.offenders:
            console.print(offender, markup=False)
