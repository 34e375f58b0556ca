"""The currencies and how many decimals each has.

Amounts are stored in minor units, so this table decides what a stored amount means. It is written down here and not
read from a package: a release that drops a currency or changes its decimals must not change what was stored. So no line
is ever removed, and no number changed. A test compares it with the package `iso4217`.

Source: ISO 4217, list one of 2026. Withdrawn since Waybill began, and still readable: ANG, BGN, CUC, HRK, SLL, ZWL.
"""

from collections.abc import Mapping

_ZERO = """
    BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF
"""

_TWO = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
    CDF CHE CHF CHW CNY COP COU CRC CUC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
    GMD GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD
    MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR
    PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP
    TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG ZWL
"""

_THREE = """
    BHD IQD JOD KWD LYD OMR TND
"""

_FOUR = """
    CLF UYW
"""

DECIMALS: Mapping[str, int] = {
    code: places for places, codes in {0: _ZERO, 2: _TWO, 3: _THREE, 4: _FOUR}.items() for code in codes.split()
}
"""By the code of a currency, the decimals of its amounts."""

WITHOUT_MINOR_UNIT = frozenset(
    ["XAG", "XAU", "XBA", "XBB", "XBC", "XBD", "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX"]
)
"""Codes of metals, of funds and for tests. Nothing has a price in them."""
