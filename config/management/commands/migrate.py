"""`manage.py migrate`, with short waits for locks. SQLite is migrated as a whole, by one process at a time."""

import time
from typing import Any

from django.core.management.commands.migrate import Command as Migrate
from django.db import OperationalError
from psycopg.errors import LockNotAvailable

from config.preparing import all_or_nothing, prepare_alone
from integration.storage.limits import Limits, limited

LOCK_TIMEOUT = 1.0
"""Seconds that a migration waits for a table. Requests that need the table wait behind it."""

ATTEMPTS = 60
PAUSE = 1.0
"""Seconds between two attempts, in which those who waited go on."""


class Command(Migrate):
    """Django's command, with a limit on waiting for locks in transactions."""

    def handle(self, *args: Any, **options: Any) -> None:
        for left in reversed(range(ATTEMPTS)):
            try:
                with prepare_alone(), limited(Limits(lock=LOCK_TIMEOUT)), all_or_nothing():
                    super().handle(*args, **options)
                return
            except OperationalError as error:
                if not (left and isinstance(error.__cause__, LockNotAvailable)):
                    raise
            self.stderr.write("A table is in use by a long transaction. The migration is tried again.")
            time.sleep(PAUSE)
