"""A PgBouncer of the harness's own, which gives each transaction another session of a few."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from tests.chaos.servers import MissingServer, Server

SESSIONS = 4
"""Sessions of the server that all clients of a database share."""


class PgBouncer(Server):
    """A PgBouncer in transaction mode.

    Args:
        folder: for its files.
        url: the URL of a database on the server behind it.
    """

    def __init__(self, folder: Path, url: str) -> None:
        super().__init__(folder)
        self._given = urlsplit(url)
        server = {
            "host": self._given.hostname,
            "port": self._given.port or 5432,
            "user": self._given.username,
            "password": self._given.password,
        }
        self._config = folder / "pgbouncer.ini"
        self._config.write_text(
            f"""
            [databases]
            * = {" ".join(f"{name}={value}" for name, value in server.items() if value)}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {self.port}
            unix_socket_dir =
            auth_type = any
            pool_mode = transaction
            default_pool_size = {SESSIONS}
            max_client_conn = 500
            """.replace(" " * 12, "")
        )

    def url_of(self, url: str) -> str:
        """The URL of the same database through PgBouncer."""
        parts = urlsplit(url)
        account = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{account}@127.0.0.1:{self.port}").geturl()

    def command(self) -> Sequence[str]:
        found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        if not found:
            raise MissingServer("pgbouncer is missing: install PgBouncer to run what needs it")
        return [found, str(self._config)]

    def run_as(self) -> dict[str, Any]:
        # PgBouncer refuses to be run by root.
        return {"user": "postgres"} if os.geteuid() == 0 else {}

    def responses(self) -> bool:
        try:
            psycopg.connect(self.url_of(self._given.geturl()), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
