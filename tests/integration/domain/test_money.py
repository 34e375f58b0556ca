"""Money is exact: floats, fractions of a minor unit and mixed currencies are refused, and a division loses nothing."""

from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.money import CurrencyMismatch, Money, NotMoney, decimal_places

CURRENCIES = {"JPY": 0, "USD": 2, "EUR": 2, "KWD": 3}

minors = st.integers(-(10**15), 10**15)
amounts = st.builds(Money.of_minor, minors, st.sampled_from(sorted(CURRENCIES)))
weights = st.lists(st.integers(0, 10**6), min_size=1, max_size=40).filter(any)


@pytest.mark.parametrize(("currency", "places"), CURRENCIES.items())
def test_a_currency_has_the_decimals_the_standard_gives_it(currency: str, places: int) -> None:
    assert decimal_places(currency) == places
    assert Money.of_minor(1, currency).amount == Decimal(1).scaleb(-places)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        (0.5, "USD"),
        (1.0, "JPY"),
        (float("nan"), "USD"),
        (Decimal("NaN"), "USD"),
        (Decimal("sNaN"), "USD"),
        (Decimal("Infinity"), "USD"),
        (Decimal("-Infinity"), "USD"),
        (Decimal("0.001"), "USD"),
        (Decimal("0.5"), "JPY"),
        (Decimal("0.0001"), "KWD"),
        (Decimal(1), "usd"),
        (Decimal(1), "ZZZ"),
        (Decimal(1), ""),
        (Decimal(1), "XAU"),
    ],
)
def test_invalid_amounts_and_currencies_are_refused(amount: Decimal, currency: str) -> None:
    with pytest.raises(NotMoney):
        Money(amount, currency)


@pytest.mark.parametrize("written", ["12.5", "12.50", Decimal("12.500"), "1.25E+1"])
def test_equal_amounts_are_equal_in_any_notation(written: str | Decimal) -> None:
    money = Money(written, "USD")

    assert money == Money("12.50", "USD")
    assert hash(money) == hash(Money("12.50", "USD"))
    assert str(money) == "12.50 USD"


def test_money_cannot_be_changed() -> None:
    money = Money("1", "USD")

    with pytest.raises(AttributeError):
        money.amount = Decimal(2)  # type: ignore[misc]


@given(minors, minors, st.sampled_from(sorted(CURRENCIES)))
def test_adding_and_subtracting_are_exact(one: int, other: int, currency: str) -> None:
    a, b = Money.of_minor(one, currency), Money.of_minor(other, currency)

    assert (a + b).minor == one + other
    assert (a - b).minor == one - other
    assert (-a).minor == -one
    assert (a < b, a <= b, a > b, a >= b) == (one < other, one <= other, one > other, one >= other)
    assert bool(a) == (one != 0)


@given(amounts, st.integers(-(10**6), 10**6))
def test_a_multiple_is_exact(money: Money, times: int) -> None:
    assert (money * times).minor == (times * money).minor == money.minor * times


@given(amounts)
def test_conversion_to_minor_units_and_to_json_is_lossless(money: Money) -> None:
    assert Money.of_minor(money.minor, money.currency) == money
    assert msgspec.json.decode(msgspec.json.encode(money), type=Money) == money


@given(st.lists(minors, max_size=20), st.sampled_from(sorted(CURRENCIES)))
def test_a_sum_is_exact_and_zero_for_nothing(all_minors: list[int], currency: str) -> None:
    together = Money.sum((Money.of_minor(minor, currency) for minor in all_minors), currency)

    assert together == Money.of_minor(sum(all_minors), currency)


@pytest.mark.parametrize(
    "mix",
    [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a < b,
        lambda a, b: a <= b,
        lambda a, b: a > b,
        lambda a, b: a >= b,
        lambda a, b: Money.sum([a, b], "USD"),
    ],
)
def test_mixed_currencies_are_refused(mix: object) -> None:
    with pytest.raises(CurrencyMismatch):
        mix(Money("1", "USD"), Money("1", "EUR"))  # type: ignore[operator]


def test_the_same_number_in_two_currencies_is_not_equal() -> None:
    assert Money("1", "USD") != Money("1", "EUR")


@pytest.mark.parametrize("other", [1, 0, 1.5, Decimal(1), "1", None])
def test_money_is_only_added_to_money(other: object) -> None:
    with pytest.raises(TypeError):
        Money("1", "USD") + other  # type: ignore[operator]


