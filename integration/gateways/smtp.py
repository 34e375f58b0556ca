"""E-mail over SMTP: Django's backend, with a deadline for the whole conversation about each e-mail.

Django's timeout limits each read. A mail server that sends a byte now and then would hold a worker for ever.
"""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.mail.backends import smtp

from integration.gateways.deadline import current_deadline, within

LARGEST_REPLY = 100_000
"""Bytes. A reply has one line for each extension of the server, and usually fewer than twenty."""


class _Replies:
    """The replies of a mail server; one that does not end is an error.

    Args:
        file: what the server sends.
    """

    def __init__(self, file: Any) -> None:
        self._file, self.size = file, 0

    def readline(self, limit: int) -> bytes:
        line: bytes = self._file.readline(limit)
        self.size += len(line)
        if self.size > LARGEST_REPLY:
            raise smtplib.SMTPServerDisconnected(f"the reply is larger than {LARGEST_REPLY:,} bytes")
        return line

    def close(self) -> None:
        self._file.close()


class SMTP(smtplib.SMTP):
    """SMTP under the current deadline, in the clear at first."""

    file: Any
    sock: Any

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        return current_deadline().connect((host, port))

    def getreply(self) -> tuple[int, bytes]:
        if self.file is None:
            self.file = _Replies(self.sock.makefile("rb"))
        self.file.size = 0
        return super().getreply()


class SMTPOverTLS(smtplib.SMTP_SSL, SMTP):
    """The same over TLS from the start."""


class EmailBackend(smtp.EmailBackend):
    """Django's SMTP backend, whose `timeout` limits connecting and each e-mail as a whole."""

    connection: Any

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        return SMTPOverTLS if self.use_ssl else SMTP

    def open(self) -> bool | None:
        with self._within_timeout():
            return super().open()

    def send_messages(self, email_messages: Any) -> int:
        with self._within_timeout():
            return super().send_messages(email_messages)

    def close(self) -> None:
        with self._within_timeout():
            super().close()

    @contextmanager
    def _within_timeout(self) -> Iterator[None]:
        with within(self.timeout or settings.EMAIL_TIMEOUT) as deadline:
            if self.connection is not None and self.connection.sock is not None:
                deadline.watch(self.connection.sock)
            yield
