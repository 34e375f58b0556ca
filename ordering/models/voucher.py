"""A voucher: what it takes off, for whom and when, and how many orders use it if their number is limited."""

from decimal import Decimal
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from integration.aggregates.aggregate import Aggregate, applies
from integration.domain.errors import Refused, Unacceptable
from integration.domain.identifiers import OrderNumber
from integration.domain.money import Money
from integration.storage.columns import CurrencyField, MinorUnitsField
from ordering import events
from ordering.events import VoucherTerms
from ordering.models.product import MAX_PRICE_MINOR
from ordering.models.rates import THOUSANDTHS
from ordering.pricing import Voucher as VoucherFacts
from ordering.pricing.asked import VoucherKind

MAX_CLAIMS = 1_000_000_000
"""The highest limit of a voucher."""


class InvalidValue(Unacceptable):
    """The value does not suit the kind: a percentage from 0.001 to 100, an amount above zero, or none."""


class MixedVoucherCurrencies(Unacceptable):
    """The value and the minimum of a voucher must be in one currency."""


class NoTimeSpan(Unacceptable):
    """A voucher must end after it begins."""


class LimitOutOfBounds(Unacceptable):
    """A limit must be a whole number from 1 to 1,000,000,000."""


class LimitStays(Refused):
    """A voucher that was created with a limit keeps one, and a voucher without a limit gets none.

    The uses of a voucher without a limit are not counted, so that its orders take no lock.
    """


class LimitBelowUse(Refused):
    """More orders use the voucher than this limit allows."""


class VoucherUsedUp(Refused):
    """The voucher is used up."""


class Voucher(Aggregate):
    """A code that reduces the price of an order.

    `held` and `redeemed` count the claims of a limited voucher. For an unlimited one they stay zero.
    """

    stream = "voucher"

    code = models.CharField(max_length=40, primary_key=True)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=16, choices=[(each.value, each.value) for each in VoucherKind])
    percent_thousandths = models.PositiveIntegerField(null=True)
    currency = CurrencyField()
    amount_minor = MinorUnitsField(null=True)
    minimum_minor = MinorUnitsField(null=True)
    valid_from = models.DateTimeField(null=True)
    valid_until = models.DateTimeField(null=True)
    limit = models.PositiveIntegerField(null=True)
    limit_per_buyer = models.PositiveIntegerField(null=True)
    exclusive = models.BooleanField(default=False)
    held = models.PositiveIntegerField(default=0)
    redeemed = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["code"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(limit__isnull=True) | Q(limit__gte=F("held") + F("redeemed")),
                name="voucher_claims_at_most_limit",
            )
        ]

    def __str__(self) -> str:
        return f"voucher {self.code}"

    @classmethod
    def create(cls, code: str, terms: VoucherTerms) -> Self:
        """A new voucher; raises as `check` does."""
        check(terms)
        voucher = cls()
        voucher.record(events.VoucherCreated(voucher=code, terms=terms))
        return voucher

    def change(self, terms: VoucherTerms) -> None:
        """Replace all terms for new orders; raises `LimitStays`, `LimitBelowUse`, and as `check` does."""
        check(terms)
        if terms == self.terms:
            return
        self.require(terms.is_limited == self.is_limited, LimitStays)
        self.require(terms.limit is None or terms.limit >= self.claims, LimitBelowUse)
        self.record(events.VoucherChanged(terms=terms))

    @property
    def terms(self) -> VoucherTerms:
        """The terms for new orders."""
        return VoucherTerms(
            name=self.name,
            kind=self.kind,
            percent=None if self.percent_thousandths is None else Decimal(self.percent_thousandths) / THOUSANDTHS,
            amount=self._money(self.amount_minor),
            minimum=self._money(self.minimum_minor),
            valid_from=self.valid_from,
            valid_until=self.valid_until,
            limit=self.limit,
            limit_per_buyer=self.limit_per_buyer,
            exclusive=self.exclusive,
        )

    @property
    def value(self) -> Decimal | Money | None:
        """How much the voucher takes off: a percentage, an amount, or None for the price of shipping."""
        return self.terms.percent or self.terms.amount

    @property
    def minimum(self) -> Money | None:
        """The lowest subtotal for which the voucher is valid."""
        return self._money(self.minimum_minor)

    @property
    def is_limited(self) -> bool:
        """Whether the number of orders that may use the voucher is limited, in all or per buyer."""
        return self.limit is not None or self.limit_per_buyer is not None

    @property
    def claims(self) -> int:
        """How many orders use the voucher, if it is limited."""
        return self.held + self.redeemed

    def facts(self, own_claims: int) -> VoucherFacts:
        """The voucher as it is priced, with the reason if its limits refuse another order.

        Args:
            own_claims: how many orders of this buyer use the voucher.
        """
        refusal = ""
        if self.limit is not None and self.claims >= self.limit:
            refusal = "it is used up"
        elif self.limit_per_buyer is not None and own_claims >= self.limit_per_buyer:
            refusal = f"this buyer can use it for {self.limit_per_buyer:,} orders at most"
        terms = self.terms
        return VoucherFacts(
            code=self.code,
            name=terms.name,
            kind=VoucherKind(terms.kind),
            percent=terms.percent or Decimal(0),
            amount=terms.amount,
            minimum=terms.minimum,
            valid_from=terms.valid_from,
            valid_until=terms.valid_until,
            exclusive=terms.exclusive,
            refusal=refusal,
        )

    def count_held(self, order: OrderNumber) -> None:
        """Count an order that was placed with the voucher; raises `VoucherUsedUp`."""
        self.require(self.limit is None or self.claims < self.limit, VoucherUsedUp)
        self._count(order, held=self.held + 1)

    def count_redeemed(self, order: OrderNumber) -> None:
        """Count an order with the voucher that was confirmed."""
        self._count(order, held=self.held - 1, redeemed=self.redeemed + 1)

    def count_released(self, order: OrderNumber, *, was_redeemed: bool) -> None:
        """Count no longer an order with the voucher, because it was cancelled."""
        if was_redeemed:
            self._count(order, redeemed=self.redeemed - 1)
        else:
            self._count(order, held=self.held - 1)

    def _count(self, order: OrderNumber, *, held: int | None = None, redeemed: int | None = None) -> None:
        held, redeemed = self.held if held is None else held, self.redeemed if redeemed is None else redeemed
        self.record(events.VoucherCounted(order=order, held=held, redeemed=redeemed))

    def _money(self, minor: int | None) -> Money | None:
        return None if minor is None else Money.of_minor(minor, self.currency)

    @applies(events.VoucherCreated)
    def _created(self, event: events.VoucherCreated) -> None:
        self.code = event.voucher
        self._set(event.terms)

    @applies(events.VoucherChanged)
    def _changed(self, event: events.VoucherChanged) -> None:
        self._set(event.terms)

    @applies(events.VoucherCounted)
    def _counted(self, event: events.VoucherCounted) -> None:
        self.held, self.redeemed = event.held, event.redeemed

    def _set(self, terms: VoucherTerms) -> None:
        given = [each.currency for each in (terms.amount, terms.minimum) if each is not None]
        self.currency = given[0] if given else settings.SHOP_CURRENCY
        self.name, self.kind, self.exclusive = terms.name, terms.kind, terms.exclusive
        self.percent_thousandths = None if terms.percent is None else int(terms.percent * THOUSANDTHS)
        self.amount_minor = terms.amount.minor if terms.amount is not None else None
        self.minimum_minor = terms.minimum.minor if terms.minimum is not None else None
        self.valid_from, self.valid_until = terms.valid_from, terms.valid_until
        self.limit, self.limit_per_buyer = terms.limit, terms.limit_per_buyer


