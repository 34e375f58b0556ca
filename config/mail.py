"""The mail server or mail service that `EMAIL_URL` names."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

MAILBOX = r"[^<>@\s]+@[^<>@\s]+|[^<>@]+ <[^<>@\s]+@[^<>@\s]+>"
"""An address, perhaps after a name."""
TIMEOUT = 10
"""Seconds for connecting to the mail server or service, and for each e-mail as a whole."""
SHORTEST_WEBHOOK_PASSWORD = 16
OURS = {
    "django.core.mail.backends.smtp.EmailBackend": "integration.gateways.smtp.EmailBackend",
    "django.core.mail.backends.filebased.EmailBackend": "integration.gateways.mail_files.EmailBackend",
}
"""Our own backends in place of Django's."""


SERVICE = "anymail"
"""The scheme of a mail service: `anymail://postmark`."""


def service_settings(name: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Django's settings of a mail service that Anymail talks to.

    Args:
        name: the service in Anymail's words, such as `postmark` or `amazon_ses`.
        environment: the variables whose names begin with `ANYMAIL_` are Anymail's settings, such as
            `ANYMAIL_POSTMARK_SERVER_TOKEN`.

    Raises:
        ImproperlyConfigured: Anymail is not installed or does not know the service, or reports could come from anybody.
    """
    if find_spec("anymail") is None:
        raise ImproperlyConfigured("EMAIL_URL names a mail service: install requirements-mail.txt, too")
    if not name.isidentifier() or find_spec(f"anymail.backends.{name}") is None:
        raise ImproperlyConfigured(f"EMAIL_URL names a mail service that Anymail does not know: {name!r}")
    own = {key.removeprefix("ANYMAIL_"): value for key, value in environment.items() if key.startswith("ANYMAIL_")}
    user, _, password = own.get("WEBHOOK_SECRET", "").partition(":")
    if not (user and len(password) >= SHORTEST_WEBHOOK_PASSWORD):
        raise ImproperlyConfigured(
            "ANYMAIL_WEBHOOK_SECRET must be user:password with a password of at least "
            f"{SHORTEST_WEBHOOK_PASSWORD} characters, because everybody who knows it can report bounces"
        )
    return {
        "EMAIL_BACKEND": f"anymail.backends.{name}.EmailBackend",
        "ANYMAIL": {**own, "IGNORE_RECIPIENT_STATUS": True, "REQUESTS_TIMEOUT": TIMEOUT},
    }


def mail_settings(url: str | None, folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Django's settings of e-mail.

    Args:
        url: `smtp+tls://user:password@host:port`, or another scheme of django-environ. None writes files, because a log
            must not contain addresses. `anymail://postmark` names a mail service.
        folder: where to write those files, unless `filemail:///folder` names another one.
        environment: all variables of the environment, for `service_settings`.

    Raises:
        ImproperlyConfigured: the URL makes no sense.
    """
    schemes = environ.Env.EMAIL_SCHEMES
    try:
        parts = urlsplit(url or "filemail://")
        if parts.scheme == SERVICE:
            return {**service_settings(parts.netloc, environment), "EMAIL_FILE_PATH": folder}
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
