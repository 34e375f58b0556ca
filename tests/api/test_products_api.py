"""Everybody can read products; staff of ordering can create and change them."""

from collections.abc import Callable
from typing import Any

import pytest
from api_calls import errors_of, kind_of

PRODUCTS = "/api/v1/products"
GLOBE = {"sku": "GLOBE-30", "name": "Globe", "description": "Turns.", "price": {"amount": "19.9", "currency": "USD"}}


def test_a_product_has_these_fields(anonymous: Any, shop: object) -> None:
    response = anonymous.get(f"{PRODUCTS}/MUG")

    assert response.status_code == 200
    assert response.json() == {
        "sku": "MUG",
        "name": "Mug",
        "description": "",
        "price": {"amount": "12.50", "currency": "USD"},
        "availability": "in_stock",
        "on_sale": True,
        "tax_class": "standard",
        "weight_g": 0,
        "withdrawal_exempt": False,
        "lowest_price_30d": None,
    }


def test_a_product_may_have_terms_of_its_own(operator: Any) -> None:
    terms = {"tax_class": "reduced", "weight_g": 250, "withdrawal_exempt": True}
    created = operator.post(PRODUCTS, {**GLOBE, **terms}).json()
    changed = operator.patch(f"{PRODUCTS}/GLOBE-30", {"weight_g": 300}).json()

    assert {name: created[name] for name in terms} == terms
    assert {name: changed[name] for name in terms} == {**terms, "weight_g": 300}


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"tax_class": "luxury"}, ("#/tax_class", "invalid_choice")),
        ({"tax_class": 1}, ("#/tax_class", "invalid")),
        ({"weight_g": -1}, ("#/weight_g", "min_value")),
        ({"weight_g": 10_000_001}, ("#/weight_g", "max_value")),
        ({"weight_g": "1"}, ("#/weight_g", "invalid")),
        ({"withdrawal_exempt": "yes"}, ("#/withdrawal_exempt", "invalid")),
    ],
)
def test_terms_that_make_no_sense_are_refused(operator: Any, terms: dict[str, Any], error: tuple[str, str]) -> None:
    assert errors_of(operator.post(PRODUCTS, {**GLOBE, **terms})) == {error}
    operator.post(PRODUCTS, GLOBE)
    assert errors_of(operator.patch(f"{PRODUCTS}/GLOBE-30", terms)) == {error}


def test_a_new_product_is_public(operator: Any, anonymous: Any) -> None:
    response = operator.post(PRODUCTS, GLOBE)
    found = anonymous.get(response.headers["Location"])

    assert response.status_code == 201
    assert response.headers["Location"] == f"http://testserver{PRODUCTS}/GLOBE-30"
    assert response.headers["ETag"] == found.headers["ETag"] == '"1"'
    assert response.json() == found.json()
    assert response.json()["price"] == {"amount": "19.90", "currency": "USD"}
    assert response.json()["availability"] == "out_of_stock"


def test_a_sku_is_listed_once(operator: Any) -> None:
    operator.post(PRODUCTS, GLOBE)
    again = operator.post(PRODUCTS, GLOBE)

    assert again.status_code == 409
    assert kind_of(again) == "sku_taken"


def test_a_price_change_does_not_affect_existing_orders(operator: Any, buyer: Any, system: Any) -> None:
    response = operator.patch(f"{PRODUCTS}/MUG", {"price": {"amount": "99.00", "currency": "USD"}})

    assert response.json()["price"]["amount"] == "99.00"
    assert buyer.get(f"/api/v1/orders/{system.order}").json()["lines"][0]["unit_price"]["amount"] == "12.50"


def test_a_product_that_is_not_on_sale_is_not_listed(operator: Any, anonymous: Any, shop: object) -> None:
    operator.patch(f"{PRODUCTS}/MUG", {"on_sale": False})

    assert "MUG" not in [product["sku"] for product in anonymous.get(PRODUCTS).json()["results"]]
    assert anonymous.get(f"{PRODUCTS}/MUG").json()["on_sale"] is False


def test_a_change_with_a_stale_etag_is_refused(operator: Any, shop: object) -> None:
    seen = operator.get(f"{PRODUCTS}/MUG").headers["ETag"]
    first = operator.patch(f"{PRODUCTS}/MUG", {"name": "Cup"}, headers={"If-Match": seen})
    second = operator.patch(f"{PRODUCTS}/MUG", {"name": "Jar"}, headers={"If-Match": seen})

    assert (first.status_code, second.status_code) == (200, 412)
    assert kind_of(second) == "stale_version"
    assert operator.get(f"{PRODUCTS}/MUG").json()["name"] == "Cup"


@pytest.mark.parametrize("tag", ['"999"', 'W/"1"', "1", '"x"', "", '"1', '"99999999999"'])
def test_an_unknown_etag_is_a_412(operator: Any, shop: object, tag: str) -> None:
    assert operator.patch(f"{PRODUCTS}/MUG", {"name": "Cup"}, headers={"If-Match": tag}).status_code == 412


@pytest.mark.parametrize("tags", ['"9","{}"', '"x", {}', '  "7" ,"8" , {} ', 'W/"1", {}'])
def test_one_matching_etag_of_several_is_enough(operator: Any, shop: object, tags: str) -> None:
    seen = operator.get(f"{PRODUCTS}/MUG").headers["ETag"]
    either = tags.replace('"{}"', seen).replace("{}", seen)
    assert operator.patch(f"{PRODUCTS}/MUG", {"name": "Cup"}, headers={"If-Match": either}).status_code == 200


