"""A Redis server that a test may freeze, kill or make refuse."""

import shutil
from pathlib import Path

import redis
from running_system import Program, eventually, free_port


class Redis:
    """A Redis without persistence, for one test."""

    def __init__(self, folder: Path) -> None:
        server = shutil.which("redis-server")
        assert server, "redis-server is missing"
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        self._folder = folder
        self._command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]

    def start(self) -> None:
        self.program = Program(self._command, self._folder, {}, self._folder / "redis.log")
        with redis.Redis.from_url(self.url) as client:
            eventually(lambda: _is_ready(client), bool, "a Redis that is ready")


def _is_ready(client: "redis.Redis[bytes]") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
