"""Failed logins are counted for each account and each address, in a store that all processes share.

An attacker who guesses passwords is stopped at the account, whatever addresses they use, and at the address, whatever
accounts they try. They cannot lock the owner out: an address from which the account was opened lately has a count of
its own.

A server counts in PostgreSQL. The embedded mode is one process and counts in its memory, because SQLite has one writer
at a time: an attack must not make orders wait.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import F
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import Throttled

from integration.domain import clock
from integration.policies import every
from integration.rest.addresses import address_of
from integration.rest.models import LoginCount

WINDOW = timedelta(minutes=15)
"""How long failures count, from the first of them."""
KNOWN_FOR = timedelta(days=30)
"""How long an address is known from which an account was opened."""
_lock = Lock()


class Count(NamedTuple):
    """How many attempts were counted, and until when they count."""

    attempts: int
    until: datetime


class LoginAttempt:
    """An attempt to log in.

    Args:
        request: the request, which has the address. An attempt without one, of a command, is not counted.
        username: the account, whether it exists or not.
    """

    def __init__(self, request: Any, username: str) -> None:
        self._is_counted = request is not None
        address = address_of(request) if self._is_counted else ""
        account = username.casefold()
        self._account, self._address = _key("account", account), _key("address", address)
        self._pair, self._known = _key("pair", account, address), _key("known", account, address)
        self._counted: dict[str, int] = {}

    def begin(self) -> None:
        """Count the attempt as a failure, until it succeeds. Otherwise many attempts at once would all be free.

        Raises:
            Throttled: too many attempts have failed. `wait` is when the next one is allowed, in seconds.
        """
        if not self._is_counted:
            return
        now = clock.now()
        counts = _read([self._account, self._address, self._pair, self._known], now)
        account = self._pair if self._known in counts else self._account
        self._counted = {
            account: settings.LOGIN_FAILURES_PER_ACCOUNT,
            self._address: settings.LOGIN_FAILURES_PER_ADDRESS,
        }
        self._refuse(
            [key for key, most in self._counted.items() if key in counts and counts[key].attempts >= most], counts
        )
        for key, most in self._counted.items():
            counts[key] = _add(key, now)
            if counts[key].attempts > most:
                self._refuse([key], counts)

    def succeed(self) -> None:
        """Do not count the attempt, and know its address."""
        if self._is_counted:
            for key in self._counted:
                _take_back(key)
            _put(self._known, Count(0, clock.now() + KNOWN_FOR))

    def _refuse(self, full: Sequence[str], counts: dict[str, Count]) -> None:
        if full:
            wait = max(counts[key].until for key in full) - clock.now()
            raise Throttled(max(wait.total_seconds(), 1), "Too many attempts to log in have failed.")


def _key(*parts: str) -> str:
    """The key of a count. Nobody can read a username or an address from it."""
    return salted_hmac("login attempts", "\0".join(parts), algorithm="sha256").hexdigest()


def _read(keys: Sequence[str], now: datetime) -> dict[str, Count]:
    """The counts that have not ended."""
    if settings.EMBEDDED:
        found = cache.get_many(keys)
    else:
        rows = LoginCount.objects.filter(key__in=keys).values_list("key", "attempts", "until")
        found = {key: Count(attempts, until) for key, attempts, until in rows}
    return {key: count for key, count in found.items() if count.until > now}


def _add(key: str, now: datetime) -> Count:
    """Count one more, and return the count."""
    if settings.EMBEDDED:
        with _lock:
            before = _read([key], now).get(key, Count(0, now + WINDOW))
            count = Count(before.attempts + 1, before.until)
            _put(key, count)
        return count
    now_value, until_value = map(connection.ops.adapt_datetimefield_value, [now, now + WINDOW])
    table = LoginCount._meta.db_table
    (row,) = LoginCount.objects.raw(
        f"""
        INSERT INTO {table} (key, attempts, until) VALUES (%s, 1, %s)
        ON CONFLICT (key) DO UPDATE SET
            attempts = CASE WHEN {table}.until > %s THEN {table}.attempts + 1 ELSE 1 END,
            until = CASE WHEN {table}.until > %s THEN {table}.until ELSE excluded.until END
        RETURNING key, attempts, until
        """,  # noqa: S608 - only the name of a table is interpolated
        [key, until_value, now_value, now_value],
    )
    return Count(row.attempts, row.until)


def _take_back(key: str) -> None:
    if settings.EMBEDDED:
        with _lock:
            if (count := cache.get(key)) and count.attempts:
                _put(key, Count(count.attempts - 1, count.until))
    else:
        LoginCount.objects.filter(key=key, attempts__gt=0).update(attempts=F("attempts") - 1)


def _put(key: str, count: Count) -> None:
    if settings.EMBEDDED:
        cache.set(
            key, count, timeout=2 * KNOWN_FOR.total_seconds() if not count.attempts else 2 * WINDOW.total_seconds()
        )
    else:
        LoginCount.objects.update_or_create(key=key, defaults=count._asdict())


@every(timedelta(hours=1), name="integration.forget-login-attempts")
def forget_login_attempts() -> None:
    """Delete counts that have ended."""
    LoginCount.objects.filter(until__lt=clock.now()).delete()
