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


def show_uses(vouchers: Sequence[Voucher]) -> dict[str, tuple[int, int]]:
    """Set `held` and `redeemed` of unlimited vouchers, which do not count that themselves, in at most one query.

    Returns:
        By code, how many orders hold the voucher, and how many redeemed it.
    """
    unlimited = [voucher.code for voucher in vouchers if not voucher.is_limited]
    found: Counter[tuple[str, str]] = Counter()
    if unlimited:
        claims = VoucherClaim.objects.filter(voucher__in=unlimited).filter(~Q(status=ClaimStatus.RELEASED))
        rows = claims.order_by().values_list("voucher", "status").annotate(n=Count("pk"))
        found.update({(code, status): n for code, status, n in rows})
    for voucher in vouchers:
        if not voucher.is_limited:
            voucher.held = found[voucher.code, ClaimStatus.HELD]
            voucher.redeemed = found[voucher.code, ClaimStatus.REDEEMED]
    return {voucher.code: (voucher.held, voucher.redeemed) for voucher in vouchers}
