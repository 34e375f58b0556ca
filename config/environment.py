"""Settings are read from the environment and from `.env`. Each is checked, and one sentence says what is wrong with it.

A value that makes no sense is never replaced by a default: a server that was configured wrongly does not start.
"""

import json
import math
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from io import StringIO
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

NAMES = {
    "ACCESS_LOG",
    "ALLOWED_HOSTS",
    "ARCHIVE_AFTER_DAYS",
    "BEHIND_TLS",
    "BROKER_CA_FILE",
    "BROKER_TRANSPORT_OPTIONS",
    "CAPTURE",
    "CARRIERS",
    "CARTS_PER_MINUTE",
    "CART_EXPIRY_DAYS",
    "CELERY_BROKER_URL",
    "CELERY_WORKER_CONCURRENCY",
    "CELERY_WORKER_POOL",
    "CONN_MAX_AGE",
    "CORS_ORIGINS",
    "CSRF_TRUSTED_ORIGINS",
    "DATABASE_URL",
    "DEBUG",
    "DEFAULT_FROM_EMAIL",
    "DELIVERY_MAX_ATTEMPTS",
    "EMAIL_URL",
    "EVENTS_BROKER_URL",
    "EXTERNAL_MAX_ATTEMPTS",
    "FEED_READERS",
    "INVOICE_RETENTION_DAYS",
    "LOGINS_PER_MINUTE",
    "LOGIN_FAILURES_PER_ACCOUNT",
    "LOGIN_FAILURES_PER_ADDRESS",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "LOG_SEARCH_URL",
    "LOOKUPS_PER_MINUTE",
    "METRICS_ADDRESS",
    "METRICS_DIR",
    "METRICS_TOKEN",
    "NUM_PROXIES",
    "ORDER_PAGE",
    "PAUSE_AFTER_DEATHS",
    "PAYMENT_DEADLINE_MINUTES",
    "PAYMENT_PROVIDER",
    "PAYMENT_RETRY_MINUTES",
    "PREPARE_STATEMENTS_AFTER",
    "PRICES_INCLUDE_TAX",
    "QUEUE_PREFIX",
    "READS_PER_MINUTE",
    "REFUND_APPROVAL_LIMIT",
    "REGISTRATIONS_PER_MINUTE",
    "SANDBOX_CARRIER_STEP_SECONDS",
    "SANDBOX_FAILURE_RATE",
    "SANDBOX_LATENCY_MS",
    "SANDBOX_URL",
    "SANDBOX_WEBHOOK_SECRETS",
    "SECOND_FACTOR",
    "SECRET_KEY",
    "SELLER_ADDRESS",
    "SELLER_NAME",
    "SELLER_VAT_ID",
    "SHOP_CURRENCY",
    "STRIPE_API",
    "STRIPE_MODE",
    "STRIPE_PUBLISHABLE_KEY",
    "STRIPE_RETURN_URL",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRETS",
    "SWEEP_EVERY_SECONDS",
    "TAX_ROUNDING",
    "TRACES_URL",
    "WAYBILL_VAR",
    "WEBHOOK_LOG_DAYS",
    "WEBHOOK_SIGNING_KEY",
    "WEBHOOK_TIMEOUT_SECONDS",
    "WEB_CONCURRENCY",
    "WEB_THREADS",
    "WRITES_PER_MINUTE",
}
"""The names of all settings; `.env.example` explains each."""
MAY_BE_EMPTY = {
    "BROKER_CA_FILE",
    "CSRF_TRUSTED_ORIGINS",
    "EMAIL_URL",
    "REFUND_APPROVAL_LIMIT",
    "SANDBOX_URL",
    "SANDBOX_WEBHOOK_SECRETS",
    "SECOND_FACTOR",
    "SECRET_KEY",
    "SELLER_ADDRESS",
    "SELLER_NAME",
    "SELLER_VAT_ID",
}
"""Settings for which an empty value means the default. Any other setting is set, or left out."""
ALIKE = 0.75
"""How similar a name must be to the name of a setting to count as that name, misspelt. 1 is equal."""
TRUE, FALSE = {"true", "yes", "y", "on", "1"}, {"false", "no", "n", "off", "0"}
LINE = re.compile(r"(?:export )?([A-Za-z_0-9]+)=.*")
"""A line that django-environ reads. It passes over every other line."""


