"""User names and passwords are compared in Unicode's normal form NFKC, in the API and in the admin.

Sources: RFC 8265, and NIST SP 800-63B, section 5.1.1.2.
"""

from typing import Any
from unicodedata import category

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError

from integration.domain.text import normalized
from integration.rest.login_attempts import LoginAttempt

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
        """Return the user, or None if there is none with these credentials.

        Raises:
            Throttled: too many attempts have failed, of this account or from this address.
        """
        if username is None or password is None or len(password) > MAX_HASHED_LENGTH:
            return None
        attempt = LoginAttempt(request, normalized(username))
        attempt.begin()
        for each in dict.fromkeys([normalized(password), password]):
            if user := super().authenticate(request, normalized(username), each, **kwargs):
                attempt.succeed()
                return user
        return None


class VisibleValidator:
    """Refuses a password without a character that can be seen, such as spaces only."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise `ValidationError` if nothing of the password can be seen."""
        if not any(category(each)[0] in "LNPS" for each in normalized(password)):
            raise ValidationError(self.get_help_text(), code="password_invisible")

    def get_help_text(self) -> str:
        """What the forms of the admin say about it."""
        return "The password must contain characters that can be seen."
