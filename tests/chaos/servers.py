"""Servers that the harness starts on free ports, with folders of their own. It ends only servers that it started."""

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
"""The folder of PostgreSQL's programs on Debian, which are not on the PATH: one folder a version."""


class MissingServer(RuntimeError):
    """A server's program is not installed."""


class Server(ABC):
    """A server that can be killed, frozen and started again on the same port."""

    program: Program

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.port = free_port()

    @abstractmethod
    def responses(self) -> bool:
        """Whether the server can be used now."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """The command that runs the server."""

    def start(self) -> None:
        """Start the server, and wait until it is ready."""
        name = type(self).__name__
        self.program = Program(self.command(), self.folder, os.environ, self.folder / "server.log", **self.run_as())
        eventually(self.responses, bool, f"a {name} that is ready")

    def kill(self) -> None:
        """SIGKILL the server."""
        self.program.kill()

    def freeze(self) -> None:
        """SIGSTOP the server: the kernel accepts connections, and nothing responds."""
        self.program.signal_group(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT the server."""
        self.program.signal_group(signal.SIGCONT)

    def run_as(self) -> dict[str, Any]:
        """The user that the server runs as, as arguments of `subprocess`; empty for the current user."""
        return {}


class Redis(Server):
    """A Redis server.

    Args:
        folder: for its files.
        durable: whether its append-only file is written to disk every second; otherwise a restart loses all keys.
        debug: whether it obeys commands that make it ill, such as DEBUG; Redis 7 and later refuses them by default.
    """

    def __init__(self, folder: Path, durable: bool = False, debug: bool = False) -> None:
        super().__init__(folder)
        self.durable, self.debug = durable, debug

    @property
    def url(self) -> str:
        """The URL for Celery."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> Sequence[str]:
        own = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        files = ["--appendonly", "yes" if self.durable else "no", "--dir", str(self.folder)]
        ill = ["--enable-debug-command", "local", "--enable-protected-configs", "local"] if self.debug else []
        return [_program("redis-server"), *own, *files, *ill]

    def responses(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def client(self) -> "redis.Redis[bytes]":
        """A new connection; the caller closes it."""
        return redis.Redis.from_url(self.url)


class PostgreSQL(Server):
    """A PostgreSQL server with a new cluster.

    Args:
        folder: for its files.
        durable: whether it uses fsync, as by default. Without fsync it is faster, and loses data only with the machine.
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
        """The URL of one of its databases for Django."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def responses(self) -> bool:
        try:
            self.ask("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement as the superuser, without Django; returns its rows."""
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]  # any text
            return cursor.fetchall() if cursor.description else []

    def stop(self) -> None:
        """Shut the server down with SIGTERM."""
        self.program.terminate()
        self.program.stop()

    def kill(self) -> None:
        """SIGKILL the server and its backends, because each backend leads a process group of its own."""
        backends = self.program.children
        super().kill()
        for backend in backends:
            with contextlib.suppress(ProcessLookupError):
                os.kill(backend, signal.SIGKILL)


def _program(name: str) -> str:
    """The path of a server's program in its newest version; raises `MissingServer`."""
    if found := shutil.which(name):
        return found
    ours = sorted(DEBIANS_PLACE.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    if not ours:
        raise MissingServer(f"{name} is missing: install PostgreSQL and Redis to run what needs real servers")
    return str(ours[-1])
