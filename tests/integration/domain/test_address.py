"""An address is validated when it is created."""

import pytest
from msgspec.structs import replace

from integration.domain.address import LONGEST, Address
from integration.domain.errors import Unacceptable


def test_an_address_whose_parts_have_the_maximum_length_is_accepted(address: Address) -> None:
    longest_address = Address(**{part: "x" * longest for part, longest in LONGEST.items()}, country="DE")

    assert longest_address.recipient == "x" * LONGEST["recipient"]
    assert address.country == "GB"


@pytest.mark.parametrize("part", LONGEST)
@pytest.mark.parametrize("text", ["", "   ", "\t\n"], ids=["nothing", "blanks", "white space"])
def test_no_part_may_be_empty(address: Address, part: str, text: str) -> None:
    with pytest.raises(Unacceptable) as refusal:
        replace(address, **{part: text})

    assert refusal.value.pointer == f"/{part}"


@pytest.mark.parametrize(
    ("country", "part"),
    [("HK", "postal_code"), ("AE", "postal_code"), ("PA", "postal_code"), ("SG", "city"), ("MO", "city")],
)
def test_a_part_that_the_country_does_not_have_may_be_empty(address: Address, country: str, part: str) -> None:
    there = replace(address, country=country, **{part: ""})

    assert getattr(there, part) == ""
    assert there.erased() == replace(address, country=country).erased()
    with pytest.raises(Unacceptable):
        replace(there, street="")


@pytest.mark.parametrize(("country", "part"), [("HK", "city"), ("SG", "postal_code"), ("SG", "street"), ("GB", "city")])
def test_a_part_that_the_country_has_may_not(address: Address, country: str, part: str) -> None:
    with pytest.raises(Unacceptable):
        replace(address, country=country, **{part: ""})


@pytest.mark.parametrize(("part", "longest"), LONGEST.items())
def test_no_part_may_be_too_long(address: Address, part: str, longest: int) -> None:
    with pytest.raises(Unacceptable) as refusal:
        replace(address, **{part: "x" * (longest + 1)})

    assert refusal.value.pointer == f"/{part}"


@pytest.mark.parametrize("country", ["", "XX", "gb", "GBR", "England", " GB"])
def test_the_country_must_be_an_iso_3166_code(address: Address, country: str) -> None:
    with pytest.raises(Unacceptable) as refusal:
        replace(address, country=country)

    assert refusal.value.pointer == "/country"


def test_an_address_cannot_be_changed(address: Address) -> None:
    with pytest.raises(AttributeError):
        address.city = "Paris"  # type: ignore[misc]
