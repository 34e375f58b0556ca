"""The Celery app: JSON messages only, and one queue for each context."""

import os
import threading

from celery import Celery
from celery.signals import beat_init, celeryd_init, setup_logging, worker_ready
from django.core.exceptions import ImproperlyConfigured

from config.environment import cannot_start
from config.transports import use_these_transports

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

use_these_transports()
app = Celery("waybill")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["integration.messaging"])


@app.on_configure.connect
def refuse_settings(**kwargs: object) -> None:
    """End `celery worker` and all other commands of Celery with one sentence if a setting makes no sense."""
    from django.conf import settings

    try:
        settings.EMBEDDED  # noqa: B018 - loads all settings
    except ImproperlyConfigured as error:
        raise SystemExit(cannot_start(error)) from None


@setup_logging.connect
def leave_logs_to_django(**kwargs: object) -> None:
    """Let Celery set up no logging: its `--loglevel`, a warning by default, would hide access lines."""


# By default Celery closes a worker's database connections after each task. Opening one costs more than a short task.
# Each task begins by closing a connection that is broken or older than CONN_MAX_AGE.
app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000


@celeryd_init.connect
@beat_init.connect
def refuse_to_send_without_a_worker(**kwargs: object) -> None:
    """End `celery worker` and `celery beat` on `memory://`, where no other process can receive their tasks.

    The embedded worker does not send these signals. The embedded beat sends its signal from a thread, not from the
    main thread.
    """
    from django.conf import settings

    if settings.EMBEDDED and threading.current_thread() is threading.main_thread():
        raise SystemExit(
            "The broker memory:// reaches no other process: without CELERY_BROKER_URL, `manage.py serve` runs worker "
            "and beat itself. To run them separately, set CELERY_BROKER_URL and DATABASE_URL, see .env.example."
        )


@celeryd_init.connect
def say_where_e_mails_go(**kwargs: object) -> None:
    """Warn at the start of a worker on a server if e-mails reach nobody."""
    from config import checks

    checks.say_where_e_mails_go()


@worker_ready.connect
def serve_metrics(**kwargs: object) -> None:
    """Serve the metrics of a worker's machine at an address of its own, if there is one."""
    from django.conf import settings

    from config.metrics.serving import serve_at_own_address

    if not settings.EMBEDDED:
        serve_at_own_address()
