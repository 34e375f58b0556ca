"""Commands on vouchers: create and change them, and hold, redeem and release them for orders.

Lock order: an order, then its buyer, then its claims, then the limited vouchers, each in key order.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Count
from django.utils.crypto import salted_hmac

from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.domain.errors import Refused, RefusedInput, Unacceptable
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.money import Money
from ordering.events import VoucherTerms
from ordering.models import ClaimStatus, Order, Voucher, VoucherClaim, claim_id
from ordering.pricing import PricedOrder
from ordering.pricing import Voucher as VoucherFacts
from ordering.pricing.asked import VoucherKind

MAX_VOUCHERS = 10
"""How many vouchers an order may have."""

IN_USE = (ClaimStatus.HELD, ClaimStatus.REDEEMED)
"""The states of a claim that counts against the limits of its voucher."""


class CodeTaken(Refused):
    """This code is taken by another voucher."""


class NotApplicable(Unacceptable):
    """The voucher does not apply."""


class VoucherNotApplied(RefusedInput):
    """A voucher does not apply to this order."""


def create_voucher(code: str, terms: Mapping[str, Any]) -> Voucher:
    """Create a voucher.

    Args:
        terms: the fields of `VoucherTerms`, with `value` instead of `percent` and `amount`, or some of them.

    Returns:
        The new voucher.

    Raises:
        CodeTaken: there is a voucher with this code.
        Unacceptable: as `ordering.models.voucher.check` raises.
    """
    with unit_of_work() as work:
        if work.find(Voucher, code):
            raise CodeTaken(f"there is already a voucher {code}")
        voucher = Voucher.create(code, _terms({"name": code, **terms}))
        work.add(voucher)
    return voucher


def change_voucher(code: str, changes: Mapping[str, Any], if_version: Collection[int] | None = None) -> Voucher:
    """Change some terms of a voucher for new orders; orders that use the voucher stay as they are.

    Args:
        changes: as the terms of `create_voucher`.
        if_version: the versions of the voucher that the caller accepts; None accepts any.

    Returns:
        The changed voucher.

    Raises:
        NotFound: there is no such voucher.
        StaleVersion: the voucher is in none of the versions in `if_version`.
        LimitStays, LimitBelowUse: see `Voucher.change`.
        Unacceptable: as `ordering.models.voucher.check` raises.
    """
    with unit_of_work() as work:
        voucher = work.get(Voucher, code)
        voucher.expect_version(if_version)
        terms = voucher.terms
        current = {name: getattr(terms, name) for name in terms.__struct_fields__ if name not in ("percent", "amount")}
        voucher.change(_terms({**current, "value": voucher.value, **changes}))
    return voucher


def _terms(given: Mapping[str, Any]) -> VoucherTerms:
    terms = dict(given)
    value = terms.pop("value", None)
    amount = value if isinstance(value, Money) else None
    return VoucherTerms(**terms, amount=amount, percent=None if amount is not None else value)


def email_hash(email: str) -> str:
    """The keyed hash of an e-mail address, by which the orders of a guest are counted; empty for no address."""
    if not email:
        return ""
    text = email.strip().casefold()
    return salted_hmac("ordering.vouchers.email", text, algorithm="sha256").hexdigest()


def terms_of(codes: Sequence[str], buyer: BuyerId | None = None, email: str = "") -> list[VoucherFacts]:
    """Read the vouchers with these codes as `price` takes them, in at most two queries and without a lock.

    A voucher that this buyer cannot use, or that does not exist, has a reason in `refusal`.

    Args:
        codes: the codes that a buyer named, in capitals.
        buyer: whose orders count against a limit per buyer; None while nobody knows.
        email: the e-mail address of a guest, whose orders count instead.
    """
    vouchers = {voucher.code: voucher for voucher in Voucher.objects.filter(pk__in=codes)} if codes else {}
    return _facts(codes, vouchers, email_hash(email) or buyer)


def lock_terms_of(
    work: UnitOfWork, codes: Sequence[str], buyer: BuyerId | None = None, email: str = ""
) -> list[VoucherFacts]:
    """Read the vouchers as `terms_of` does, and lock those that are limited until the transaction ends."""
    seen = work.look_at(Voucher, codes)
    work.get_many(Voucher, [code for code, voucher in seen.items() if voucher.is_limited])
    return _facts(codes, work.look_at(Voucher, codes), email_hash(email) or buyer)


def _facts(codes: Sequence[str], vouchers: Mapping[str, Voucher], claimant: str | None) -> list[VoucherFacts]:
    per_buyer = [code for code, voucher in vouchers.items() if voucher.limit_per_buyer is not None]
    own: Counter[str] = Counter()
    if per_buyer and claimant:
        claims = VoucherClaim.objects.filter(voucher__in=per_buyer, claimant=claimant, status__in=IN_USE)
        own.update(dict(claims.order_by().values_list("voucher").annotate(n=Count("pk"))))
    return [vouchers[code].facts(own[code]) if code in vouchers else _unknown(code) for code in codes]


def _unknown(code: str) -> VoucherFacts:
    return VoucherFacts(code=code, name=code, kind=VoucherKind.AMOUNT, refusal="there is no such voucher")


def require_vouchers(codes: Sequence[str], priced: PricedOrder) -> None:
    """Raise `VoucherNotApplied` unless all these vouchers reduced the price of an order."""
    reasons = {refused.code: refused.reason for refused in priced.not_applied}
    errors: list[Unacceptable] = [
        NotApplicable(f"voucher {code} does not apply: {reasons[code]}", pointer=f"/vouchers/{i}")
        for i, code in enumerate(codes)
        if code in reasons and (codes.index(code) != i or code not in {given.code for given in priced.discounts})
    ]
    if errors:
        raise VoucherNotApplied(errors)


def hold_vouchers(work: UnitOfWork, order: Order, email: str = "") -> None:
    """Hold the vouchers of an order that is being placed, after `lock_terms_of` in the same unit of work.

    Args:
        email: the e-mail address of a guest.
    """
    number, vouchers = OrderNumber(order.number), work.look_at(Voucher, order.vouchers)
    for code, voucher in vouchers.items():
        buyer, limited = BuyerId(order.buyer_id), voucher.is_limited
        work.add(VoucherClaim.hold(code, number, buyer, email_hash(email), is_counted=limited))
        if limited:
            voucher.count_held(number)


def redeem_vouchers(number: OrderNumber) -> None:
    """Redeem the vouchers of an order, because it is confirmed."""
    with unit_of_work() as work:
        for claim, voucher in _claims(work, [number]):
            if claim.redeem() and voucher:
                voucher.count_redeemed(number)


def release_vouchers(number: OrderNumber) -> None:
    """Release the vouchers of an order, because all of it is cancelled."""
    with unit_of_work() as work:
        for claim, voucher in _claims(work, [number]):
            was_redeemed = claim.status == ClaimStatus.REDEEMED
            if claim.release() and voucher:
                voucher.count_released(number, was_redeemed=was_redeemed)


def anonymize_claims(work: UnitOfWork, orders: Collection[Order], buyer: BuyerId) -> None:
    """Erase the hash of a guest's e-mail address from the claims of orders; a buyer's ID stays, as in the orders."""
    ids = [claim_id(OrderNumber(order.number), code) for order in orders for code in order.vouchers]
    personal = [claim for claim in work.get_many(VoucherClaim, ids).values() if claim.claimant != buyer]
    for claim in personal:
        claim.anonymize()
    if personal:
        forget(VoucherClaim, [claim.id for claim in personal])


def lock_claims(numbers: Collection[OrderNumber]) -> None:
    """Lock the claims and the limited vouchers of several orders, each in key order; nothing if they have none."""
    with unit_of_work() as work:
        list(_claims(work, numbers))


def _claims(work: UnitOfWork, numbers: Collection[OrderNumber]) -> Iterator[tuple[VoucherClaim, Voucher | None]]:
    """Yield each claim of these orders, with its voucher if that is limited; all are locked."""
    orders = work.get_many(Order, numbers)
    ids = [claim_id(number, code) for number in numbers if number in orders for code in orders[number].vouchers]
    claims = work.get_many(VoucherClaim, ids)
    vouchers = work.get_many(Voucher, {claim.voucher for claim in claims.values() if claim.is_counted})
    for claim in claims.values():
        yield claim, vouchers.get(claim.voucher)