def check(terms: VoucherTerms) -> None:
    """Raise an error for terms that contradict themselves or exceed a bound.

    Raises:
        InvalidValue: the value does not suit the kind.
        MixedVoucherCurrencies: the value and the minimum are in different currencies.
        NoTimeSpan: it ends before it begins.
        LimitOutOfBounds: a limit is not from 1 to `MAX_CLAIMS`.
    """
    suits = {
        VoucherKind.PERCENT: terms.amount is None and _is_percentage(terms.percent),
        VoucherKind.AMOUNT: terms.percent is None and _is_amount(terms.amount),
        VoucherKind.FREE_SHIPPING: terms.percent is None and terms.amount is None,
    }
    if not suits[VoucherKind(terms.kind)]:
        raise InvalidValue(pointer="/value")
    if terms.minimum is not None and not 0 <= terms.minimum.minor <= MAX_PRICE_MINOR:
        raise Unacceptable("a minimum must be from 0 to 100,000,000,000 minor units", pointer="/minimum/amount")
    if len({each.currency for each in (terms.amount, terms.minimum) if each is not None}) > 1:
        raise MixedVoucherCurrencies(pointer="/minimum/currency")
    if terms.valid_from and terms.valid_until and terms.valid_from >= terms.valid_until:
        raise NoTimeSpan(pointer="/valid_until")
    for name in ("limit", "limit_per_buyer"):
        if not 1 <= (getattr(terms, name) or 1) <= MAX_CLAIMS or getattr(terms, name) == 0:
            raise LimitOutOfBounds(pointer=f"/{name}")


def _is_percentage(percent: Decimal | None) -> bool:
    return percent is not None and 0 < percent <= 100 and percent * THOUSANDTHS == int(percent * THOUSANDTHS)


def _is_amount(amount: Money | None) -> bool:
    return amount is not None and 0 < amount.minor <= MAX_PRICE_MINOR
