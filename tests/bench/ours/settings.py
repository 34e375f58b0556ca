"""The project's settings with an extra consumer, which only inserts a row."""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS[:-1], "tests.bench.ours.apps.Ours", INSTALLED_APPS[-1]]

CELERY_WORKER_CONSUMER = "celery.worker.consumer:Consumer"
"""Celery's own consumer. Waybill's runs no other tasks than Waybill's, and rejects the no-op tasks of the baselines."""
