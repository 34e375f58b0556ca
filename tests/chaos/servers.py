"""Servers of the harness's own, on free ports and over folders of their own: it ends what it started, nothing else."""

import contextlib
import os
import shutil
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
import redis

from tests.system.running_system import Program, eventually, free_port

DEBIANS_PLACE = Path("/usr/lib/postgresql")
"""Where Debian keeps PostgreSQL's own programs, one folder a version, off the PATH."""


class MissingServer(RuntimeError):
    """A server's program is not on this machine."""


class Server(ABC):
    """A server that can be killed, frozen and started again on the same port."""

    program: Program

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = free_port()

    @abstractmethod
    def answers(self) -> bool:
        """Whether it can be used now."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What it runs."""

    def start(self) -> None:
        """Start it, and wait until it answers."""
        name = type(self).__name__
        self.program = Program(self.command(), self.folder, os.environ, self.folder / "server.log", **self.run_as())
        eventually(self.answers, bool, f"a {name} that answers")

    def kill(self) -> None:
        """End it as a power cut does."""
        self.program.kill()

    def freeze(self) -> None:
        """Let it accept connections and never answer."""
        self.program.signal_group(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.program.signal_group(signal.SIGCONT)

    def run_as(self) -> dict[str, Any]:
        """The user it runs as, for `subprocess`; ours without."""
        return {}


class Redis(Server):
    """A Redis of this run's own.

    Args:
        folder: for its files.
        durable: whether it keeps what it holds, written to disk every second; without, it forgets all when it ends.
    """

    def __init__(self, folder: Path, durable: bool = False) -> None:
        super().__init__(folder)
        self.durable = durable

    @property
    def url(self) -> str:
        """Where Celery finds it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        own = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        keeps = ["--appendonly", "yes" if self.durable else "no", "--dir", str(self.folder)]
        return [_program("redis-server"), *own, *keeps]

    def answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self) -> "redis.Redis[bytes]":
        """A connection, to be closed by whoever asked for it."""
        return redis.Redis.from_url(self.url)


class PostgreSQL(Server):
    """A cluster made for this run.

    Args:
        folder: for its files.
        durable: as it is by default; without, it is faster, and safe as long as the machine itself stays up.
    """

    def __init__(self, folder: Path, durable: bool = True) -> None:
        super().__init__(folder)
        self.data = folder / "data"
        self.durable = durable
        if self.run_as():
            shutil.chown(folder, **self.run_as())
        make = [_program("initdb"), "--pgdata", str(self.data), "--username", "postgres", "--auth", "trust"]
        subprocess.run([*make, "--encoding", "UTF8", "--no-sync"], check=True, capture_output=True, **self.run_as())

    def command(self) -> Sequence[str]:
        own = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300"]
        own += [] if self.durable else ["fsync=off", "full_page_writes=off"]
        options = [part for option in own for part in ("-c", option)]
        return [_program("postgres"), "-D", str(self.data), *options]

    def run_as(self) -> dict[str, Any]:
        # PostgreSQL refuses to be run by root.
        return {"user": "postgres"} if os.geteuid() == 0 else {}

    def url(self, database: str) -> str:
        """Where Django finds a database of it."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def answers(self) -> bool:
        try:
            self.ask("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement as the database's owner, past everything; returns what it returns."""
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]  # any text
            return cursor.fetchall() if cursor.description else []

    def stop(self) -> None:
        """Shut it down as its owner would."""
        self.program.terminate()
        self.program.stop()

    def kill(self) -> None:
        """SIGKILL for every process of it: each leads a group of its own."""
        backends = self.program.children
        super().kill()
        for backend in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(backend, signal.SIGKILL)


def _program(name: str) -> str:
    """The path of a server's program, the newest there is; raises `MissingServer`."""
    if found := shutil.which(name):
        return found
    ours = sorted(DEBIANS_PLACE.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    if not ours:
        raise MissingServer(f"{name} is missing: install PostgreSQL and Redis to run what needs real servers")
    return str(ours[-1])
