"""The WSGI application."""

import os

from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application
from gunicorn.errors import AppImportError

from config.checks import say_where_e_mails_go
from config.environment import cannot_start

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class CannotStart(AppImportError, RuntimeError):
    """A setting makes no sense. Gunicorn prints the sentence and ends."""


try:
    application = get_wsgi_application()
except ImproperlyConfigured as error:
    raise CannotStart(cannot_start(error)) from error

say_where_e_mails_go()
