"""Money is an exact amount in one currency. Floats and mixed currencies are refused, and no minor unit is lost or made.

The currencies and their decimal places are those of `currencies`.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
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
        zero = cls.zero(currency)
        return cls(sum(map(zero._same, amounts), zero.amount), currency)

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

    def share(self, part: int | Decimal, of: int | Decimal, *, half_up: bool = False) -> "Money":
        """Return the share `part / of` of the amount, rounded once from the exact value to a minor unit.

        Args:
            part: how much is wanted, such as 3 units, or 19 percent.
            of: what `part` is measured against, such as 5 units, or 100 percent.
            half_up: whether half a minor unit is rounded away from zero, as tax is by default. Otherwise it is rounded
                to the even neighbour, as in accounting.
        """
        exact = Fraction(self.minor) * Fraction(part) / Fraction(of)
        if not half_up:
            return Money.of_minor(round(exact), self.currency)
        rounded = (2 * abs(exact.numerator) + exact.denominator) // (2 * exact.denominator)
        return Money.of_minor(-rounded if exact < 0 else rounded, self.currency)

    def percent(self, rate: int | Decimal, *, half_up: bool = False) -> "Money":
        """Return `rate` percent of the amount; see `share` for the rounding."""
        return self.share(rate, 100, half_up=half_up)

    def of_units(self, after: int, count: int, quantity: int) -> "Money":
        """Return what `count` of the `quantity` units of a line are worth, if this is the money of the whole line.

        The part is the difference of two rounded sums: of the units up to the last, less those before the first. So the
        parts of any sequence that covers all units add up to the whole, exactly.

        Args:
            after: how many units come before.

        Raises:
            NotMoney: the units are not among the line's.
        """
        if not 0 <= after <= after + count <= quantity:
            raise NotMoney(f"units {after + 1} to {after + count} are not among the {quantity} of the line")
        return self.share(after + count, quantity, half_up=True) - self.share(after, quantity, half_up=True)

    def allocate(self, weights: Sequence[int]) -> "list[Money]":
        """Split the amount in proportion to whole-number weights, without losing or making a minor unit.

        Each part gets its share, rounded down. The minor units that are left go one by one to the parts that lost the
        largest fraction, the first of equal ones first (largest remainder). If all weights are zero, the parts are
        equal.

        Raises:
            NotMoney: when there are no weights, or one is negative.
        """
        if not weights or any(weight < 0 for weight in weights):
            raise NotMoney("an allocation needs weights, and none of them negative")
        total = sum(weights)
        if not total:
            weights, total = [1] * len(weights), len(weights)
        minor = abs(self.minor)
        shares, lost = map(list, zip(*(divmod(minor * weight, total) for weight in weights), strict=True))
        for i in sorted(range(len(lost)), key=lambda i: -lost[i])[: minor - sum(shares)]:
            shares[i] += 1
        return [Money.of_minor(-share if self.minor < 0 else share, self.currency) for share in shares]