def test_several_etags_without_a_match_are_a_412(operator: Any, shop: object) -> None:
    response = operator.patch(f"{PRODUCTS}/MUG", {"name": "Cup"}, headers={"If-Match": '"7", "8", W/"1"'})
    assert response.status_code == 412


def test_a_star_matches_any_existing_product(operator: Any, shop: object) -> None:
    assert operator.patch(f"{PRODUCTS}/MUG", {"name": "Cup"}, headers={"If-Match": "*"}).status_code == 200
    assert operator.patch(f"{PRODUCTS}/NONE", {"name": "Cup"}, headers={"If-Match": "*"}).status_code == 404


def test_an_unchanged_product_is_a_304(anonymous: Any, operator: Any, shop: object) -> None:
    known = {"If-None-Match": anonymous.get(f"{PRODUCTS}/MUG").headers["ETag"]}
    same = anonymous.get(f"{PRODUCTS}/MUG", headers=known)
    operator.patch(f"{PRODUCTS}/MUG", {"name": "Cup"})

    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["X-Correlation-Id"]
    assert anonymous.get(f"{PRODUCTS}/MUG", headers=known).status_code == 200


@pytest.mark.parametrize(
    ("query", "skus"),
    [
        ("", ["ATLAS", "LAMP", "MUG", "RELIC"]),
        ("search=mug", ["MUG"]),
        ("search=l a p", ["LAMP"]),
        ("search=%25", []),
        ("search=%20", ["ATLAS", "LAMP", "MUG", "RELIC"]),
        ("in_stock=true", ["ATLAS", "LAMP", "MUG"]),
        ("in_stock=True", ["ATLAS", "LAMP", "MUG"]),
        ("in_stock=false", ["RELIC"]),
        ("in_stock=true&search=a&ordering=-sku", ["LAMP", "ATLAS"]),
        ("ordering=-name", ["RELIC", "MUG", "LAMP", "ATLAS"]),
    ],
)
def test_products_are_found(anonymous: Any, shop: object, query: str, skus: list[str]) -> None:
    response = anonymous.get(f"{PRODUCTS}?{query}")

    assert response.status_code == 200
    assert list(response.json()) == ["next", "previous", "results"]
    assert [product["sku"] for product in response.json()["results"]] == skus


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"sku": "globe"}, ("#/sku", "invalid")),
        ({"sku": "G" * 41}, ("#/sku", "invalid")),
        ({"sku": 5}, ("#/sku", "invalid")),
        ({"name": " "}, ("#/name", "blank")),
        ({"name": True}, ("#/name", "invalid")),
        ({"description": "x" * 5001}, ("#/description", "max_length")),
        ({"price": "19.90"}, ("#/price", "invalid")),
        ({"price": {"amount": 19.9, "currency": "USD"}}, ("#/price/amount", "invalid")),
        ({"price": {"amount": "-1", "currency": "USD"}}, ("#/price/amount", "invalid")),
        ({"price": {"amount": "1e3", "currency": "USD"}}, ("#/price/amount", "invalid")),
        ({"price": {"amount": "NaN", "currency": "USD"}}, ("#/price/amount", "invalid")),
        ({"price": {"amount": "٣", "currency": "USD"}}, ("#/price/amount", "invalid")),
        ({"price": {"amount": "1.999", "currency": "USD"}}, ("#/price/amount", "not_money")),
        ({"price": {"amount": "1.5", "currency": "JPY"}}, ("#/price/amount", "not_money")),
        ({"price": {"amount": "1", "currency": "ZZZ"}}, ("#/price/currency", "unknown_currency")),
        ({"price": {"amount": "1", "currency": "usd"}}, ("#/price/currency", "unknown_currency")),
        ({"price": {"amount": "1", "currency": "XAU"}}, ("#/price/currency", "unknown_currency")),
        ({"price": {"amount": "1"}}, ("#/price/currency", "required")),
        ({"price": {"amount": "1", "currency": "USD", "cents": 0}}, ("#/price/cents", "unknown_field")),
        ({"price": {"amount": "1000000000.01", "currency": "USD"}}, ("#/price/amount", "price_out_of_bounds")),
        ({"availability": "in_stock"}, ("#/availability", "unknown_field")),
    ],
)
def test_an_invalid_product_is_refused(
    operator: Any, all_rows: Callable[[], object], change: dict[str, Any], error: tuple[str, str]
) -> None:
    before = all_rows()

    assert errors_of(operator.post(PRODUCTS, {**GLOBE, **change})) == {error}
    assert all_rows() == before


def test_an_unknown_product_cannot_be_read_or_changed(operator: Any, shop: object) -> None:
    for response in operator.get(f"{PRODUCTS}/NONE"), operator.patch(f"{PRODUCTS}/NONE", {}):
        assert response.status_code == 404
        assert kind_of(response) == "not_found"


def test_head_and_options_of_products_require_no_token(anonymous: Any, shop: object) -> None:
    assert anonymous.head(PRODUCTS).status_code == 200
    assert anonymous.options(PRODUCTS).status_code == 200
