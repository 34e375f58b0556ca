"""Money is stored as a whole number of minor units, which the database adds up exactly, next to a currency column."""

from typing import Any

from django.db import models

from integration.domain.money import Money


class MinorUnitsField(models.BigIntegerField):
    """An amount in minor units of the row's `currency`."""


class CurrencyField(models.CharField):
    """An ISO 4217 code."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["max_length"] = 3
        super().__init__(**kwargs)


class money:
    """A descriptor for a row's amount as `Money`, stored in a minor units column and the row's `currency`.

    Args:
        column: the name of the minor units column.

    Raises:
        ValueError: when an amount in another currency than the row's is assigned.
    """

    def __init__(self, column: str) -> None:
        self.column = column

    def __get__(self, row: Any, owner: type) -> Any:
        if row is None:
            return self
        return Money.of_minor(getattr(row, self.column), row.currency)

    def __set__(self, row: Any, amount: Money) -> None:
        if row.currency != amount.currency:
            raise ValueError(f"{amount} in a row of {row.currency}")
        setattr(row, self.column, amount.minor)
