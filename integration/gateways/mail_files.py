"""E-mails as files: one for each e-mail, in a folder for each person, so that erasing a person deletes their e-mails.

Only their owner may read the files.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend

SUFFIX = ".letters"
"""The end of the name of a person's folder. It also keeps an identifier such as `..` from being a path."""


class Letter(EmailMultiAlternatives):
    """An e-mail to a person whom the system knows.

    Args:
        person: the identifier of the person, which says nothing about them.
        is_wanted: whether the person is still to get the e-mail. It is called just before the e-mail is stored.
    """

    def __init__(self, *args: Any, person: str, is_wanted: Callable[[], bool], **options: Any) -> None:
        super().__init__(*args, **options)
        self.person, self.is_wanted = person, is_wanted
        self.metadata: dict[str, str] = {}


class EmailBackend(BaseEmailBackend):
    """Writes each e-mail to a file. A folder that does not exist is made for its owner only.

    The same Message-ID gives the same file, so a retry replaces the first copy.
    """

    def __init__(self, file_path: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.folder = Path(file_path) if file_path else _folder()
        _make(self.folder)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Write the e-mails that are still wanted; returns how many those are."""
        return sum(self._write(message) for message in email_messages)

    def _write(self, message: EmailMessage) -> bool:
        with _locked(self.folder, fcntl.LOCK_SH):
            if isinstance(message, Letter) and not message.is_wanted():
                return False
            content = message.message()
            key = blake2b(str(content["Message-ID"]).encode(), digest_size=12).hexdigest()
            path = _folder_of(message.person, self.folder) if isinstance(message, Letter) else self.folder
            _make(path)
            unfinished = path / f"{key}.part"
            with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content.as_bytes())
            unfinished.replace(path / f"{key}.eml")
        return True


def forget_letters(person: str) -> int:
    """Delete a person's e-mails; returns how many there were.

    Call it after the commit that lets `is_wanted` return false. The lock waits for e-mails that are being written, so
    none of them remains.
    """
    folder = _folder()
    if not folder.exists():
        return 0
    with _locked(folder, fcntl.LOCK_EX):
        theirs = _folder_of(person, folder)
        found = sum(1 for _ in theirs.iterdir()) if theirs.exists() else 0
        if theirs.exists():
            shutil.rmtree(theirs)
    return found


def letters_of(person: str) -> list[dict[str, str]]:
    """A person's e-mails that are stored in files, the oldest first: subject, recipient, date and text."""
    theirs = _folder_of(person, _folder())
    messages = [message_from_bytes(path.read_bytes(), policy=default) for path in theirs.glob("*.eml")]
    found = [
        {
            **{name: str(message[name] or "") for name in ("subject", "to", "date")},
            "text": body.get_content() if (body := message.get_body(("plain",))) else "",
        }
        for message in messages
    ]
    return sorted(found, key=lambda letter: parsedate_to_datetime(letter["date"]))


def persons_with_letters() -> list[str]:
    """The identifiers of the persons whose e-mails are stored in files."""
    return sorted(unquote(path.name.removesuffix(SUFFIX)) for path in _folder().glob(f"*{SUFFIX}"))


def _folder() -> Path:
    folder: Any = getattr(settings, "EMAIL_FILE_PATH", "mail")  # django-stubs does not know it
    return Path(folder)


def _folder_of(person: str, folder: Path) -> Path:
    return folder / f"{quote(person, safe='')}{SUFFIX}"


def _make(folder: Path) -> None:
    os.makedirs(folder, mode=0o700, exist_ok=True)


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Hold a lock on a folder, among all processes of this machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)
