"""The Celery app: JSON only, a queue for each context, and beat told by the routines the contexts register."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("waybill")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["integration.messaging"])

# Celery closes a worker's database connections after each task, unless told how many tasks they may serve. Tasks here
# are short, and each begins by letting go of a connection that broke or grew old.
app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000
