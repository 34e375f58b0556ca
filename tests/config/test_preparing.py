"""Processes prepare a database one after another, and a process that is killed meanwhile leaves nothing half done."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from django.db import connections

from config.var import alone
from tests.once import embedded_only
from tests.system.running_system import MANAGE, ROOT, eventually

pytestmark = embedded_only

KILL_AT = """
import os, sys
import django
from django.core.management import call_command
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

left = int(sys.argv[1])

def killing(execute, sql, params, many, context):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    return execute(sql, params, many, context)

commit = BaseDatabaseWrapper._commit

def killing_after(self):
    commit(self)
    if left <= 0:
        os._exit(9)

django.setup()
BaseDatabaseWrapper._commit = killing_after
with connection.execute_wrapper(killing):
    call_command("migrate", verbosity=0)
print(int(sys.argv[1]) - left)
"""


def embedded(folder: Path) -> dict[str, str]:
    own = {"WAYBILL_VAR": str(folder), "CELERY_BROKER_URL": "memory://", "PYTHONPATH": str(ROOT)}
    database = f"sqlite:///{folder / 'waybill.sqlite3'}"
    return {**os.environ, **own, "CELERY_WORKER_POOL": "threads", "DATABASE_URL": database}


def migrate_until(folder: Path, statements: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILL_AT, str(statements)]
    environment = {**embedded(folder), "DJANGO_SETTINGS_MODULE": "config.settings"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)


def test_killed_at_any_statement_of_migrate_the_next_start_migrates(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = migrate_until(tmp_path / "whole", 1_000_000)
    assert whole.returncode == 0, whole.stderr
    statements = int(whole.stdout)
    for share in (0.02, 0.3, 0.6, 0.97, 1.0):
        folder = tmp_path / str(share)
        folder.mkdir()
        assert migrate_until(folder, int(statements * share) - 1).returncode == 9
        for command in (["migrate", "--verbosity", "0"], ["migrate", "--check"]):
            done = subprocess.run([*MANAGE, *command], env=embedded(folder), capture_output=True, text=True)
            assert done.returncode == 0, (share, done.stderr)


def test_two_first_starts_at_once_prepare_one_shop(tmp_path: Path) -> None:
    first_start = " && ".join(f'"{sys.executable}" {MANAGE[1]} {name}' for name in ("migrate -v 0", "demo_shop"))
    starts = [
        subprocess.Popen(
            ["sh", "-c", first_start],
            env=embedded(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [start.communicate(timeout=300)[0] for start in starts]
    assert [start.returncode for start in starts] == [0, 0], outputs
    assert sorted("exists already" in output for output in outputs) == [False, True]


def wait_for_the_first(hold: Callable[[], object]) -> None:
    """Check that a second block begins only when the first has ended; `hold` makes such a block."""
    begun, end, order = Event(), Event(), []

    def first() -> None:
        with hold():  # type: ignore[attr-defined]
            begun.set()
            end.wait()
            order.append("first")
        connections.close_all()

    def second() -> None:
        with hold():  # type: ignore[attr-defined]
            order.append("second")
        connections.close_all()

    threads = [Thread(target=each) for each in (first, second)]
    threads[0].start()
    begun.wait(10)
    threads[1].start()
    threads[1].join(0.5)
    assert order == []
    end.set()
    for thread in threads:
        thread.join(10)
    eventually(lambda: order, lambda order: order == ["first", "second"], "both in turn", within=1)


def test_a_lock_file_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    wait_for_the_first(lambda: alone(tmp_path / "lock"))