class Environment:
    """The settings that are given.

    Args:
        values: all variables of the environment. Those that are no setting are not looked at.

    Each method takes the name of a setting and what it is when it is not given, and raises `ImproperlyConfigured` if
    the given value is empty or makes no sense.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def given(self, name: str) -> str | None:
        """The value of a setting, without spaces around it; None if it is not given."""
        if name not in NAMES:
            raise KeyError(f"{name} is missing in config.environment.NAMES")
        value = self._values.get(name)
        if value is None or (not value.strip() and name in MAY_BE_EMPTY):
            return None
        if not value.strip():
            raise ImproperlyConfigured(f"{name} is empty: give it a value, or leave it out")
        if not value.isprintable():
            raise ImproperlyConfigured(f"{name} contains a character that cannot be printed")
        return value.strip()

    def text(self, name: str, default: str, pattern: str = ".*", advice: str = "") -> str:
        """A text.

        Args:
            pattern: the regular expression that the whole text must match.
            advice: the end of the sentence "NAME must …".
        """
        value = self.given(name)
        if value is None:
            return default
        if not re.fullmatch(pattern, value):
            raise ImproperlyConfigured(f"{name} must {advice}, not {value!r}")
        return value

    def file(self, name: str) -> str:
        """The path of a file; empty if it is not given."""
        value = self.given(name) or ""
        if value and not Path(value).is_file():
            raise ImproperlyConfigured(f"{name} names no file: {value}")
        return value

    def one_of(self, name: str, choices: Collection[str], default: str) -> str:
        """One of several words."""
        value = self.given(name)
        if value is not None and value not in choices:
            raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        return value or default

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.given(name)
        if value is not None and value.lower() not in TRUE | FALSE:
            raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}")
        return default if value is None else value.lower() in TRUE

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number from `least` to `most`."""
        value = self.given(name)
        if value is None:
            return default
        if not re.fullmatch("[0-9]{1,15}", value) or not least <= int(value) <= most:
            raise ImproperlyConfigured(f"{name} must be a whole number from {least} to {most}, not {value!r}")
        return int(value)

    def number(self, name: str, default: float, unit: str, least: float, most: float) -> float:
        """A number from `least` to `most`.

        Args:
            unit: what it counts, such as `seconds`.
        """
        value = self.given(name)
        if value is None:
            return default
        number = float(value) if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", value) else math.nan
        if not least <= number <= most:
            raise ImproperlyConfigured(f"{name} must be a number of {unit} from {least:g} to {most:g}, not {value!r}")
        return number

    def listed(self, name: str, default: Collection[str], pattern: str = ".+", advice: str = "") -> list[str]:
        """Values separated by commas, at least one; `pattern` and `advice` as for `text`, of each value."""
        value = self.given(name)
        if value is None:
            return list(default)
        values = [each.strip() for each in value.split(",") if each.strip()]
        wrong = [each for each in values if not re.fullmatch(pattern, each)]
        if wrong or not values:
            raise ImproperlyConfigured(f"{name} must {advice or 'name something'}, not {(wrong or [value])[0]!r}")
        return values

    def mapping(self, name: str, example: str) -> dict[str, Any]:
        """A JSON object; empty if it is not given."""
        try:
            value = json.loads(self.given(name) or "{}")
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise ImproperlyConfigured(f"{name} must be a JSON object, such as {example}")
        return value


def read_env_file(file: Path) -> None:
    """Add the variables of a `.env` file to the environment, without replacing any; nothing if there is no such file.

    Raises:
        ImproperlyConfigured: for a file or a line that cannot be read, a name that stands there twice, and a name that
            seems to be a misspelt setting. Names of other programs are accepted.
    """
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except FileNotFoundError:
        return
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{file} cannot be read: {getattr(error, 'strerror', 'it is not UTF-8')}") from error
    names: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        place = f"{file}, line {number}"
        if not (match := LINE.fullmatch(line)):
            raise ImproperlyConfigured(f"{place} must be NAME=value, without spaces around the =")
        name = match[1]
        if name in names:
            raise ImproperlyConfigured(f"{place}: {name} is set twice")
        if name not in NAMES and (near := get_close_matches(name.upper(), NAMES, 1, ALIKE)):
            raise ImproperlyConfigured(f"{place}: there is no setting {name}: do you mean {near[0]}?")
        names.add(name)
    environ.Env.read_env(StringIO("\n".join(line for line in lines if LINE.fullmatch(line))))


def cannot_start(error: ImproperlyConfigured) -> str:
    """The sentence with which a program ends that cannot start."""
    return f"Waybill cannot start: {error}"
