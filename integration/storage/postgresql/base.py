"""Whether a connection still lives is to be seen, not asked: a server that ended it has said so.

Django asks `SELECT 1` at the beginning of each request and each task: a round trip to hear what is known.
"""

import select
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL


class DatabaseWrapper(PostgreSQL):
    """Django's, which asks only when there is something to hear on a connection that nobody has asked anything."""

    connection: Any

    def is_usable(self) -> bool:
        if self.connection is None or self.connection.closed:
            return False
        listener = select.poll()
        listener.register(self.connection.fileno(), select.POLLIN)
        return super().is_usable() if listener.poll(0) else True
