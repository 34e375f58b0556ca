"""Commands on buyers: register them, change their profile, their spend and their discount."""

from collections.abc import Collection, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.address import Address
from integration.domain.errors import Refused, Unacceptable
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.domain.money import Money
from ordering.models import Buyer


class UsernameTaken(Refused):
    """There is a user of this name already."""


class WeakPassword(Unacceptable):
    """The password is too easy to guess."""


def register_customer(username: str, password: str, name: str, email: str) -> Buyer:
    """A user who can log in, and the buyer they are; raises `UsernameTaken`, `WeakPassword`."""
    users = get_user_model().objects
    username = get_user_model().normalize_username(username)
    try:
        validate_password(password)
    except ValidationError as error:
        raise WeakPassword(" ".join(error.messages), pointer="/password") from None
    hashed = make_password(password)  # takes its time, and so is done before anything is locked
    with unit_of_work() as work:
        if users.filter(username=username).exists():
            raise UsernameTaken(f"there is a user named {username} already")
        user = users.create(username=username, email=users.normalize_email(email), password=hashed)
        buyer = Buyer.register(buyer_of_user(user.pk), user=user.pk, name=name, email=email)
        work.add(buyer)
    return buyer


def change_profile(buyer: BuyerId, changes: Mapping[str, Any], if_version: Collection[int] | None = None) -> Buyer:
    """Change some of `name`, `email`, `default_shipping_address`, `locale` and `email_notifications`.

    Raises:
        NotFound: there is no such buyer.
        StaleVersion: the profile is in none of the versions in `if_version`.
    """
    with unit_of_work() as work:
        known = work.get(Buyer, buyer)
        known.expect_version(if_version)
        address = known.default_shipping_address
        now = {
            "name": known.name,
            "email": known.email,
            "default_shipping_address": Address(**address) if address else None,
            "locale": known.locale,
            "email_notifications": known.email_notifications,
        }
        known.change_profile(**{**now, **changes})
    return known


def register_buyer_if_new(buyer: BuyerId, *, user: int | None = None) -> None:
    """Know a buyer from now on: a user by their name and address, anyone else by nothing but their identifier."""
    with unit_of_work() as work:
        if work.look_at(Buyer, [buyer]):
            return
        name = email = ""
        if user is not None:
            # The lock makes two first orders of one user wait for each other; the second finds the buyer.
            account = get_user_model().objects.select_for_update(no_key=True).get(pk=user)
            if work.find(Buyer, buyer):
                return
            name, email = account.get_full_name(), account.email
        work.add(Buyer.register(buyer, user=user, name=name, email=email))


def buyer_of_user(user_id: int) -> BuyerId:
    """The identifier a user of this shop buys under."""
    return BuyerId(f"U-{user_id}")


def user_of_buyer(buyer: BuyerId) -> int | None:
    """The user who buys under this identifier, if it is one of this shop's."""
    kind, _, number = buyer.partition("-")
    return int(number) if kind == "U" and number.isdecimal() else None


def change_spend(buyer: BuyerId, order: OrderNumber, change: Money) -> None:
    """Count an order into what the buyer spent, or out of it again."""
    with unit_of_work() as work:
        work.get(Buyer, buyer).change_spend(order, change)


def grant_discount(buyer: BuyerId, percent: int, reason: str) -> None:
    """Let every new order of the buyer cost `percent` hundredths less; 0 ends it."""
    with unit_of_work() as work:
        work.get(Buyer, buyer).grant_discount(percent, reason)
