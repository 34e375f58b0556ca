"""`manage.py runserver` is Django's own, and warns when no worker would handle what it stores.

Orders wait for workers. When Waybill is embedded, `manage.py serve` runs a worker in its process; `runserver` does not.
"""

from typing import Any

from django.conf import settings
from django.contrib.staticfiles.management.commands import runserver
from kombu.exceptions import OperationalError

from config.celery import app

ALONE = (
    "No worker runs in this process: orders that are placed here stay pending. "
    "Use `.venv/bin/python manage.py serve`, which runs the web, a worker and beat in one process."
)
NOBODY = (
    "No worker replies: orders that are placed here stay pending until one does. "
    "Start `.venv/bin/celery -A config worker` and `.venv/bin/celery -A config beat`."
)


class Command(runserver.Command):
    """Serves the web for development, without worker and beat."""

    help = "Serve the web for development, without worker and beat; manage.py serve runs those, too."

    def inner_run(self, *args: Any, **options: Any) -> None:
        warning = ALONE if settings.EMBEDDED else "" if _a_worker_responds() else NOBODY
        if warning:
            self.stderr.write(self.style.WARNING(warning))
        super().inner_run(*args, **options)


def _a_worker_responds() -> bool:
    """Whether a worker replies to a ping within a second; not if the broker cannot be reached."""
    try:
        return bool(app.control.ping(timeout=1, limit=1))
    except OperationalError:
        return False
