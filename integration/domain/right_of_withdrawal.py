"""The right of withdrawal: where consumers have it, and for how long.

Directive 2011/83/EU on consumer rights, article 9: a consumer may withdraw from a distance contract within 14 days,
without a reason. The period ends 14 days after the consumer has the last good of the order. Article 16 lists goods that
are exempt. The countries of the European Economic Area apply the directive; the United Kingdom has the same rule
in its Consumer Contracts Regulations 2013 (regulations 29 and 30), Switzerland has none.

A shop may grant the right elsewhere, too: this one does, with the same period (`ELSEWHERE`). It may grant more time
to some countries in `PERIODS`, never less than the law says.
"""

from datetime import UTC, datetime, time, timedelta

FOURTEEN_DAYS = timedelta(days=14)

BY_LAW = frozenset(
    [
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU"),
        *("LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
        *("IS", "LI", "NO"),
        "GB",
    ]
)
"""The countries of delivery, ISO 3166-1 alpha-2, where the law grants the right."""

PERIODS: dict[str, timedelta] = {}
"""The periods of countries that have more than 14 days."""

ELSEWHERE: timedelta | None = FOURTEEN_DAYS
"""The period that the shop grants where no law does; None for no right there."""


def is_legal_right(country: str) -> bool:
    """Whether the law of this country grants the right, so that a buyer who uses it pays no fee."""
    return country in BY_LAW


def withdrawal_period(country: str) -> timedelta | None:
    """How long after the last delivery a buyer in this country may withdraw; None where there is no such right."""
    return PERIODS.get(country, FOURTEEN_DAYS if country in BY_LAW else ELSEWHERE)


def end_of_period(begins: datetime, period: timedelta) -> datetime:
    """The moment at which a period ends, in UTC.

    Regulation (EEC, Euratom) 1182/71, article 3: the day on which a period of days begins does not count, and the
    period lasts until the end of its last day.
    """
    last_day = begins.astimezone(UTC).date() + period
    return datetime.combine(last_day + timedelta(days=1), time(), UTC)
