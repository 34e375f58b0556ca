"""Where something is sent: complete from birth, in a country that exists.

Source of the countries: ISO 3166-1 alpha-2.
"""

from iso3166 import countries_by_alpha2
from msgspec import Struct
from msgspec.structs import replace

from integration.domain.errors import Unacceptable

ERASED = "(erased)"
"""What stands in each part of an address that was erased: none may be empty."""

LONGEST = {"recipient": 200, "street": 200, "city": 100, "postal_code": 20}


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
        """What is left when nobody is to be found by it any more: the country, which the books need for its taxes."""
        return replace(self, recipient=ERASED, street=ERASED, city=ERASED, postal_code=ERASED)
