"""A postal address is validated when it is created: the country exists, and every part that it uses is present.

Source of the country codes: ISO 3166-1 alpha-2. Source of the parts: what Google's address data calls required, which
libaddressinput uses.
"""

from iso3166 import countries_by_alpha2
from msgspec import Struct
from msgspec.structs import replace

from integration.domain.errors import Unacceptable

ERASED = "(erased)"
"""The value of every erased part of an address. It is not empty, because no part may be empty."""

LONGEST = {"recipient": 200, "street": 200, "city": 100, "postal_code": 20}
"""The maximum length of each part that most addresses have, in characters."""

LONGEST_OPTIONAL = {"company": 200, "street2": 200, "region": 100, "phone": 40, "accepted": 200}
"""The maximum length of each part that an address may lack in every country."""


POSTAL_CODE_OPTIONAL = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AW AZ BA BB BD BF BG BH BI BJ BM BN BO BQ BS BT BV BW BY BZ CC CD CF CG CI CK CL
    CM CO CR CU CV CW CX CY DJ DM DO DZ EC EG EH ER ET FJ FO GA GD GE GH GI GM GN GQ GT GW GY HK HM HN HR HT ID IE
    IL IQ IR IS JM JO KE KG KH KI KM KN KP KW KY KZ LA LB LC LK LR LS LY MA MC MD ME MG MK ML MM MN MO MR MS MT MU
    MV MW MZ NA NE NF NG NI NP NR NU OM PA PE PG PH PK PS PY QA RS RW SA SB SC SD SI SL SN SO SR SS ST SV SX SY SZ
    TD TF TG TH TJ TK TL TM TN TO TT TV TZ UG UM UY UZ VA VC VE VG VN VU WS XK YE ZM ZW
    """.split()  # noqa: SIM905 - a list would have one code a line
)
"""The countries whose addresses need no postal code."""

CITY_OPTIONAL = frozenset({"AG", "GI", "MO", "SG", "SM", "VG"})
"""The countries whose addresses need neither a city nor a region."""


REGION_INSTEAD_OF_CITY = frozenset({"AE", "CO", "HK", "ID", "JP", "KY", "NR"})
"""The countries whose addresses need a region, and a city only if they have none."""


def may_lack(part: str, country: str) -> bool:
    """Return whether an address in a country may lack a part, such as `city`."""
    return country in {"postal_code": POSTAL_CODE_OPTIONAL, "city": CITY_OPTIONAL}.get(part, ())


class Address(Struct, frozen=True, omit_defaults=True):
    """A postal address; a part that its country does not need may be empty. `address_rules` knows what looks wrong.

    Args:
        accepted: why staff accepted the address although it has no city, postal code or region; empty if nobody did.

    Raises:
        Unacceptable: another part is empty, a part is too long, or the country is unknown.
    """

    recipient: str
    street: str
    city: str
    postal_code: str
    country: str
    company: str = ""
    street2: str = ""
    region: str = ""
    phone: str = ""
    accepted: str = ""

    def __post_init__(self) -> None:
        for part, longest in LONGEST.items():
            least = 0 if may_lack(part, self.country) or self._may_lack_here(part) else 1
            if not least <= len(getattr(self, part).strip()) <= longest:
                raise Unacceptable(f"{part} must have 1 to {longest} characters", pointer=f"/{part}")
        for part, longest in LONGEST_OPTIONAL.items():
            if len(getattr(self, part)) > longest:
                raise Unacceptable(f"{part} must have at most {longest} characters", pointer=f"/{part}")
        if self.country not in countries_by_alpha2:
            raise Unacceptable(f"{self.country!r} is no country of ISO 3166 (alpha-2)", pointer="/country")

    def erased(self) -> "Address":
        """Return the address without anything that identifies a person.

        The country stays: the accounts need it for taxes.
        """
        nothing = dict.fromkeys(LONGEST_OPTIONAL, "")
        return replace(self, recipient=ERASED, street=ERASED, city=ERASED, postal_code=ERASED, **nothing)

    def _may_lack_here(self, part: str) -> bool:
        if part == "city" and self.country in REGION_INSTEAD_OF_CITY and self.region.strip():
            return True
        return part in ("city", "postal_code") and bool(self.accepted)
