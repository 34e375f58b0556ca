"""The Celery app: JSON only, a queue for each context, and beat told by the routines the contexts register."""

import os
import threading

from celery import Celery
from celery.signals import beat_init, celeryd_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("waybill")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["integration.messaging"])

# Celery closes a worker's database connections after each task, unless told how many tasks they may serve. Tasks here
# are short, and each begins by letting go of a connection that broke or grew old.
app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000


@celeryd_init.connect
@beat_init.connect
def refuse_to_send_without_a_worker(**kwargs: object) -> None:
    """End `celery worker` and `celery beat` on `memory://`, where no other process ever hears of their tasks.

    The embedded worker does not send these signals, and the embedded beat sends them from a thread.
    """
    from django.conf import settings

    if settings.EMBEDDED and threading.current_thread() is threading.main_thread():
        raise SystemExit(
            "The broker memory:// reaches no other process: without CELERY_BROKER_URL, `manage.py serve` runs worker "
            "and beat itself. To run them apart, set CELERY_BROKER_URL (a Redis) and DATABASE_URL, see .env.example."
        )
