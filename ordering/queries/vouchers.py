"""Queries on vouchers and their claims."""

from collections import Counter
from collections.abc import Sequence

from django.db.models import Count, Q, QuerySet

from integration.domain.errors import NotFound
from ordering.models import ClaimStatus, Voucher, VoucherClaim


def vouchers() -> QuerySet[Voucher]:
    """All vouchers."""
    return Voucher.objects.all()


def voucher(code: str) -> Voucher:
    """The voucher with this code; raises `NotFound`."""
    found = vouchers().filter(pk=code).first()
    if found is None:
        raise NotFound(f"there is no voucher {code}")
    return found


def uses_of(vouchers: Sequence[Voucher]) -> dict[str, tuple[int, int]]:
    """By code, how many orders hold and how many redeemed a voucher; at most one query.

    Limited vouchers count that themselves. For the others the claims are counted.
    """
    unlimited = [voucher.code for voucher in vouchers if not voucher.is_limited]
    found: Counter[tuple[str, str]] = Counter()
    if unlimited:
        claims = VoucherClaim.objects.filter(voucher__in=unlimited).filter(~Q(status=ClaimStatus.RELEASED))
        rows = claims.order_by().values_list("voucher", "status").annotate(n=Count("pk"))
        found.update({(code, status): n for code, status, n in rows})
    return {
        voucher.code: (voucher.held, voucher.redeemed)
        if voucher.is_limited
        else (found[voucher.code, ClaimStatus.HELD], found[voucher.code, ClaimStatus.REDEEMED])
        for voucher in vouchers
    }
