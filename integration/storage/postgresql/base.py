"""Django's PostgreSQL backend on connections that keep to limits, with a cheap check that a connection is alive.

Each new connection synchronizes the process with the server's clock. The process does so again every half minute, at
the start of a request, a task or a transaction.
"""

import select
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from psycopg.pq import TransactionStatus

from integration.domain import clock
from integration.storage.postgresql.connection import Cursor, LimitedConnection
from integration.storage.postgresql.server_clock import synchronize_with

POOL = {"connection_class": LimitedConnection, "timeout": 5.0}
"""Options of psycopg's pool. A request waits no longer than this many seconds for a connection."""


class DatabaseWrapper(PostgreSQL):
    """Django's wrapper, which checks a connection that was in use a moment ago without a query.

    When the server ends a connection, it sends a message or closes the socket; both make the socket readable. Django
    sends `SELECT 1` at the start of each request and each task, which costs a round trip.
    """

    connection: LimitedConnection | None

    def __init__(self, settings_dict: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(settings_dict, *args, **kwargs)
        if settings_dict["OPTIONS"].get("pool") is True:
            settings_dict["OPTIONS"]["pool"] = POOL

    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "cursor_factory": Cursor}

    def get_new_connection(self, conn_params: dict[str, Any]) -> LimitedConnection:
        if not self.pool:
            return LimitedConnection.connect(**conn_params)
        connection = super().get_new_connection(conn_params)
        while not _is_alive(connection):
            connection.close()
            self.pool.putconn(connection)
            connection = self.pool.getconn()
        return connection

    def is_usable(self) -> bool:
        if self.connection is None or not _is_alive(self.connection):
            return False
        try:
            self._synchronize()
        except self.Database.Error:
            return False
        return True

    def _configure_connection(self, connection: LimitedConnection) -> bool:
        connection.adapt_to_server()
        synchronize_with(connection)
        super()._configure_connection(connection)  # type: ignore[misc]  # not in the stubs
        return True  # what was set is committed

    def _set_autocommit(self, autocommit: bool) -> None:
        if not autocommit:  # a transaction begins
            with self.wrap_database_errors:
                self._synchronize()
        super()._set_autocommit(autocommit)  # type: ignore[misc]  # not in the stubs

    def _synchronize(self) -> None:
        """Synchronize with the server's clock if it is time to, and never inside a transaction."""
        connection = self.connection
        if connection and clock.must_be_synchronized() and connection.info.transaction_status == TransactionStatus.IDLE:
            synchronize_with(connection)


def _is_alive(connection: LimitedConnection) -> bool:
    if connection.closed or connection.is_obsolete:
        return False
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    return connection.responds() if poller.poll(0) or connection.is_suspect() else True
