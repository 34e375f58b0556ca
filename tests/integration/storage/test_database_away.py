"""Work that may be repeated goes on when the database is back, and every command says how to go on."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.db import OperationalError, connection

from integration.storage import outages
from integration.storage.outages import repeated_after_outages

ROOT = Path(__file__).resolve().parents[3]


class Database:
    """Stands for the connection: it is lost, and refuses so many attempts to connect."""

    connection = object()

    def __init__(self, refuses: int) -> None:
        self.refuses = refuses

    def is_usable(self) -> bool:
        return self.refuses == 0

    def close(self) -> None:
        pass

    def ensure_connection(self) -> None:
        self.refuses -= 1
        if self.refuses > 0:
            raise OperationalError("connection refused")


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Lets the database refuse so many attempts to connect; 0 means that the connection is good."""
    monkeypatch.setattr(outages, "PAUSE", 0.0)
    return lambda refuses: monkeypatch.setattr(outages, "connection", Database(refuses))


def test_work_is_repeated_once_the_database_is_back(lost: Callable[[int], None]) -> None:
    lost(4)
    calls = []

    @repeated_after_outages
    def work(number: int) -> int:
        calls.append(number)
        if len(calls) < 2:
            raise OperationalError("server closed the connection unexpectedly")
        return number

    assert work(7) == 7
    assert calls == [7, 7]


def test_a_database_that_stays_away_ends_the_work(lost: Callable[[int], None], monkeypatch: pytest.MonkeyPatch) -> None:
    lost(1_000_000_000)
    monkeypatch.setattr(outages, "GIVE_UP_AFTER", 0.05)

    @repeated_after_outages
    def work() -> None:
        raise OperationalError("the first error")

    with pytest.raises(OperationalError, match="the first error"):
        work()


def test_another_error_of_the_database_is_not_repeated(lost: Callable[[int], None]) -> None:
    lost(0)
    calls = []

    @repeated_after_outages
    def work() -> None:
        calls.append(1)
        raise OperationalError("database or disk is full")

    with pytest.raises(OperationalError, match="full"):
        work()
    assert calls == [1]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server to lose")
@pytest.mark.django_db(transaction=True)
def test_work_goes_on_after_its_connection_was_terminated() -> None:
    backends = []

    @repeated_after_outages
    def work() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            backends.append(cursor.fetchone()[0])
            if len(backends) == 1:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            return 5

    assert work() == 5
    assert len(set(backends)) == 2


ARGUMENTS = {
    "consumers": [],
    "deliveries": [],
    "demo": [],
    "demo_shop": [],
    "erase_buyer": ["U-1", "--yes"],
    "history": ["Order", "R-1"],
    "load_tax_rates": [],
    "migrate": [],
    "read_models": [],
    "rebuild": ["--all"],
    "rebuild_rows": ["Order", "R-1"],
    "rebuild_snapshots": [],
    "reconcile_payments": [],
    "replay": ["--consumer", "billing.collect-payment", "--since", "2026-01-01", "--dry-run"],
    "replay_sales": ["sales.csv"],
    "status": [],
    "verify": [],
}
"""Arguments with which each command of ours asks the database."""
WITHOUT_DATABASE = {"backup", "contracts", "document", "letters", "runserver", "serve", "simulate"}
SALES = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
SALE = "536365,85123A,HOLDER,6,2010-12-01 08:26:00,2.55,17850,United Kingdom\n"

EACH_COMMAND = f"""
import sys
from config.command_line import main
from integration.storage import outages

outages.GIVE_UP_AFTER = outages.PAUSE = 0.1
for command, arguments in {ARGUMENTS!r}.items():
    try:
        main(["manage.py", command, *arguments])
    except SystemExit as end:
        print(f"{{command}}: {{end.code}}")
"""


def test_every_command_says_in_one_sentence_that_the_database_is_away(tmp_path: Path) -> None:
    ours = {name for name, app in get_commands().items() if app in ("config", "integration")}
    assert {name for name in ours if not name.startswith("start")} == {*ARGUMENTS, *WITHOUT_DATABASE}

    (tmp_path / "sales.csv").write_text(SALES + SALE)
    own = {
        "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
        "CELERY_BROKER_URL": "memory://",
        "CELERY_WORKER_POOL": "threads",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONPATH": str(ROOT),
        "WAYBILL_VAR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", EACH_COMMAND],
        cwd=tmp_path,
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in done.stderr, done.stderr
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if line.partition(":")[0] in ARGUMENTS)
    assert set(said) == set(ARGUMENTS), done.stdout + done.stderr
    for command, sentence in said.items():
        assert sentence.startswith("The database failed: "), (command, sentence)
        assert "run the command again" in sentence
