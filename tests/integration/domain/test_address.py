"""An address is complete from birth."""

import pytest
from msgspec.structs import replace

from integration.domain.address import LONGEST, Address
from integration.domain.errors import Unacceptable


def test_a_complete_address_is_accepted_to_the_last_character(address: Address) -> None:
    fullest = Address(**{part: "x" * longest for part, longest in LONGEST.items()}, country="DE")

    assert fullest.recipient == "x" * LONGEST["recipient"]
    assert address.country == "GB"


@pytest.mark.parametrize("part", LONGEST)
@pytest.mark.parametrize("text", ["", "   ", "\t\n"], ids=["nothing", "blanks", "white space"])
def test_no_part_may_be_empty(address: Address, part: str, text: str) -> None:
    with pytest.raises(Unacceptable) as refusal:
        replace(address, **{part: text})

    assert refusal.value.pointer == f"/{part}"


@pytest.mark.parametrize(("part", "longest"), LONGEST.items())
def test_no_part_may_be_overlong(address: Address, part: str, longest: int) -> None:
    with pytest.raises(Unacceptable) as refusal:
        replace(address, **{part: "x" * (longest + 1)})

    assert refusal.value.pointer == f"/{part}"


@pytest.mark.parametrize("country", ["", "XX", "gb", "GBR", "England", " GB"])
def test_the_country_must_be_one_of_the_standard(address: Address, country: str) -> None:
    with pytest.raises(Unacceptable) as refusal:
        replace(address, country=country)

    assert refusal.value.pointer == "/country"


def test_an_address_cannot_be_changed(address: Address) -> None:
    with pytest.raises(AttributeError):
        address.city = "Paris"  # type: ignore[misc]
