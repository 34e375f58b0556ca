"""Runs the code of an older commit in its own processes, over a database of its own.

In the embedded mode, one process serves the web and does all work. In server mode, web, beat and a Celery worker for
each context are separate processes. In both modes, contexts can be left without a worker, so that their work waits.
"""

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
import redis
from psycopg import conninfo, sql

from tests.system.running_system import ROOT, Client, Program, eventually, free_port

CONTEXTS = ("ordering", "inventory", "billing", "fulfillment")
SECRET = "not-a-secret-every-old-database-is-signed-with-this"
QUEUES = "waybill"
TIMEOUT = 300.0
"""Seconds to wait for something on a busy machine; thousands of orders get more."""

SERVE_SOME = """
import sys
from config.celery import app
app.amqp.queues.select(sys.argv[2].split(","))
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "serve", "--port", sys.argv[1]])
"""
"""Serves embedded, as `manage.py serve` does, with a worker that consumes the named queues only."""

T = TypeVar("T")


def check_out(commit: str, folder: Path) -> Path:
    """Put the files of a commit into a new folder and return it; raises `CalledProcessError` for an unknown commit."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(folder, filter="data")
    return folder


def changed(folder: Path, changes: Mapping[str, Sequence[tuple[str, str]]]) -> Path:
    """Copy today's code into a new folder, with changes in it, and return the folder.

    Args:
        changes: by file, the texts to replace, which occur once, and their replacements.
    """
    folder.mkdir()
    for package in ("config", "integration", *CONTEXTS):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", folder)
    for name, replacements in changes.items():
        text = (folder / name).read_text()
        for before, after in replacements:
            assert text.count(before) == 1, f"{name} has changed: {before}"
            text = text.replace(before, after)
        (folder / name).write_text(text)
    return folder


class Installation(ABC):
    """Old code, its database and its processes.

    Args:
        code: the folder of the old code.
        folder: the working folder of its processes.
        environment: additional environment variables of its processes.
    """

    def __init__(self, code: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self.code, self.folder, self.port = code, folder, free_port()
        folder.mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONPATH": str(code),
            "PYTHONUNBUFFERED": "1",
            "WAYBILL_VAR": str(folder / "var"),
            "SECRET_KEY": SECRET,
            "PAYMENT_PROVIDER": "sandbox",
            "EMAIL_URL": "dummymail://",
            "QUEUE_PREFIX": QUEUES,
            "WEB_CONCURRENCY": "1",
            **environment,
        }
        self.timeout = TIMEOUT
        self.programs: dict[str, Program] = {}
        self.contexts: Collection[str] = ()
        self._settings: dict[str, str] = {}
        self.visitor = Client(self.port)

    @property
    @abstractmethod
    def vendor(self) -> str:
        """`sqlite` or `postgresql`."""

    @abstractmethod
    def commands(self, contexts: Collection[str]) -> dict[str, Sequence[str]]:
        """Return the command of each process, by its name, if only these contexts have workers."""

    @abstractmethod
    def read(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""

    @abstractmethod
    def write(self, statement: str, *values: Any) -> None:
        """Run a statement directly on the database; `{}` in it stands for a value."""

    @contextmanager
    def locked(self, table: str) -> Iterator[bool]:
        """Lock a table against writes, and yield whether it is locked. SQLite cannot lock a single table."""
        yield False

    def manage(self, *arguments: str, **settings: str) -> str:
        """Run a `manage.py` command of the old code; returns its output and asserts that it succeeds."""
        done = subprocess.run(
            [sys.executable, str(self.code / "manage.py"), *arguments],
            cwd=self.folder,
            env={**self.environment, **settings},
            capture_output=True,
            text=True,
            timeout=self.timeout,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def deploy(self, code: Path) -> None:
        """Let everything that starts from now on run the code in another folder."""
        self.code = code
        self.environment["PYTHONPATH"] = str(code)

    def run(self, code: str, **settings: str) -> str:
        """Run a piece of Python in the old code; returns its output."""
        return self.manage("shell", "-c", code, **settings)

    def serve(self, contexts: Collection[str] = CONTEXTS, **settings: str) -> None:
        """Run exactly the web and the workers of these contexts, with these settings."""
        wanted = self.commands(contexts)
        stays = wanted if settings == self._settings else {}
        self._stop([name for name in self.programs if self.programs[name].exit_code is not None or name not in stays])
        self.contexts, self._settings = contexts, settings
        for name in wanted.keys() - self.programs.keys():
            environment = {**self.environment, **settings}
            self.programs[name] = Program(wanted[name], self.folder, environment, self.folder / f"{name}.log")
        self.until(self._is_ready, bool, "a web that is ready")

    def stop(self) -> None:
        """Stop all processes with SIGTERM, as a process manager does."""
        self._stop([*self.programs])

    def kill(self) -> None:
        """Kill all processes, as a power failure does."""
        while self.programs:
            self.programs.popitem()[1].kill()

    def until(self, look: Callable[[], T], is_it: Callable[[T], bool], what: str) -> T:
        """Call `look` until `is_it` accepts its result; returns that result."""
        return eventually(look, is_it, what, self.timeout)

    def count(self, query: str) -> int:
        """Return the number that a query selects."""
        return self.read(query)[0][0]

    def settle(self) -> None:
        """Wait until no delivery is pending."""
        query = "SELECT count(*) FROM integration_delivery WHERE status = 'pending'"
        self.until(lambda: self.count(query), lambda pending: pending == 0, "no pending delivery")

    def _stop(self, names: Sequence[str]) -> None:
        for name in names:
            self.programs[name].terminate()
        for name in names:
            self.programs.pop(name).stop()

    def _is_ready(self) -> bool:
        for name, program in self.programs.items():
            assert program.exit_code is None, f"{name} ended with {program.exit_code}:\n{program.output}"
        try:
            return self.visitor.ask("GET", "/readyz").status == 200
        except (OSError, HTTPException):
            return False


class Embedded(Installation):
    """One process over an SQLite file."""

    vendor = "sqlite"

    def __init__(self, code: Path, folder: Path) -> None:
        self.database = folder / "var" / "waybill.sqlite3"
        super().__init__(code, folder, {"CELERY_BROKER_URL": "memory://", "DATABASE_URL": f"sqlite:///{self.database}"})

    def commands(self, contexts: Collection[str]) -> dict[str, Sequence[str]]:
        """Return one process, whose name depends on the contexts, so that other contexts start a new process."""
        queues = ",".join(f"{QUEUES}.{name}" for name in ["integration", *contexts])
        return {f"serve-{len(contexts)}-{queues}": [sys.executable, "-c", SERVE_SOME, str(self.port), queues]}

    def read(self, query: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.database, timeout=20) as connection:
            return connection.execute(query).fetchall()

    def write(self, statement: str, *values: Any) -> None:
        with sqlite3.connect(self.database, timeout=20) as connection:
            connection.execute(statement.format(*["?"] * len(values)), values)


class Server(Installation):
    """Web, beat and a worker for each context, over PostgreSQL and Redis.

    Args:
        url: the URL of the database, which is created.
        broker: the URL of a Redis; the queues there have a prefix of their own.
    """

    vendor = "postgresql"

    def __init__(self, code: Path, folder: Path, url: str, broker: str) -> None:
        self.url, self.broker = url, broker
        queues = f"{QUEUES}-{uuid4().hex[:8]}"
        environment = {"QUEUE_PREFIX": queues, "CELERY_WORKER_POOL": "prefork", "WEB_CONCURRENCY": "2"}
        super().__init__(code, folder, {"CELERY_BROKER_URL": broker, "DATABASE_URL": url, **environment})
        self._run_on_server("CREATE DATABASE {}")

    def commands(self, contexts: Collection[str]) -> dict[str, Sequence[str]]:
        celery = [sys.executable, "-m", "celery", "-A", "config"]
        queues = self.environment["QUEUE_PREFIX"]
        return {
            "web": [sys.executable, str(self.code / "manage.py"), "serve", "--port", str(self.port)],
            "beat": [*celery, "beat"],
            **{
                name: [*celery, "worker", "-c", "2", "-Q", f"{queues}.{name}", "-n", f"{queues}-{name}@%h"]
                for name in ["integration", *contexts]
            },
        }

    def read(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(query).fetchall()

    def write(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(statement.format(*["%s"] * len(values)), values)

    @contextmanager
    def locked(self, table: str) -> Iterator[bool]:
        with psycopg.connect(self.url) as connection:
            connection.execute(sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(sql.Identifier(table)))
            yield True

    def remove(self) -> None:
        """Drop the database, and delete its keys on Redis."""
        self._run_on_server("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        with redis.Redis.from_url(self.broker) as broker:
            for key in broker.scan_iter(f"*{self.environment['QUEUE_PREFIX']}*"):
                broker.delete(key)

    def _run_on_server(self, statement: str) -> None:
        parts = conninfo.conninfo_to_dict(self.url)
        name = parts.pop("dbname")
        with psycopg.connect(**parts, dbname="postgres", autocommit=True) as server:
            server.execute(sql.SQL(statement).format(sql.Identifier(name)))
