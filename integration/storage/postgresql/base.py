"""Django's PostgreSQL backend on connections that keep to limits, with a cheap check that a connection is alive."""

import select
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL

from integration.storage.postgresql.connection import Cursor, LimitedConnection

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
        return self.connection is not None and _is_alive(self.connection)

    def _configure_connection(self, connection: LimitedConnection) -> bool:
        connection.adapt_to_server()
        return super()._configure_connection(connection)  # type: ignore[misc]  # the stubs do not know psycopg 3


def _is_alive(connection: LimitedConnection) -> bool:
    if connection.closed or connection.is_obsolete:
        return False
    poller = select.poll()
    poller.register(connection.fileno(), select.POLLIN)
    return connection.responds() if poller.poll(0) or connection.is_suspect() else True
