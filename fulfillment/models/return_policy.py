"""Which goods a buyer may send back, why, and for how long: the shop's policy.

A shop with another policy replaces this file. Nothing else knows a period or a reason's consequences. It says:

* *Changed mind*: 14 days after the last delivery, or as long as the right of withdrawal lasts where the buyer lives.
  Products that are exempt from that right cannot be sent back for this reason.
* *Damaged*, *wrong item* and *not as described*: 2 years. The shop pays the postage, and there is no fee. Directive
  (EU) 2019/771 on the sale of goods, articles 10 and 14: the seller is liable for two years, and repairs or takes back
  free of charge.
* *Other*: 14 days, by the shop's goodwill.

The right of withdrawal excludes a fee: article 9(1) of Directive 2011/83/EU excludes other costs than
those of articles 13(2) and 14, which are a costlier delivery, the postage back, and diminished value.
"""

from datetime import timedelta
from enum import StrEnum

from msgspec import Struct

from integration.domain.right_of_withdrawal import FOURTEEN_DAYS, is_legal_right, withdrawal_period

TWO_YEARS = timedelta(days=2 * 365 + 1)
TIME_TO_SEND = timedelta(days=30)
"""How long after its approval a return waits for the goods. Article 14(1) of Directive 2011/83/EU grants 14 days."""


class ReturnReason(StrEnum):
    """Why a buyer sends goods back."""

    DAMAGED = "damaged"
    WRONG_ITEM = "wrong_item"
    NOT_AS_DESCRIBED = "not_as_described"
    CHANGED_MIND = "changed_mind"
    OTHER = "other"
    WITHDRAWN = "withdrawn"
    UNDELIVERED = "undelivered"


ASKED_FOR = tuple(ReturnReason)[:5]
"""The reasons that a buyer may give. The others are not asked for: a withdrawal, and a parcel that came back."""
FAULTS = (ReturnReason.DAMAGED, ReturnReason.WRONG_ITEM, ReturnReason.NOT_AS_DESCRIBED)
"""The reasons for which the shop is liable."""


class ReturnTerms(Struct, frozen=True):
    """What the policy says about a line.

    Args:
        within: how long after the delivery the buyer may ask for the return; None: not at all.
        by_right: the shop may not charge a fee.
        shop_pays_postage: the shop pays for the way back.
    """

    within: timedelta | None
    by_right: bool = True
    shop_pays_postage: bool = False


def return_terms(reason: ReturnReason, country: str, *, is_exempt: bool) -> ReturnTerms:
    """The terms for goods that were delivered to this country.

    Args:
        is_exempt: the product is exempt from the right of withdrawal.
    """
    if reason in FAULTS:
        return ReturnTerms(TWO_YEARS, shop_pays_postage=True)
    if reason is ReturnReason.UNDELIVERED:
        return ReturnTerms(None, by_right=False, shop_pays_postage=True)
    if reason is ReturnReason.OTHER:
        return ReturnTerms(FOURTEEN_DAYS, by_right=False)
    if reason is ReturnReason.WITHDRAWN:
        return ReturnTerms(None)
    if is_exempt:
        return ReturnTerms(None)
    return ReturnTerms(withdrawal_period(country) or FOURTEEN_DAYS, by_right=is_legal_right(country))
