"""A postal address is validated when it is created: every part is present and the country exists.

Source of the country codes: ISO 3166-1 alpha-2.
"""

from iso3166 import countries_by_alpha2
from msgspec import Struct
from msgspec.structs import replace

from integration.domain.errors import Unacceptable

ERASED = "(erased)"
"""The value of every erased part of an address. It is not empty, because no part may be empty."""

LONGEST = {"recipient": 200, "street": 200, "city": 100, "postal_code": 20}
"""The maximum length of each part, in characters."""


class Address(Struct, frozen=True):
    """A postal address; raises `Unacceptable` for an empty or overlong part or an unknown country."""

    recipient: str
    street: str
    city: str
    postal_code: str
    country: str

    def __post_init__(self) -> None:
        for part, longest in LONGEST.items():
            if not 0 < len(getattr(self, part).strip()) <= longest:
                raise Unacceptable(f"{part} must have 1 to {longest} characters", pointer=f"/{part}")
        if self.country not in countries_by_alpha2:
            raise Unacceptable(f"{self.country!r} is no country of ISO 3166 (alpha-2)", pointer="/country")

    def erased(self) -> "Address":
        """Return the address without anything that identifies a person.

        The country stays: the accounts need it for taxes.
        """
        return replace(self, recipient=ERASED, street=ERASED, city=ERASED, postal_code=ERASED)
