"""A connection's socket shows whether the server has closed it, so no query is needed to find out.

Django sends `SELECT 1` at the start of each request and each task, which costs a round trip.
"""

import select
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL


class DatabaseWrapper(PostgreSQL):
    """Django's wrapper, which checks an idle connection with a query only if its socket has data to read.

    When the server ends a connection, it sends a message or closes the socket; both make the socket readable.
    """

    connection: Any

    def is_usable(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        poller = select.poll()
        poller.register(self.connection.fileno(), select.POLLIN)
        return super().is_usable() if poller.poll(0) else True
