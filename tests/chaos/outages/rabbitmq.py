"""A RabbitMQ node of the harness's own, with files, ports and a cookie of its own."""

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import kombu

from tests.chaos.servers import MissingServer, Server
from tests.system.running_system import Program, eventually, free_port

DEBIANS_PLACE = Path("/usr/lib/rabbitmq/bin")
"""Where Debian puts RabbitMQ's own scripts; those on the PATH change the user and the folder."""


class RabbitMQ(Server):
    """A node without plugins, which forgets everything when its folder is removed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "plugins").write_text("[].")
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        self._distribution_port, self._epmd_port = free_port(), free_port()
        self._node = f"waybill{self.port}@{socket.gethostname().partition('.')[0]}"

    @property
    def url(self) -> str:
        """The URL under which Celery reaches it."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    @property
    def environment(self) -> dict[str, str]:
        """What its programs need."""
        folder = str(self.folder)
        return {
            **os.environ,
            "HOME": folder,
            "RABBITMQ_NODENAME": self._node,
            "ERL_EPMD_PORT": str(self._epmd_port),  # a name server of its own, which other nodes do not depend on
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": folder,
            "RABBITMQ_LOG_BASE": folder,
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "none"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }

    def command(self) -> Sequence[str]:
        return [_script("rabbitmq-server")]

    def start(self) -> None:
        """Start it, and wait until it accepts clients, which takes some seconds."""
        self.program = Program(self.command(), self.folder, self.environment, self.folder / "server.log")
        eventually(self.responses, bool, "a RabbitMQ that accepts clients", within=120)

    def responses(self) -> bool:
        try:
            with kombu.Connection(self.url, connect_timeout=2) as connection:
                return bool(connection.connect())
        except OSError:
            return False

    def control(self, *command: str) -> str:
        """Run `rabbitmqctl`; returns what it prints."""
        done = subprocess.run(
            [_script("rabbitmqctl"), "-n", self._node, *command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def _script(name: str) -> str:
    """The path of one of its programs; raises `MissingServer`."""
    found = shutil.which(name, path=str(DEBIANS_PLACE)) or shutil.which(name)
    if not found:
        raise MissingServer(f"{name} is missing: install RabbitMQ to run what needs it")
    return found
