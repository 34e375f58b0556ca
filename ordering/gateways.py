"""The mail server, as ordering sees it: a letter about an order may be sent twice, but is recognised as the same."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend


@contextmanager
def mail_server() -> Iterator[BaseEmailBackend]:
    """Django's e-mail backend, for any number of letters over one connection; none is made before the first."""
    server = get_connection()
    try:
        yield server
    finally:
        _hang_up(server)


def send_letter(server: BaseEmailBackend, *, to: str, subject: str, body: str, key: str) -> None:
    """Send a letter.

    Args:
        key: names the letter for good; it becomes the Message-ID, by which mail programs drop a second copy.

    Raises:
        OSError: the mail server could not be reached or refused; to be tried again under the same key.
    """
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2]
    letter = EmailMessage(subject, body, to=[to], headers={"Message-ID": f"<{key}@{domain}>"}, connection=server)
    try:
        server.open()  # whoever opens it keeps it open for the next letter
        letter.send()
    except OSError:
        _hang_up(server)  # the next letter shall not follow upon half of this one
        raise


def _hang_up(server: BaseEmailBackend) -> None:
    with suppress(OSError):
        server.close()