@pytest.mark.parametrize("times", [1.5, Decimal(2), True, "2"])
def test_money_is_only_multiplied_by_whole_numbers(times: object) -> None:
    with pytest.raises(TypeError):
        Money("1", "USD") * times  # type: ignore[operator]


@given(amounts, weights)
def test_an_allocation_loses_nothing_and_is_fair(money: Money, shares: list[int]) -> None:
    parts = money.allocate(shares)

    assert Money.sum(parts, money.currency) == money
    assert len(parts) == len(shares)
    for part, weight in zip(parts, shares, strict=True):
        assert abs(part.minor - Fraction(money.minor * weight, sum(shares))) < 1
        assert weight or not part


@pytest.mark.parametrize(
    ("minor", "shares", "parts"),
    [
        (5, [0, 1, 1, 1], [0, 2, 2, 1]),
        (299, [4300, 1400, 2300], [161, 52, 86]),  # 160.7, 52.3 and 86.0 are rounded by what they lose
        (-299, [4300, 1400, 2300], [-161, -52, -86]),
        (7, [0, 0, 0], [3, 2, 2]),
    ],
)
def test_the_remainder_goes_to_the_parts_that_lose_most_and_then_to_the_first(
    minor: int, shares: list[int], parts: list[int]
) -> None:
    assert [part.minor for part in Money.of_minor(minor, "USD").allocate(shares)] == parts


@pytest.mark.parametrize("shares", [[], [1, -1], [3, -1]])
def test_invalid_weights_are_refused(shares: list[int]) -> None:
    with pytest.raises(NotMoney):
        Money("1", "USD").allocate(shares)


@pytest.mark.parametrize(
    ("amount", "currency", "rate", "share"),
    [
        ("100.00", "USD", 10, "10.00"),
        ("0.05", "USD", 10, "0.00"),  # 0.5 cents is rounded to 0, which is even
        ("0.15", "USD", 10, "0.02"),  # 1.5 cents are rounded to 2, which is even
        ("0.25", "USD", 10, "0.02"),
        ("-0.15", "USD", 10, "-0.02"),
        ("15", "JPY", 10, "2"),
        ("0.005", "KWD", 10, "0.000"),
        ("99.99", "USD", Decimal("0.5"), "0.50"),
        ("99.99", "USD", 0, "0.00"),
        ("99.99", "USD", 100, "99.99"),
    ],
)
def test_a_percentage_is_rounded_half_to_even(amount: str, currency: str, rate: int | Decimal, share: str) -> None:
    assert Money(amount, currency).percent(rate) == Money(share, currency)


@given(amounts, st.integers(0, 100))
def test_a_percentage_is_never_off_by_more_than_half_a_minor_unit(money: Money, rate: int) -> None:
    assert abs(money.percent(rate).minor - Fraction(money.minor * rate, 100)) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("amount", "part", "of", "share"),
    [
        ("0.50", 21, 100, "0.11"),
        ("-0.50", 21, 100, "-0.11"),
        ("0.49", 21, 100, "0.10"),
        ("100.00", 19, 119, "15.97"),
        ("1.00", Decimal("7.5"), 100, "0.08"),
        ("10.00", 2, 3, "6.67"),
    ],
)
def test_a_share_is_rounded_half_up_if_asked(amount: str, part: int | Decimal, of: int, share: str) -> None:
    assert Money(amount, "USD").share(part, of, half_up=True) == Money(share, "USD")


def test_the_units_of_a_line_are_worth_their_part_of_it() -> None:
    line = Money("10.00", "USD")

    assert [line.of_units(after, 1, 3).minor for after in range(3)] == [333, 334, 333]
    assert (line.of_units(0, 3, 3), line.of_units(1, 0, 3)) == (line, Money.zero("USD"))


@given(amounts, st.lists(st.integers(1, 50), min_size=1, max_size=10))
def test_the_parts_of_a_line_add_up_to_it(money: Money, counts: list[int]) -> None:
    parts, after = [], 0
    for count in counts:
        parts.append(money.of_units(after, count, sum(counts)))
        after += count

    assert Money.sum(parts, money.currency) == money


@pytest.mark.parametrize(("after", "count"), [(0, 4), (3, 1), (-1, 1), (0, -1), (2, -1)])
def test_units_that_a_line_does_not_have_are_refused(after: int, count: int) -> None:
    with pytest.raises(NotMoney):
        Money("10.00", "USD").of_units(after, count, 3)
