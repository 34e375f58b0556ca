"""A system check of the settings: a server needs a mail server."""

import logging
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info, register

log = logging.getLogger(__name__)


def say_where_e_mails_go() -> None:
    """Log at the start of a process what `e_mails_reach_somebody` finds. Gunicorn and Celery print no findings."""
    for found in e_mails_reach_somebody(None):
        log.warning("%s. %s", found.msg, found.hint)


@register
def e_mails_reach_somebody(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """On servers, e-mails go to a mail server and not to files."""
    if settings.EMBEDDED or settings.EMAIL_BACKEND != "integration.gateways.mail_files.EmailBackend":
        return []
    folder: Any = getattr(settings, "EMAIL_FILE_PATH", "")  # django-stubs does not know it
    return [
        Info(
            f"no e-mail reaches a buyer: all are written to files in {folder}, and erasing a buyer "
            "deletes only those of the machine it runs on",
            hint="Set EMAIL_URL to a mail server: smtp+tls://user:password@mail.example.com:587.",
            id="waybill.I012",
        )
    ]
