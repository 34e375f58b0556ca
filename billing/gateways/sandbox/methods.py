"""The sandbox's payment methods, which have the names of Stripe's test payment methods.

Source: Stripe's documentation of test cards, https://docs.stripe.com/testing. Only `pm_bank_transfer` is our own name:
Stripe's test transfers have none.
"""

from collections.abc import Mapping

from billing.gateways import KnownMethod

DECLINES = {
    "pm_card_chargeDeclined": "generic_decline",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_chargeDeclinedLostCard": "lost_card",
    "pm_card_chargeDeclinedStolenCard": "stolen_card",
    "pm_card_chargeDeclinedExpiredCard": "expired_card",
    "pm_card_chargeDeclinedIncorrectCvc": "incorrect_cvc",
    "pm_card_chargeDeclinedProcessingError": "processing_error",
}

AUTHENTICATION, TRANSFER = "pm_card_authenticationRequired", "pm_bank_transfer"
DISPUTED, REFUND_FAILS = "pm_card_createDispute", "pm_card_refundFail"


def _visa(last4: str) -> KnownMethod:
    return KnownMethod("card", "visa", last4, "2034-12")


METHODS: Mapping[str, KnownMethod] = {
    "pm_card_visa": _visa("4242"),
    "pm_card_mastercard": KnownMethod("card", "mastercard", "4444", "2034-12"),
    "pm_card_amex": KnownMethod("card", "amex", "8431", "2034-12"),
    "pm_card_chargeDeclined": _visa("0002"),
    "pm_card_chargeDeclinedInsufficientFunds": _visa("9995"),
    "pm_card_chargeDeclinedLostCard": _visa("9987"),
    "pm_card_chargeDeclinedStolenCard": _visa("9979"),
    "pm_card_chargeDeclinedExpiredCard": _visa("0069"),
    "pm_card_chargeDeclinedIncorrectCvc": _visa("0127"),
    "pm_card_chargeDeclinedProcessingError": _visa("0119"),
    AUTHENTICATION: _visa("3184"),
    DISPUTED: _visa("0259"),
    REFUND_FAILS: _visa("5126"),
    TRANSFER: KnownMethod("bank_transfer", is_delayed=True),
}
