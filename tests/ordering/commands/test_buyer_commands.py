"""Commands on buyers: registration, and changes of the profile."""

from collections.abc import Callable

import pytest
from django.contrib.auth import get_user_model
from pytest_django import Settings

from integration.domain.address import Address
from integration.domain.errors import StaleVersion
from integration.domain.identifiers import BuyerId
from integration.domain.money import Money
from ordering import commands, queries
from ordering.commands import UsernameTaken, WeakPassword
from ordering.models import Buyer, Order

pytestmark = pytest.mark.django_db


def test_a_customer_registers_and_can_log_in() -> None:
    buyer = commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")

    user = get_user_model().objects.get()
    assert buyer.id == f"U-{user.pk}"
    assert (user.username, user.email) == ("ada", "ada@example.org")
    assert user.check_password("correct horse battery")
    assert Buyer.objects.get().user_id == user.pk


def test_a_username_can_be_taken_only_once() -> None:
    commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")

    with pytest.raises(UsernameTaken):
        commands.register_customer("ada", "another horse battery", "Ada", "other@example.org")

    assert Buyer.objects.count() == get_user_model().objects.count() == 1


def test_a_weak_password_is_refused(settings: Settings) -> None:
    settings.AUTH_PASSWORD_VALIDATORS = [
        {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    ]
    with pytest.raises(WeakPassword) as refusal:
        commands.register_customer("ada", "short", "Ada", "ada@example.org")

    assert refusal.value.pointer == "/password"
    assert not get_user_model().objects.exists()


def test_a_buyer_changes_some_of_their_profile(address: Address) -> None:
    buyer = commands.register_customer("ada", "correct horse battery", "Ada", "ada@example.org")
    commands.change_profile(BuyerId(buyer.id), {"default_shipping_address": address})
    commands.change_profile(BuyerId(buyer.id), {"locale": "de"}, if_version={2})

    known = queries.buyer(BuyerId(buyer.id))
    assert (known.name, known.email, known.locale) == ("Ada", "ada@example.org", "de")
    assert Address(**known.default_shipping_address) == address
    with pytest.raises(StaleVersion):
        commands.change_profile(BuyerId(buyer.id), {"locale": "fr"}, if_version={2})


def test_a_first_order_registers_the_buyer(place: Callable[..., Order]) -> None:
    place(buyer="B-7")
    place(buyer="B-7")

    assert [(buyer.id, buyer.user_id, buyer.spend) for buyer in Buyer.objects.all()] == [
        ("B-7", None, Money.zero("USD"))
    ]


def test_the_first_order_of_a_user_registers_the_buyer_with_name_and_email(place: Callable[..., Order]) -> None:
    user = get_user_model().objects.create_user("ada", "ada@example.org", "x", first_name="Ada", last_name="Lovelace")

    place(buyer=f"U-{user.pk}")

    buyer = Buyer.objects.get()
    assert (buyer.user_id, buyer.name, buyer.email) == (user.pk, "Ada Lovelace", "ada@example.org")
