"""What a stored amount means does not depend on a package; the table of currencies agrees with ISO 4217 today."""

import pytest
from iso4217 import Currency

from integration.domain.currencies import DECIMALS, WITHOUT_MINOR_UNIT
from integration.domain.money import Money, NotMoney, decimal_places

WITHDRAWN = {"ANG", "BGN", "CUC", "HRK", "SLL", "ZWL"}


def test_the_table_agrees_with_the_package_and_only_adds_withdrawn_currencies() -> None:
    known = {each.value: each.exponent for each in Currency}
    assert {code: places for code, places in DECIMALS.items() if code not in WITHDRAWN} == {
        code: places for code, places in known.items() if places is not None and code not in WITHDRAWN
    }
    assert {code for code, places in known.items() if places is None} == WITHOUT_MINOR_UNIT


@pytest.mark.parametrize("code", sorted(WITHDRAWN))
def test_amounts_in_a_withdrawn_currency_can_still_be_read(code: str) -> None:
    assert str(Money.of_minor(1990, code)) == f"19.90 {code}"


@pytest.mark.parametrize(
    ("code", "said"), [("XAU", "XAU has no minor unit"), ("XXL", "not an ISO 4217"), ("usd", "not an"), ("", "not an")]
)
def test_other_codes_are_refused(code: str, said: str) -> None:
    with pytest.raises(NotMoney, match=said):
        decimal_places(code)
