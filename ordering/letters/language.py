"""The language of a letter, and how money, dates and quantities are written in it.

Source of the formats: Unicode CLDR, by way of Babel.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from datetime import date as Date

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_currency
from django.utils import translation

from integration.domain.money import Money

LANGUAGES = ("en", "de")
"""The languages of the letters; the first is for buyers with another language."""


@contextmanager
def in_language_of(locale: str) -> Iterator[str]:
    """Activate the language of a buyer with this locale, such as `de-AT`; yields the language, such as `de`."""
    language = locale.replace("_", "-").partition("-")[0].lower()
    known = language in LANGUAGES
    with translation.override(locale.replace("_", "-").lower() if known else LANGUAGES[0]):
        yield language if known else LANGUAGES[0]


def _locale() -> Locale:
    tag = translation.get_language() or LANGUAGES[0]
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(tag.partition("-")[0])


def money(amount: Money) -> str:
    """An amount of money, such as `12,90 €`."""
    return format_currency(amount.amount, amount.currency, locale=_locale())


def day(moment: Date | datetime) -> str:
    """A date with the month as a word; a moment counts as its date in UTC."""
    return format_date(moment, format="long", locale=_locale())


def exact(moment: datetime) -> str:
    """A moment to the second, in UTC, on a clock of 24 hours."""
    return f"{day(moment.astimezone(UTC))}, {moment.astimezone(UTC):%H:%M:%S} UTC"


def goods(lines: Sequence[tuple[int, str]]) -> str:
    """Quantities of goods as a list in a sentence: `2 × MUG and 1 × LAMP`."""
    return format_list([f"{quantity} × {name}" for quantity, name in lines], locale=_locale())
