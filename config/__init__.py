"""How Waybill is put together: settings, URLs, Celery, and the commands that need more than one context."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
