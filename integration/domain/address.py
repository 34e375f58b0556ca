"""A postal address is validated when it is created: the country exists, and every part that it uses is present.

Source of the country codes: ISO 3166-1 alpha-2. Source of the parts: Google's address data, as libaddressinput has it.
"""

from iso3166 import countries_by_alpha2
from msgspec import Struct
from msgspec.structs import replace

from integration.domain.errors import Unacceptable

ERASED = "(erased)"
"""The value of every erased part of an address. It is not empty, because no part may be empty."""

LONGEST = {"recipient": 200, "street": 200, "city": 100, "postal_code": 20}
"""The maximum length of each part, in characters."""


WITHOUT_POSTAL_CODE = frozenset(
    [
        "AE",
        "AG",
        "AO",
        "AW",
        "BF",
        "BI",
        "BJ",
        "BO",
        "BS",
        "BW",
        "BZ",
        "CD",
        "CF",
        "CG",
        "CI",
        "CK",
        "CM",
        "CW",
        "DJ",
        "DM",
        "ER",
        "FJ",
        "GA",
        "GD",
        "GH",
        "GM",
        "GQ",
        "GY",
        "HK",
        "JM",
        "KI",
        "KM",
        "KN",
        "KP",
        "LY",
        "ML",
        "MO",
        "MR",
        "MW",
        "NR",
        "NU",
        "PA",
        "QA",
        "RW",
        "SB",
        "SC",
        "SL",
        "SR",
        "SS",
        "ST",
        "SX",
        "SY",
        "TD",
        "TG",
        "TK",
        "TL",
        "TO",
        "TV",
        "UG",
        "VU",
        "YE",
        "ZW",
    ]
)
"""The countries in which an address needs no postal code."""
WITHOUT_CITY = frozenset({"GI", "MC", "MO", "NR", "SG", "VA"})
"""The countries in which an address needs no city, because they are one."""


def may_lack(part: str, country: str) -> bool:
    """Return whether an address in a country may lack a part, such as `city`."""
    return country in {"postal_code": WITHOUT_POSTAL_CODE, "city": WITHOUT_CITY}.get(part, ())


class Address(Struct, frozen=True):
    """A postal address; a part that its country does not need may be empty.

    Raises:
        Unacceptable: another part is empty, a part is too long, or the country is unknown.
    """

    recipient: str
    street: str
    city: str
    postal_code: str
    country: str

    def __post_init__(self) -> None:
        for part, longest in LONGEST.items():
            least = 0 if may_lack(part, self.country) else 1
            if not least <= len(getattr(self, part).strip()) <= longest:
                raise Unacceptable(f"{part} must have 1 to {longest} characters", pointer=f"/{part}")
        if self.country not in countries_by_alpha2:
            raise Unacceptable(f"{self.country!r} is no country of ISO 3166 (alpha-2)", pointer="/country")

    def erased(self) -> "Address":
        """Return the address without anything that identifies a person.

        The country stays: the accounts need it for taxes.
        """
        return replace(self, recipient=ERASED, street=ERASED, city=ERASED, postal_code=ERASED)
