"""A buyer places orders; their lifetime spend decides the discount on their next order."""

from collections.abc import Sequence
from typing import ClassVar, Self

import msgspec
from django.conf import settings
from django.db import models
from django.db.models import Q

from integration.aggregates.aggregate import Aggregate, applies
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.money import Money
from integration.storage.columns import CurrencyField, MinorUnitsField, money
from ordering import events


class Buyer(Aggregate):
    """A person or company that places orders, with or without a user account of this shop."""

    stream = "buyer"

    id = models.CharField(max_length=40, primary_key=True)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="buyer", db_constraint=True
    )
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    default_shipping_address = models.JSONField(null=True)
    locale = models.CharField(max_length=10, default="en")
    email_notifications = models.BooleanField(default=True)
    currency = CurrencyField()
    spend_minor = MinorUnitsField(default=0)
    spend = money("spend_minor")
    discount_percent = models.PositiveSmallIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(discount_percent__lte=100), name="discount_at_most_everything")
        ]

    def __str__(self) -> str:
        return f"buyer {self.id}"

    @classmethod
    def register(cls, buyer: BuyerId, *, user: int | None, name: str, email: str) -> Self:
        """A new buyer, who has spent nothing yet; `user` is the primary key of their user, if they have one."""
        registered = cls()
        registered.record(
            events.BuyerRegistered(buyer=buyer, user=user, name=name, email=email, currency=settings.SHOP_CURRENCY)
        )
        return registered

    def change_profile(
        self,
        *,
        name: str,
        email: str,
        default_shipping_address: Address | None,
        locale: str,
        email_notifications: bool,
    ) -> None:
        """Replace the whole profile; record nothing if it equals the current one."""
        changed = events.BuyerProfileChanged(
            name=name,
            email=email,
            default_shipping_address=default_shipping_address,
            locale=locale,
            email_notifications=email_notifications,
        )
        if changed != self._profile:
            self.record(changed)

    @property
    def _profile(self) -> events.BuyerProfileChanged:
        address = msgspec.convert(self.default_shipping_address, Address | None)
        return events.BuyerProfileChanged(
            name=self.name,
            email=self.email,
            default_shipping_address=address,
            locale=self.locale,
            email_notifications=self.email_notifications,
        )

    def starts_in(self, currency: str) -> bool:
        """Whether the spend moves to this currency: it is the shop's now, and the spend is in another."""
        return currency == settings.SHOP_CURRENCY != self.currency

    def change_spend(self, order: OrderNumber, change: Money) -> None:
        """Add `change` to the spend because of an order.

        Args:
            change: an amount in another currency is ignored. If the spend starts in that currency, it is the whole
                spend in it.
        """
        if change.currency == self.currency:
            spend = self.spend + change
        elif self.starts_in(change.currency):
            spend = change
        else:
            return
        self.record(events.BuyerSpendChanged(buyer=BuyerId(self.id), order=order, change=change, spend=spend))

    def grant_discount(self, percent: int, reason: str) -> None:
        """Give a discount of `percent` % on every new order; 0 ends the discount."""
        if percent != self.discount_percent:
            self.record(events.BuyerDiscountChanged(percent=percent, reason=reason))

    def erase(self, orders: Sequence[OrderNumber]) -> None:
        """Erase the profile, and record that these orders were anonymized; do nothing if there is nothing to erase."""
        if orders or self.name or self.email or self.default_shipping_address:
            self.record(events.BuyerErased(buyer=BuyerId(self.id), orders=tuple(orders)))

    @applies(events.BuyerRegistered)
    def _registered(self, event: events.BuyerRegistered) -> None:
        self.id, self.user_id, self.name, self.email = event.buyer, event.user, event.name, event.email
        self.currency = event.currency

    @applies(events.BuyerProfileChanged)
    def _profile_changed(self, event: events.BuyerProfileChanged) -> None:
        self.name, self.email, self.locale = event.name, event.email, event.locale
        self.email_notifications = event.email_notifications
        self.default_shipping_address = msgspec.to_builtins(event.default_shipping_address)

    @applies(events.BuyerErased)
    def _erased(self, event: events.BuyerErased) -> None:
        self.name, self.email, self.default_shipping_address = "", "", None

    @applies(events.BuyerSpendChanged)
    def _spend_changed(self, event: events.BuyerSpendChanged) -> None:
        self.currency, self.spend = event.spend.currency, event.spend

    @applies(events.BuyerDiscountChanged)
    def _discount_changed(self, event: events.BuyerDiscountChanged) -> None:
        self.discount_percent = event.percent
