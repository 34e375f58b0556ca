"""Gateway to the mail server. A retry may send an e-mail twice, but always with the same Message-ID."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend

from integration.domain.identifiers import BuyerId
from integration.gateways.mail_files import Letter
from ordering.gateways.mail_service import plainly


@contextmanager
def mail_server() -> Iterator[BaseEmailBackend]:
    """Django's e-mail backend. The first e-mail opens a connection, further e-mails share it, and exit closes it."""
    server = get_connection()
    try:
        yield server
    finally:
        _close(server)


def send_email(
    server: BaseEmailBackend,
    *,
    buyer: BuyerId,
    is_wanted: Callable[[], bool],
    to: str,
    subject: str,
    body: str,
    key: str,
    html: str = "",
    about: Mapping[str, str] | None = None,
) -> None:
    """Send an e-mail.

    Args:
        buyer: whose e-mail it is. A backend that keeps e-mails as files keeps it under this identifier.
        is_wanted: whether the buyer is still to get it; such a backend asks once more, because they may be erased.
        to: the address.
        subject: the subject.
        body: the text.
        key: identifies the e-mail across retries. It becomes the Message-ID, by which mail programs drop a second copy.
        html: the same as HTML, for mail programs that show it.
        about: what a mail service is to return with each of its reports, such as the order's number; nothing personal.

    Raises:
        OSError: the mail server is unreachable or rejected the e-mail; retry with the same key.
    """
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2]
    headers = {"Message-ID": f"<{key}@{domain}>"}
    email = Letter(subject, body, to=[to], headers=headers, connection=server, person=buyer, is_wanted=is_wanted)
    email.metadata = {"letter": key, **(about or {})}  # sent by Anymail's backends only
    if html:
        email.attach_alternative(html, "text/html")
    try:
        server.open()  # an explicit open() leaves the connection open for the next e-mail
        email.send()
    except Exception as error:
        _close(server)  # the next e-mail must not use a connection that failed in the middle of this one
        if (ours := plainly(error)) is not error:
            raise ours from None
        raise


def _close(server: BaseEmailBackend) -> None:
    with suppress(OSError):
        server.close()
