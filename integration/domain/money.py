"""Money is an exact amount in one currency. Floats and mixed currencies are refused, and no minor unit is lost or made.

The currencies and their decimal places are those of `currencies`.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import force_setattr

from integration.domain.currencies import DECIMALS, WITHOUT_MINOR_UNIT
from integration.domain.errors import DomainError


class NotMoney(DomainError):
    """The value is not an amount of money in an ISO 4217 currency."""


class CurrencyMismatch(DomainError):
    """Amounts in different currencies cannot be added or compared."""


def decimal_places(currency: str) -> int:
    """Return the number of decimals of a currency: 2 for USD, 0 for JPY, 3 for KWD; raises `NotMoney`."""
    places = DECIMALS.get(currency)
    if places is None and currency in WITHOUT_MINOR_UNIT:
        raise NotMoney(f"{currency} has no minor unit, so it cannot be used for prices")
    if places is None:
        raise NotMoney(f"{currency!r} is not an ISO 4217 currency code")
    return places


@lru_cache(maxsize=256)
def _unit(currency: str) -> Decimal:
    """Return the smallest amount of a currency: 0.01 for USD."""
    return Decimal(1).scaleb(-decimal_places(currency))


class Money(Struct, frozen=True, order=False):
    """An amount in a currency, exact to the currency's minor unit.

    Args:
        amount: a `Decimal` (or what one is made from, but never a float), with no more decimals than the currency has.
        currency: its ISO 4217 code.

    Raises:
        NotMoney: for a float, a NaN, an amount of more than 28 digits, a fraction of a minor unit, or an unknown
            currency.
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is Decimal and self.amount.same_quantum(_unit(self.currency)):
            return  # nearly all amounts already have the currency's exponent
        if isinstance(self.amount, float):
            raise NotMoney("a float is not an amount of money: 0.1 + 0.2 is not 0.3")
        unit = _unit(self.currency)
        try:
            amount = Decimal(self.amount)
            if not amount.is_finite():
                raise NotMoney(f"{amount} is not an amount of money")
            exact = amount.quantize(unit)
        except InvalidOperation:
            raise NotMoney("an amount of money is a decimal number of at most 28 digits") from None
        if exact != amount:
            raise NotMoney(f"{amount} {self.currency} is finer than the currency's minor unit")
        force_setattr(self, "amount", exact)

    @classmethod
    def of_minor(cls, minor: int, currency: str) -> "Money":
        """Return the amount of so many minor units: `of_minor(1990, "USD")` is 19.90 USD."""
        return cls(minor * _unit(currency), currency)

    @classmethod
    def zero(cls, currency: str) -> "Money":
        """Return the amount zero in a currency."""
        return cls.of_minor(0, currency)

    @classmethod
    def sum(cls, amounts: "Iterable[Money]", currency: str) -> "Money":
        """Return the sum of the amounts, zero if there are none; raises `CurrencyMismatch`."""
        return sum(amounts, cls.zero(currency))

    @property
    def minor(self) -> int:
        """The amount in minor units: cents for USD."""
        return int(self.amount.scaleb(decimal_places(self.currency)))

    def _same(self, other: "Money") -> Decimal:
        if not isinstance(other, Money):
            raise TypeError(f"{other!r} is not Money")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self} and {other} are in different currencies")
        return other.amount

    def __add__(self, other: "Money") -> "Money":
        return Money(self.amount + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.amount - self._same(other), self.currency)

    def __mul__(self, times: int) -> "Money":
        if not isinstance(times, int) or isinstance(times, bool):
            raise TypeError("money is multiplied by whole numbers; for a share use percent() or allocate()")
        return Money(self.amount * times, self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: "Money") -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        return self.amount >= self._same(other)

    def __bool__(self) -> bool:
        return bool(self.amount)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    def percent(self, rate: int | Decimal) -> "Money":
        """Return `rate` percent of the amount, rounded half to even, as in accounting."""
        share = self.amount * Decimal(rate) / 100
        return Money(share.quantize(_unit(self.currency), ROUND_HALF_EVEN), self.currency)

    def allocate(self, weights: Sequence[int]) -> "list[Money]":
        """Split the amount in proportion to whole-number weights, without losing or making a minor unit.

        The remainder of the division is shared out, one minor unit each, to the first parts whose weight is not zero.

        Raises:
            NotMoney: when there are no weights, one is negative, or all are zero.
        """
        total = sum(weights)
        if total <= 0 or any(weight < 0 for weight in weights):
            raise NotMoney("the weights of an allocation must not be negative, and not all of them zero")
        sign = -1 if self.minor < 0 else 1
        shares = [abs(self.minor) * weight // total for weight in weights]
        left_over = abs(self.minor) - sum(shares)
        for i in [i for i, weight in enumerate(weights) if weight][:left_over]:
            shares[i] += 1
        return [Money.of_minor(sign * share, self.currency) for share in shares]
