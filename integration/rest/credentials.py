"""User names and passwords are compared in Unicode's normal form NFKC, in the API and in the admin.

Sources: RFC 8265, and NIST SP 800-63B, section 5.1.1.2.
"""

from typing import Any

from django.contrib.auth.backends import ModelBackend

from integration.domain.text import normalized

MAX_PASSWORD_LENGTH = 128
"""The most characters that a password given to the API has, once it is normalized."""
MAX_HASHED_LENGTH = 4_096
"""The most characters that are hashed. A longer password is wrong. Commands and the admin may have set one up to this
length."""


class NormalizingBackend(ModelBackend):
    """Authenticates by username and password.

    A password that was stored before passwords were normalized opens as it was typed then.
    """

    def authenticate(
        self, request: Any, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> Any:
        """Return the user, or None if there is none with these credentials."""
        if username is None or password is None or len(password) > MAX_HASHED_LENGTH:
            return None
        for each in dict.fromkeys([normalized(password), password]):
            if user := super().authenticate(request, normalized(username), each, **kwargs):
                return user
        return None
