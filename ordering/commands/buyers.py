"""Commands on buyers: registration, and changes of their profile, spend and discount."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import F, Sum

from integration.aggregates.unit_of_work import UnitOfWork, unit_of_work
from integration.domain.address import Address
from integration.domain.errors import Refused, Unacceptable
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.identifiers import buyer_of_user as buyer_of_user
from integration.domain.money import Money
from integration.domain.text import normalized
from ordering.events import OrderCancelled, OrderClaimed, OrderConfirmed, OrderRefunded
from ordering.models import CONFIRMED_STATES, Buyer, Order

IDENTIFIER = re.compile(r"[A-Z]-\d[\d-]*|erased \d+", re.IGNORECASE)
"""What identifiers of buyers, orders, invoices and so on look like, and the names of erased users."""


class UsernameTaken(Refused):
    """This username is taken."""


class LooksLikeAnIdentifier(Unacceptable):
    """A username must not look like an identifier of this shop, such as U-1 or R-1001."""


class WeakPassword(Unacceptable):
    """The password is too easy to guess."""


def register_customer(username: str, password: str, name: str, email: str) -> Buyer:
    """Create a user who can log in, and the buyer of that user. Username and password are normalized to NFKC.

    Returns:
        The new buyer.

    Raises:
        UsernameTaken: another user has the username.
        LooksLikeAnIdentifier: the username could be mistaken for a buyer or an order.
        WeakPassword: one of `AUTH_PASSWORD_VALIDATORS` rejects the password.
    """
    users = get_user_model().objects
    username, password = normalized(username), normalized(password)
    if IDENTIFIER.fullmatch(username):
        raise LooksLikeAnIdentifier(LooksLikeAnIdentifier.__doc__, pointer="/username")
    try:
        validate_password(password, get_user_model()(username=username, email=email, first_name=normalized(name)))
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), pointer="/password") from None
    hashed = make_password(password)  # slow by design, so hash before the transaction begins
    with unit_of_work() as work:
        if users.filter(username=username).exists():
            raise UsernameTaken(f"the username {username} is taken")
        user = users.create(username=username, email=users.normalize_email(email), password=hashed)
        buyer = Buyer.register(buyer_of_user(user.pk), user=user.pk, name=name, email=email)
        work.add(buyer)
    return buyer


def change_profile(
    buyer: BuyerId, changes: Mapping[str, Any], if_version: Collection[int] | None = None, *, user: int | None = None
) -> Buyer:
    """Change some of `name`, `email`, `default_shipping_address`, `locale` and `email_notifications`.

    Args:
        if_version: the versions of the buyer that the caller accepts; None accepts any. A buyer who is not registered
            yet is in version 0.
        user: the user whose profile it is, who is registered first if they are no buyer yet.

    Returns:
        The changed buyer.

    Raises:
        NotFound: there is no such buyer, and no `user`.
        StaleVersion: the buyer is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        found, is_new = work.find(Buyer, buyer), False
        if found is None and user is not None:
            found, is_new = _find_or_register(work, buyer, user)
        found = found or work.get(Buyer, buyer)
        (Buyer() if is_new else found).expect_version(if_version)
        address = found.default_shipping_address
        current = {
            "name": found.name,
            "email": found.email,
            "default_shipping_address": Address(**address) if address else None,
            "locale": found.locale,
            "email_notifications": found.email_notifications,
        }
        found.change_profile(**{**current, **changes})
    return found


def register_buyer_if_new(buyer: BuyerId, *, user: int | None = None) -> None:
    """Register a buyer; do nothing if they are registered.

    Args:
        user: the user who buys, whose name and e-mail address the buyer gets. None for a buyer without a user, who gets
            only an identifier.
    """
    with unit_of_work() as work:
        if not work.look_at(Buyer, [buyer]):
            _find_or_register(work, buyer, user)


def _find_or_register(work: UnitOfWork, buyer: BuyerId, user: int | None) -> tuple[Buyer, bool]:
    """Return the buyer, and whether they were registered just now."""
    name = email = ""
    if user is not None:
        # If a user places their first two orders at once, this lock serializes them: the second finds the buyer.
        account = get_user_model().objects.select_for_update(no_key=True).get(pk=user)
        if found := work.find(Buyer, buyer):
            return found, False
        name, email = account.get_full_name(), account.email
    registered = Buyer.register(buyer, user=user, name=name, email=email)
    work.add(registered)
    return registered, True


def user_of_buyer(buyer: BuyerId) -> int | None:
    """The primary key of the user who has this buyer ID; None if the ID does not belong to a user."""
    kind, _, number = buyer.partition("-")
    return int(number) if kind == "U" and number.isdecimal() else None


def change_spend(buyer: BuyerId, order: OrderNumber, change: Money) -> None:
    """Add `change` to the buyer's lifetime spend because of an order; negative for a refund or a cancellation.

    If the shop's currency has changed since, the spend starts anew with all that the buyer has spent in the new one.
    """
    with unit_of_work() as work:
        known = work.get(Buyer, buyer)
        if known.starts_in(change.currency):
            change = _spent(work, buyer, change.currency)
        known.change_spend(order, change)


def _spent(work: UnitOfWork, buyer: BuyerId, currency: str) -> Money:
    """What the buyer paid for confirmed orders in a currency, less refunds, up to the event that is dispatched."""
    confirmed = Order.objects.filter(buyer=buyer, currency=currency, status__in=CONFIRMED_STATES).order_by()
    stored = confirmed.aggregate(total=Sum(F("total_minor") - F("spend_refunded_minor"), default=0))["total"]
    changes = [(buyer, Money.of_minor(int(stored), currency))]
    for recorded in work.dispatched:  # the database does not have these yet
        match recorded.event:
            case OrderConfirmed(buyer=whose, paid=paid):
                changes.append((whose, paid))
            case OrderCancelled(buyer=whose) as cancelled:
                changes.append((whose, -cancelled.lowers_spend_by))
            case OrderRefunded(buyer=str(whose), spend=Money() as refunded):
                changes.append((BuyerId(whose), -refunded))
            case OrderClaimed(guest=guest, buyer=whose, spend=Money() as spend):
                changes += [(guest, -spend), (whose, spend)]
    return Money.sum((change for whose, change in changes if (whose, change.currency) == (buyer, currency)), currency)


def grant_discount(buyer: BuyerId, percent: int, reason: str) -> None:
    """Give the buyer a discount of `percent` % on every new order; 0 ends the discount."""
    with unit_of_work() as work:
        work.get(Buyer, buyer).grant_discount(percent, reason)
