"""Products and buyers are found whatever the case, the accents and the Unicode form, in the API and in the admin."""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from rest_framework.test import APIClient

from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, PaymentMethodId, Sku
from integration.domain.money import Money
from ordering.commands import change_profile, list_products, place_order, register_buyer_if_new

NAMES = {"A": "Чашка синяя", "B": "Café crème", "C": "Große Tasse", "D": "100% cotton", "E": "Łyżka_do herbaty"}
FOUND = [
    ("чашка", "A"),
    ("ЧАШ СИНЯЯ", "A"),
    ("CAFE", "B"),
    (unicodedata.normalize("NFD", "Crème"), "B"),
    ("grosse", "C"),
    ("TASSE grosse", "C"),
    ("100%", "D"),
    ("lyzka", "E"),
    ("A_DO", "E"),
    ("1%0", ""),
    ("c_fe", ""),
    ("чашки", ""),
]


@pytest.fixture
def goods(db: None) -> None:
    list_products([(Sku(sku * 3), name, f"{name}.", Money("1", "USD")) for sku, name in NAMES.items()])


@pytest.mark.parametrize(("words", "sku"), FOUND)
def test_a_product_is_found_by_the_api(goods: None, words: str, sku: str) -> None:
    results = APIClient().get("/api/v1/products", {"search": words}).json()["results"]
    assert [product["sku"] for product in results] == ([sku * 3] if sku else [])


@pytest.mark.parametrize(("words", "sku"), FOUND)
def test_a_product_is_found_by_the_admin(goods: None, operator: Client, words: str, sku: str) -> None:
    page = operator.get("/admin/ordering/product/", {"q": words}).content.decode()
    assert re.findall(r"/admin/ordering/product/(\w+)/change", page) == ([sku * 3] if sku else [])


@pytest.mark.parametrize(("term", "found"), [("ЛЕВ", True), ("толстои", True), ("Толстой", True), ("толстый", False)])
def test_a_buyer_is_found_by_the_admin(db: None, operator: Client, term: str, found: bool) -> None:
    register_buyer_if_new(BuyerId("B-7"))
    change_profile(BuyerId("B-7"), {"name": "Лев Толстой", "email": "lev@example.com"})

    page = operator.get("/admin/ordering/buyer/", {"q": term}).content.decode()
    assert ("B-7" in page) == found


@pytest.fixture
def operator(db: None) -> Any:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("olga"))
    return client


@pytest.mark.parametrize("page", ["ordering/order", "fulfillment/shipment"])
@pytest.mark.parametrize(("term", "found"), [("толстои", True), ("ЛЕВ", True), ("толстый", False)])
def test_an_order_and_its_shipment_are_found_by_the_recipient(
    shop: object, operator: Client, drain: Callable[..., int], page: str, term: str, found: bool
) -> None:
    home = Address("Лев Толстой", "1 Row", "London", "W1A 1AA", "GB")
    place_order(BuyerId("B-7"), [(Sku("MUG"), 1)], home, PaymentMethodId("pm_card_visa"))
    drain()

    listed = operator.get(f"/admin/{page}/", {"q": term}).content.decode()
    assert bool(re.search(rf"/admin/{page}/\S+/change", listed)) == found
