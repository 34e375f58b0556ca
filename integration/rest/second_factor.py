"""The second factor: a code of a device that the user has, besides the password that the user knows."""

from typing import Any

from django.conf import settings
from django.db import transaction
from django_otp import devices_for_user

from integration.rest.login_attempts import LoginAttempt


def is_required(user: Any) -> bool:
    """Whether a login of this user takes a second factor: of all staff, if `SECOND_FACTOR` is on."""
    return bool(settings.SECOND_FACTOR and user.is_staff)


def verified_device(request: Any, user: Any, code: str, *, confirmed: bool = True) -> Any:
    """The device of the user that accepts the code, or None. A wrong code counts as a failed login.

    Args:
        request: the request, which has the address.
        user: the user, whose password was right.
        code: what was entered; a code that was accepted before is wrong.
        confirmed: whether to ask the devices that are set up, or the one that is being set up.

    Raises:
        Throttled: too many attempts have failed, of this account or from this address.
    """
    attempt = LoginAttempt(request, user.get_username())
    attempt.begin()
    entered = code.replace(" ", "").casefold()
    with transaction.atomic():
        for device in devices_for_user(user, confirmed=confirmed, for_verify=True):
            if device.verify_token(entered):
                attempt.succeed()
                return device
    return None
