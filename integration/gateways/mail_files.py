"""E-mails as files that only their owner may read: Django's backend, which leaves the rights to the umask."""

import os
from typing import Any

from django.conf import settings
from django.core.mail.backends import filebased


class EmailBackend(filebased.EmailBackend):
    """Writes the e-mails of one connection to one new file. A folder that does not exist is made for its owner only."""

    def __init__(self, **options: Any) -> None:
        folder: Any = options.get("file_path") or getattr(settings, "EMAIL_FILE_PATH", None)
        if folder:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        super().__init__(**options)

    def open(self) -> bool:
        """Open the file, unless it is open; returns whether it was opened now."""
        if self.stream is not None:
            return False
        path = self._get_filename()
        self.stream = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
        return True
