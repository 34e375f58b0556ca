"""The mail server that `EMAIL_URL` names."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

MAILBOX = r"[^<>@\s]+@[^<>@\s]+|[^<>@]+ <[^<>@\s]+@[^<>@\s]+>"
"""An address, perhaps after a name."""
OURS = {
    "django.core.mail.backends.smtp.EmailBackend": "integration.gateways.smtp.EmailBackend",
    "django.core.mail.backends.filebased.EmailBackend": "integration.gateways.mail_files.EmailBackend",
}
"""Our own backends in place of Django's."""


def mail_settings(url: str | None, folder: Path) -> dict[str, Any]:
    """Django's settings of e-mail.

    Args:
        url: `smtp+tls://user:password@host:port`, or another scheme of django-environ. None writes files, because a log
            must not contain addresses.
        folder: where to write those files, unless `filemail:///folder` names another one.

    Raises:
        ImproperlyConfigured: the URL makes no sense.
    """
    schemes = environ.Env.EMAIL_SCHEMES
    try:
        parts = urlsplit(url or "filemail://")
        is_known = parts.scheme in schemes and not parts.query and (parts.port or True)
    except ValueError:
        is_known = False
    if not is_known or (parts.scheme.startswith("smtp") and not parts.hostname):
        raise ImproperlyConfigured(
            f"EMAIL_URL must be a scheme of {', '.join(schemes)}, and for a mail server its host and port, without "
            "parameters: smtp+tls://user:password@mail.example.com:587"
        )
    settings = environ.Env.email_url_config(url or "filemail://")
    settings["EMAIL_BACKEND"] = OURS.get(settings["EMAIL_BACKEND"], settings["EMAIL_BACKEND"])
    own_folder = parts.scheme == "filemail" and parts.path.strip("/")
    return {**settings, "EMAIL_FILE_PATH": Path(parts.path) if own_folder else folder}
