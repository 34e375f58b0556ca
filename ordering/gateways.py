"""The mail server, as ordering sees it: a letter about an order may be sent twice, but is recognised as the same."""

from django.conf import settings
from django.core.mail import EmailMessage


def send_letter(*, to: str, subject: str, body: str, key: str) -> None:
    """Send a letter through Django's e-mail backend.

    Args:
        key: names the letter for good; it becomes the Message-ID, by which mail programs drop a second copy.

    Raises:
        OSError: the mail server could not be reached or refused; to be tried again under the same key.
    """
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2]
    EmailMessage(subject, body, to=[to], headers={"Message-ID": f"<{key}@{domain}>"}).send()
