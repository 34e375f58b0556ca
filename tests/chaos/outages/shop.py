"""A running shop that reaches its broker and its database through proxies, so that both can be made ill for it."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from tests.chaos.live import Live
from tests.chaos.outages.proxy import Proxy
from tests.chaos.outages.rabbitmq import RabbitMQ
from tests.chaos.outcome import Outcome
from tests.chaos.servers import PostgreSQL, Redis
from tests.system.running_system import System


class Broker(NamedTuple):
    """A broker, and the proxy through which the shop reaches it."""

    server: Any
    proxy: Proxy


class Shop(Live):
    """A running shop with all its peers.

    Args:
        folder: for the output of its processes.
        postgresql: its database server.
        redis: its first broker.
        ends: calls what is registered in it when the run ends.
    """

    def __init__(self, folder: Path, postgresql: PostgreSQL, redis: Redis, ends: ExitStack) -> None:
        self.ends = ends
        self.outcome = Outcome()
        self.is_bounded = True
        self.database = self._in_front_of(postgresql)
        self.broker = Broker(redis, self._in_front_of(redis))
        super().__init__(folder, postgresql, redis)

    @property
    def broker_kind(self) -> str:
        """`redis` or `rabbitmq`."""
        return "redis" if isinstance(self.broker.server, Redis) else "rabbitmq"

    def require_in_time(self, holds: bool, otherwise: str) -> None:
        """Add a sentence about a time that is too long to the row's outcome, unless times are only reported."""
        self.outcome.require(holds or not self.is_bounded, otherwise)

    def change_to(self, server: RabbitMQ) -> None:
        """Let the shop use another broker from now on."""
        self.broker = Broker(server, self._in_front_of(server))
        self.rebuild()

    @contextmanager
    def restarted(self, **changes: str) -> Iterator[None]:
        """Let the shop run with other environment variables for a while; the web is away while it restarts."""
        self.rebuild(**changes)
        try:
            yield
        finally:
            self.rebuild()

    def _in_front_of(self, server: Any) -> Proxy:
        proxy = Proxy(server.port)
        self.ends.callback(proxy.close)
        return proxy

    def _build(self, **changes: str) -> System:
        through_proxies = {
            "DATABASE_URL": _at(os.environ["DATABASE_URL"], self.database.port),
            "CELERY_BROKER_URL": _at(self.broker.server.url, self.broker.proxy.port),
        }
        return super()._build(**(through_proxies | changes))


def _at(url: str, port: int) -> str:
    """A URL with another port."""
    parts = urlsplit(url)
    account = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    return urlunsplit(parts._replace(netloc=f"{account}{parts.hostname}:{port}"))
