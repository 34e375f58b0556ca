"""`manage.py serve`: the web; in the embedded mode with a worker and beat in the same process."""

import errno
import logging
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from config.checkpoints import Checkpoints
from config.embedded import Embedded
from config.metrics.serving import serve_at_own_address
from config.web import Worker
from config.wsgi import application

log = logging.getLogger(__name__)

BANNER = """
Waybill is being served on {url}

  API and its docs   {url}/api/docs
  Operators          {url}/admin/     operator / operator, in the demo shop

A first order to copy:

  TOKEN=$(curl -s {url}/api/v1/auth/tokens -H 'Content-Type: application/json' \\
    -d '{{"username":"buyer","password":"buyer"}}' | cut -d'"' -f4)
  curl -s {url}/api/v1/orders -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
    -d '{{"lines":[{{"sku":"{sku}","quantity":2}}],"payment_method":"pm_card_visa","shipping_address":{{
         "recipient":"Ada Byron","street":"12 Analytical Row","city":"London","postal_code":"W1","country":"GB"}}}}'

Ctrl-C stops it.
"""

BACKLOG = 1_024
"""Connections that may wait to be accepted."""
TAKE_OVER = ("GUNICORN_PID", "GUNICORN_FD", "LISTEN_PID", "LISTEN_FDS")
"""Variables by which gunicorn takes over the sockets of another process. Here the command gives it one."""


class OurFormat(Logger):
    """Gunicorn's logger, whose lines have the format of all others."""

    def setup(self, cfg: Any) -> None:
        """Leave the lines to Django's handler."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class Server(BaseApplication):
    """Gunicorn, configured by Django's settings instead of a file of its own."""

    def __init__(self, listener: socket.socket, announce: Callable[[], None]) -> None:
        """Serve on a listening socket.

        Args:
            announce: called once, when connections are accepted.
        """
        self._announce = announce
        self._embedded: Embedded | None = None
        self._checkpoints: Checkpoints | None = None
        self._bind = f"fd://{listener.detach()}"
        for name in TAKE_OVER:
            os.environ.pop(name, None)
        super().__init__()

    def load_config(self) -> None:
        self.cfg.set("bind", self._bind)
        self.cfg.set("worker_class", Worker)
        self.cfg.set("workers", settings.WEB_CONCURRENCY)
        self.cfg.set("threads", settings.WEB_THREADS)
        self.cfg.set("loglevel", "warning")
        self.cfg.set("logger_class", OurFormat)
        self.cfg.set("graceful_timeout", 10)
        # Gunicorn's control socket has one path for all servers of a user.
        self.cfg.set("control_socket_disable", True)
        self.cfg.set("when_ready", self._begin_master)
        self.cfg.set("post_worker_init", self._begin)
        self.cfg.set("worker_exit", self._end)

    def load(self) -> Any:
        return application

    def _begin_master(self, server: Any) -> None:
        self._announce()
        # SIGINT stops gunicorn's threads at once and takes a lock in the signal handler. If a request has just arrived,
        # that lock is taken and the handler never returns.
        server.handle_int = server.handle_term

    def _begin(self, worker: Any) -> None:
        # A terminal sends SIGINT to every process of the group. Workers end when the master sends SIGTERM.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        synchronize_clock()
        serve_at_own_address()
        if settings.EMBEDDED:
            self._embedded = Embedded()
            self._embedded.start()
        if connection.vendor == "sqlite":
            self._checkpoints = Checkpoints(Path(connection.settings_dict["NAME"]))
            self._checkpoints.start()

    def _end(self, server: Any, worker: Any) -> None:
        if self._embedded:
            self._embedded.stop()
        if self._checkpoints:
            self._checkpoints.stop()


def synchronize_clock() -> None:
    """Connect once, which synchronizes the clock with the database's.

    Otherwise the first request goes by this machine's clock, and the signature of a call-back is checked before any
    query. If the database cannot be reached, the first connection does it.
    """
    try:
        connection.ensure_connection()
    except OperationalError as error:
        log.warning("the database cannot be reached yet: %s", error)
    finally:
        connection.close()


class Command(BaseCommand):
    """Serves the web."""

    help = "Serve the web; in the embedded mode with worker and beat in the same process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 to be reached from other machines")

    def handle(self, *args: Any, port: int, host: str, **options: Any) -> None:
        self.check()
        listener = _listen(host, port)
        url = url_of(listener)

        def announce() -> None:
            self.stdout.write(BANNER.format(url=url, sku="MUG-ENAMEL-BLUE"))
            self.stdout.flush()  # before the fork, or each worker would print the buffer again

        Server(listener, announce).run()


def url_of(listener: socket.socket) -> str:
    """The URL at which a browser of this machine reaches a listening socket.

    The port is the one that the system chose if port 0 was asked for. A socket that listens on all addresses is reached
    at this machine's own.
    """
    host, port = listener.getsockname()[:2]
    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - not listened on, but named
    return f"http://[{own}]:{port}" if ":" in own else f"http://{own}:{port}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        used = "Is Waybill running already? " if error.errno == errno.EADDRINUSE else ""
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise CommandError(
            f"Cannot listen on {host}, port {port}: {reason}. {used}Another port: --port, or make run PORT=…"
        ) from error
