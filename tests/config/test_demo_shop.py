"""The demo shop is filled once: a second run of the command changes nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from config.shop.catalogue import CATALOGUE, DemoProduct
from config.shop.demo_shop import fill_demo_shop
from integration.domain.identifiers import Sku
from integration.domain.money import Money
from integration.messaging.models import Delivery, Status
from inventory.commands import receive_stock
from inventory.models import StockItem
from ordering.commands import change_product
from ordering.models import Availability, Buyer, Product

Statements = Callable[[], AbstractContextManager[list[str]]]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def embedded(settings: Any) -> None:
    settings.EMBEDDED = True


def fill(**options: Any) -> str:
    output = StringIO()
    call_command("demo_shop", stdout=output, **options)
    return output.getvalue()


def row_counts() -> dict[str, int]:
    """The number of rows of each table."""
    ours = ("ordering", "inventory", "billing", "fulfillment", "integration", "auth")
    return {model._meta.label: model.objects.count() for model in apps.get_models() if model._meta.app_label in ours}


class TestGoods:
    def test_the_whole_catalogue_is_listed_and_stocked(self) -> None:
        fill()

        assert {(product.sku, product.price) for product in Product.objects.all()} == {
            (ware.sku, Money(ware.price, "USD")) for ware in CATALOGUE
        }
        assert dict(StockItem.objects.values_list("sku", "on_hand")) == {
            ware.sku: ware.opening_stock for ware in CATALOGUE
        }

    def test_products_show_at_once_whether_they_are_in_stock(self) -> None:
        fill()

        shown = dict(Product.objects.values_list("sku", "availability"))
        assert shown["MUG-ENAMEL-BLUE"] == Availability.IN_STOCK
        assert shown["UMBRELLA-CHERRY"] == Availability.OUT_OF_STOCK
        assert set(Delivery.objects.values_list("status", flat=True)) == {Status.DONE}

    def test_the_number_of_statements_does_not_grow_with_the_goods(
        self, statements: Statements, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def needed(goods: tuple[DemoProduct, ...]) -> int:
            monkeypatch.setattr("config.shop.demo_shop.CATALOGUE", goods)
            monkeypatch.setattr("config.shop.opening.carry_on", lambda stories, timeout: None)
            with statements() as seen:
                fill_demo_shop()
            return len(seen)

        assert needed(CATALOGUE[:2]) == needed(CATALOGUE[2:])


class TestRunAgain:
    def test_changes_nothing(self) -> None:
        first = fill()
        before = row_counts()

        second = fill()

        assert row_counts() == before
        assert "New products in the demo shop: 42" in first
        assert "New shipping options in the demo shop: 2" in first
        assert "New vouchers in the demo shop: WELCOME10" in first
        assert "buyer, operator" in first
        assert "nothing was changed" in second

    def test_leaves_later_changes_alone(self) -> None:
        fill()
        receive_stock(Sku("MUG-ENAMEL-BLUE"), 5)
        change_product(Sku("MUG-ENAMEL-BLUE"), {"price": Money(Decimal(3), "EUR"), "on_sale": False})
        get_user_model().objects.get(username="operator").groups.clear()

        fill()

        mug = Product.objects.get(pk="MUG-ENAMEL-BLUE")
        assert (mug.price, mug.on_sale) == (Money(Decimal(3), "EUR"), False)
        assert StockItem.objects.get(pk="MUG-ENAMEL-BLUE").on_hand == 405
        assert not get_user_model().objects.get(username="operator").groups.exists()

    def test_adds_only_what_is_new(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("config.shop.demo_shop.CATALOGUE", CATALOGUE[:5])
        fill()
        monkeypatch.undo()

        assert f"New products in the demo shop: {len(CATALOGUE) - 5}" in fill()
        assert StockItem.objects.get(pk=CATALOGUE[0].sku).on_hand == CATALOGUE[0].opening_stock


class TestPeople:
    def test_the_operator_is_staff_of_every_context_and_no_superuser(self) -> None:
        fill()

        operator: Any = authenticate(username="operator", password="operator")
        assert (operator.is_staff, operator.is_superuser) == (True, False)
        groups = set(operator.groups.values_list("name", flat=True))
        assert groups == {*settings.CONTEXTS, "integration"}
        for permission in ("ordering.change_order", "inventory.change_stockitem", "fulfillment.change_shipment"):
            assert operator.has_perm(permission)

    def test_the_operator_is_made_before_the_groups_exist(self) -> None:
        Group.objects.all().delete()

        fill()

        operator = get_user_model().objects.get(username="operator")
        assert set(operator.groups.values_list("name", flat=True)) == set(settings.CONTEXTS)

    def test_the_operator_sees_a_context_that_is_added_later(self, settings: Any) -> None:
        fill()
        settings.CONTEXTS = [*settings.CONTEXTS, "customs"]

        Group.objects.get_or_create(name="customs")
        Group.objects.get_or_create(name="accountants")

        names = set(get_user_model().objects.get(username="operator").groups.values_list("name", flat=True))
        assert names == {*settings.CONTEXTS, "integration"}

    def test_an_operator_who_was_taken_out_of_all_contexts_sees_no_new_one(self, settings: Any) -> None:
        fill()
        get_user_model().objects.get(username="operator").groups.clear()
        settings.CONTEXTS = [*settings.CONTEXTS, "customs"]

        Group.objects.create(name="customs")

        assert not get_user_model().objects.get(username="operator").groups.exists()

    def test_the_buyer_is_a_customer_and_nothing_else(self) -> None:
        fill()

        user: Any = authenticate(username="buyer", password="buyer")
        assert (user.is_staff, user.is_superuser, user.groups.count()) == (False, False, 0)
        assert Buyer.objects.get(user=user).pk == f"U-{user.pk}"


class TestOnAServer:
    @pytest.fixture(autouse=True)
    def server(self, settings: Any, embedded: None) -> None:
        settings.EMBEDDED = False

    def test_no_user_with_a_public_password_is_made(self) -> None:
        with pytest.raises(CommandError, match="--force"):
            fill()

        assert not get_user_model().objects.exists()
        assert not Product.objects.exists()

    def test_such_users_are_made_with_force(self) -> None:
        fill(force=True)

        assert authenticate(username="operator", password="operator")
        assert "nothing was changed" in fill()

    def test_a_user_named_operator_sees_no_context_that_is_added_later(self, settings: Any) -> None:
        fill(force=True)
        settings.CONTEXTS = [*settings.CONTEXTS, "customs"]

        Group.objects.create(name="customs")

        assert not get_user_model().objects.filter(groups__name="customs").exists()
