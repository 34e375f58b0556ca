"""The Celery app: JSON only, a queue for each context, and beat told by the routines the contexts register."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("waybill")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["integration.messaging"])
