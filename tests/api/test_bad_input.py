"""Every invalid request gets a problem document that says what is wrong, and changes nothing."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from api_calls import Call, errors_of, kind_of, problem_of
from django.db import OperationalError
from django.test import Client as DjangoClient

from fulfillment.models import Shipment
from ordering.models import Order

ORDERS = "/api/v1/orders"
LINE = {"sku": "MUG", "quantity": 1}
HUGE = 10**30


def lines(*quantities: Any) -> dict[str, Any]:
    return {"lines": [{"sku": "MUG", "quantity": quantity} for quantity in quantities]}


def address(**change: Any) -> dict[str, Any]:
    home = {"recipient": "Ada", "street": "1 Row", "city": "London", "postal_code": "W1", "country": "GB"}
    return {"shipping_address": {key: value for key, value in {**home, **change}.items() if value is not ...}}


QUANTITY = "#/lines/0/quantity"

NOT_AN_ORDER = {
    "unknown sku": ({"lines": [LINE, {"sku": "NONE", "quantity": 1}]}, ("#/lines/1/sku", "unknown_sku")),
    "sku in small letters": ({"lines": [{"sku": "mug", "quantity": 1}]}, ("#/lines/0/sku", "invalid")),
    "sku with a lone surrogate": (
        {"lines": [{"sku": "\ud800", "quantity": 1}]},
        ("#/lines/0/sku", "surrogate_characters_not_allowed"),
    ),
    "sku with a NUL": ({"lines": [{"sku": "A\0", "quantity": 1}]}, ("#/lines/0/sku", "null_characters_not_allowed")),
    "sku is a number": ({"lines": [{"sku": 5, "quantity": 1}]}, ("#/lines/0/sku", "invalid")),
    "no sku": ({"lines": [{"quantity": 1}]}, ("#/lines/0/sku", "required")),
    "quantity 0": (lines(0), (QUANTITY, "min_value")),
    "quantity -1": (lines(-1), (QUANTITY, "min_value")),
    "quantity 1e9": (lines(10**9), (QUANTITY, "max_value")),
    "quantity 1e9, as a float": (lines(1e9), (QUANTITY, "invalid")),
    "quantity 100,001": (lines(100_001), (QUANTITY, "max_value")),
    "quantity 2.5": (lines(2.5), (QUANTITY, "invalid")),
    "quantity 2.0": (lines(2.0), (QUANTITY, "invalid")),
    "quantity two": (lines("two"), (QUANTITY, "invalid")),
    "quantity '2'": (lines("2"), (QUANTITY, "invalid")),
    "quantity true": (lines(True), (QUANTITY, "invalid")),
    "quantity huge": (lines(HUGE), (QUANTITY, "max_value")),
    "quantity null": (lines(None), (QUANTITY, "null")),
    "quantity a list": (lines([1]), (QUANTITY, "invalid")),
    "no quantity": ({"lines": [{"sku": "MUG"}]}, (QUANTITY, "required")),
    "added up to 100,001": (lines(100_000, 1), ("#/lines/1/quantity", "quantity_out_of_bounds")),
    "2,001 lines": (lines(*[1] * 2_001), ("#/lines", "max_length")),
    "no lines": ({"lines": []}, ("#/lines", "empty")),
    "lines missing": ({"lines": ...}, ("#/lines", "required")),
    "lines null": ({"lines": None}, ("#/lines", "null")),
    "lines an object": ({"lines": LINE}, ("#/lines", "not_a_list")),
    "a line that is not an object": ({"lines": ["MUG"]}, ("#/lines/0", "invalid")),
    "lines nested in lists": ({"lines": [[[LINE]]]}, ("#/lines/0", "invalid")),
    "no address": ({"shipping_address": ...}, ("#/shipping_address", "required")),
    "address null": ({"shipping_address": None}, ("#/shipping_address", "null")),
    "address a string": ({"shipping_address": "at home"}, ("#/shipping_address", "invalid")),
    "country XX": (address(country="XX"), ("#/shipping_address/country", "unknown_country")),
    "country in small letters": (address(country="gb"), ("#/shipping_address/country", "unknown_country")),
    "country by name": (address(country="Germany"), ("#/shipping_address/country", "unknown_country")),
    "no country": (address(country=...), ("#/shipping_address/country", "required")),
    "no city": (address(city=...), ("#/shipping_address/city", "required")),
    "no postal code": (address(postal_code=...), ("#/shipping_address/postal_code", "required")),
    "blank postal code": (address(postal_code=""), ("#/shipping_address/postal_code", "blank")),
    "no city in Hong Kong": (
        address(country="HK", city=..., postal_code=...),
        ("#/shipping_address/city", "required"),
    ),
    "no postal code in Singapore": (
        address(country="SG", city=..., postal_code=...),
        ("#/shipping_address/postal_code", "required"),
    ),
    "blank city": (address(city=" \t"), ("#/shipping_address/city", "blank")),
    "overlong street": (address(street="x" * 201), ("#/shipping_address/street", "max_length")),
    "NUL in a street": (address(street="a\0b"), ("#/shipping_address/street", "null_characters_not_allowed")),
    "unknown payment method": ({"payment_method": "pm_none"}, ("#/payment_method", "unknown_payment_method")),
    "foreign payment method": ({"payment_method": "pm_1PqRsT"}, ("#/payment_method", "unknown_payment_method")),
    "no payment method": ({"payment_method": ...}, ("#/payment_method", "payment_method_missing")),
    "card number": ({"payment_method": "4242424242424242"}, ("#/payment_method", "unknown_payment_method")),
    "price": ({"price": 1}, ("#/price", "unknown_field")),
    "price in a line": ({"lines": [{**LINE, "price": 1}]}, ("#/lines/0/price", "unknown_field")),
    "price in the address": (address(price=1), ("#/shipping_address/price", "unknown_field")),
    "status": ({"status": "delivered"}, ("#/status", "unknown_field")),
    "total": ({"total": {"amount": "0.01", "currency": "USD"}}, ("#/total", "unknown_field")),
    "buyer": ({"buyer": "U-1"}, ("#/buyer", "unknown_field")),
    "a field with a lone surrogate": ({"\ud800": 1}, ("#/%3F", "unknown_field")),
    "a field with a NUL": ({"a\0b": 1}, ("#/a%00b", "unknown_field")),
    "a field with marks": ({"a/b~c d": 1}, ("#/a~1b~0c%20d", "unknown_field")),
    "the empty field": ({"": 1}, ("#/", "unknown_field")),
}


@pytest.mark.parametrize(("change", "error"), NOT_AN_ORDER.values(), ids=NOT_AN_ORDER)
@pytest.mark.parametrize("key", [None, "my-key"], ids=["once", "with a key"])
def test_an_invalid_order_is_refused(
    buyer: Any,
    shop: object,
    order_body: dict[str, Any],
    all_rows: Callable[[], object],
    change: dict[str, Any],
    error: tuple[str, str],
    key: str | None,
) -> None:
    body = {field: value for field, value in {**order_body, **change}.items() if value is not ...}
    before = all_rows()
    response = buyer.call(Call("POST", "orders", body, headers={"Idempotency-Key": key} if key else {}))

    assert error in errors_of(response)
    assert len(errors_of(response)) <= 2
    assert problem_of(response)["detail"].startswith(("#", error[0]))
    assert all_rows() == before


def text_of(body: dict[str, Any], quantity: str) -> bytes:
    return json.dumps(body).replace('"quantity": 2', f'"quantity": {quantity}').encode()


NOT_JSON: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "half of it": lambda body: json.dumps(body).encode()[:-5],
    "two of it": lambda body: json.dumps(body).encode() * 2,
    "Python's": lambda body: repr(body).encode(),
    "a comma too many": lambda body: json.dumps(body).encode()[:-1] + b",}",
    "NaN": lambda body: text_of(body, "NaN"),
    "Infinity": lambda body: text_of(body, "-Infinity"),
    "5,000 digits": lambda body: text_of(body, "9" * 5_000),
    "nested 100,000 deep": lambda body: b"[" * 100_000,
    "nested 100,000 deep, in objects": lambda body: b'{"a":' * 100_000,
    "invalid UTF-8": lambda body: json.dumps(body).encode().replace(b"Ada", b"\xff\xfe"),
    "UTF-16": lambda body: json.dumps(body).encode("utf-16"),
    "a byte order mark": lambda body: json.dumps(body).encode("utf-8-sig"),
    "a NUL": lambda body: json.dumps(body).replace("Ada", "\0").encode(),
    "only blanks": lambda body: b"  \n",
}


@pytest.mark.parametrize("garbled", NOT_JSON.values(), ids=NOT_JSON)
def test_a_body_that_is_not_json_is_refused(
    buyer: Any, shop: object, order_body: dict[str, Any], all_rows: Callable[[], object], garbled: Any
) -> None:
    before = all_rows()
    response = buyer.call(Call("POST", "orders", garbled(order_body)))

    assert response.status_code == 400
    assert kind_of(response) == "parse_error"
    assert len(problem_of(response)["detail"]) < 200
    assert all_rows() == before


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"[]", ("#", "invalid")),
        (b"null", ("#", "null")),
        (b'"an order"', ("#", "invalid")),
        (b"7", ("#", "invalid")),
        (b"", ("#/lines", "required")),
        (b"{}", ("#/lines", "required")),
    ],
)
def test_json_that_is_not_an_object_is_refused(
    buyer: Any, shop: object, all_rows: Callable[[], object], body: bytes, error: tuple[str, str]
) -> None:
    before = all_rows()

    assert error in errors_of(buyer.call(Call("POST", "orders", body)))
    assert all_rows() == before


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "application/merge-patch+json",
        "json",
    ],
)
def test_a_content_type_other_than_json_is_refused(
    buyer: Any, shop: object, order_body: dict[str, Any], all_rows: Callable[[], object], content_type: str
) -> None:
    before = all_rows()
    response = buyer.generic("POST", ORDERS, json.dumps(order_body), content_type)

    assert response.status_code == 415
    assert kind_of(response) == "unsupported_media_type"
    assert all_rows() == before


@pytest.mark.parametrize(
    ("country", "lacks"), [("HK", "postal_code"), ("SG", "city"), ("AE", "postal_code"), ("MO", "city")]
)
@pytest.mark.parametrize("blank", [True, False])
def test_an_address_needs_no_part_that_its_country_does_not_have(
    buyer: Any, shop: object, order_body: dict[str, Any], country: str, lacks: str, blank: bool, drain: Any
) -> None:
    order_body["shipping_address"] |= {"country": country, lacks: ""}
    if not blank:
        del order_body["shipping_address"][lacks]
    response = buyer.post(ORDERS, order_body)
    drain()

    assert response.status_code == 201
    order = buyer.get(f"{ORDERS}/{response.json()['number']}").json()
    assert order["shipping_address"][lacks] == ""
    assert order["status"] == "confirmed"
    assert Shipment.objects.get().recipient[lacks] == ""
    profile = buyer.patch("/api/v1/me", {"default_shipping_address": order_body["shipping_address"]})
    assert profile.json()["default_shipping_address"]["country"] == country


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "latin-1", "nonsense"])
def test_json_is_utf_8_regardless_of_the_charset_parameter(
    buyer: Any, shop: object, order_body: dict[str, Any], charset: str
) -> None:
    order_body["shipping_address"]["recipient"] = "Zoë Łukasz 李"
    raw = json.dumps(order_body, ensure_ascii=False).encode()
    response = buyer.generic("POST", ORDERS, raw, f"application/json; charset={charset}")

    assert response.status_code == 201
    assert response.json()["shipping_address"]["recipient"] == "Zoë Łukasz 李"


@pytest.mark.parametrize("charset", ["zlib", "hex", "undefined", "\xff"])
def test_an_unknown_charset_does_not_cause_a_500(buyer: Any, shop: object, order_body: Any, charset: str) -> None:
    response = buyer.generic("POST", ORDERS, json.dumps(order_body), f"application/json; charset={charset}")

    assert response.status_code in (201, 400)


@pytest.mark.parametrize("key", [None, "k"])
def test_a_body_that_is_too_large_is_refused(
    buyer: Any, shop: object, order_body: dict[str, Any], all_rows: Callable[[], object], key: str | None
) -> None:
    before = all_rows()
    body = {**order_body, "payment_method": "x" * 2_700_000}
    response = buyer.call(Call("POST", "orders", body, headers={"Idempotency-Key": key} if key else {}))

    assert response.status_code == 413
    assert kind_of(response) == "too_large"
    assert all_rows() == before


def test_an_order_may_have_the_maximum_number_of_lines_and_pieces(
    buyer: Any, shop: object, order_body: dict[str, Any]
) -> None:
    """2,000 lines with the same SKU add up to its maximum quantity."""
    order_body["lines"] = [{"sku": "MUG", "quantity": 50}] * 2_000
    response = buyer.post(ORDERS, order_body)

    assert response.status_code == 201
    assert response.json()["lines"][0]["quantity"] == 100_000


def test_the_number_of_listed_errors_is_limited(buyer: Any, shop: object) -> None:
    fields = buyer.post(ORDERS, {f"f{i}": 0 for i in range(50_000)})
    lines = buyer.post(ORDERS, {"lines": [{"a": 1, "b": 2}] * 2_000})

    assert len(errors_of(fields)) == 20 + 2
    assert len(errors_of(lines)) == 2_000
    assert "And 8000 more" in problem_of(lines)["detail"]


# --- Query, path and method ---

BAD_QUERIES = {
    "orders?page_size=0": ("#/page_size", "invalid"),
    "orders?page_size=201": ("#/page_size", "invalid"),
    "orders?page_size=-1": ("#/page_size", "invalid"),
    "orders?page_size=": ("#/page_size", "invalid"),
    "orders?page_size=ten": ("#/page_size", "invalid"),
    "orders?page_size=%D9%A3": ("#/page_size", "invalid"),
    "orders?page_size=0001239999": ("#/page_size", "invalid"),
    "orders?ordering=total": ("#/ordering", "invalid"),
    "orders?ordering=buyer__user__password": ("#/ordering", "invalid"),
    "orders?ordering=%00": ("#/ordering", "invalid"),
    "orders?cursor=": ("#/cursor", "invalid"),
    "orders?cursor=x": ("#/cursor", "invalid"),
    "orders?cursor=%00": ("#/cursor", "invalid"),
    "orders?cursor=%FF": ("#/cursor", "invalid"),
    "orders?cursor=cD1hJnI9MA==": ("#/cursor", "invalid"),
    "orders?cursor=a:b:c": ("#/cursor", "invalid"),
    "orders?status=lost": ("#/status", "invalid_choice"),
    "orders?status=%00": ("#/status", "invalid_choice"),
    "orders?placed_after=yesterday": ("#/placed_after", "invalid"),
    "orders?placed_after=2026-02-30": ("#/placed_after", "invalid"),
    "orders?placed_after=0001-01-01T00:00:00%2B23:59": ("#/placed_after", "invalid"),
    "orders?placed_before=9999-12-31T23:59:59-23:59": ("#/placed_before", "invalid"),
    "orders?placed_before=%00": ("#/placed_before", "invalid"),
    "orders?buyer=%00": ("#/buyer", "null_characters_not_allowed"),
    "products?in_stock=maybe": ("#/in_stock", "invalid"),
    "products?in_stock=1": ("#/in_stock", "invalid"),
    "products?search=%00": ("#/search", "null_characters_not_allowed"),
    f"products?search={'a%20' * 300}": ("#/search", "max_length"),
    "products?ordering=price_minor": ("#/ordering", "invalid"),
    "stock?low=yes": ("#/low", "invalid"),
    "stock?ordering=on_hand&cursor=cD1hYmM=": ("#/cursor", "invalid"),
    "shipments?status=returned": ("#/status", "invalid_choice"),
    "shipments?order=%00": ("#/order", "null_characters_not_allowed"),
    "products?format=xml": ("#/format", "unknown_parameter"),
    "orders?statsu=pending": ("#/statsu", "unknown_parameter"),
    "products/MUG?page_size=2": ("#/page_size", "unknown_parameter"),
    "me?name=Ada": ("#/name", "unknown_parameter"),
}


@pytest.mark.parametrize(("query", "error"), BAD_QUERIES.items(), ids=[query[:50] for query in BAD_QUERIES])
def test_an_invalid_query_parameter_is_an_error(
    operator: Any, shop: object, query: str, error: tuple[str, str]
) -> None:
    assert errors_of(operator.get(f"/api/v1/{query}")) == {error}


def test_a_cursor_is_valid_for_one_list_and_ordering_only(operator: Any, shop: object) -> None:
    cursor = operator.get("/api/v1/stock?page_size=1").json()["next"].partition("cursor=")[2].partition("&")[0]

    assert operator.get(f"/api/v1/stock?cursor={cursor}").status_code == 200
    for other in f"stock?ordering=-sku&cursor={cursor}", f"products?cursor={cursor}", f"stock?cursor={cursor[:-1]}":
        assert errors_of(operator.get(f"/api/v1/{other}")) == {("#/cursor", "invalid")}


@pytest.mark.parametrize(
    "path",
    [
        "products/%00",
        "products/MUG%00",
        "products/mug",
        "products/M%FF",
        "products/MUG%0A",
        "products/" + "A" * 41,
        "products/..%2Forders",
        "orders/%00",
        "orders/R-1%00",
        "orders/1",
        "orders/R-" + "9" * 19,
        "orders/R-1001/timeline/x",
        "orders/R-%D9%A3",
        "stock/%00",
        "shipments/S-1-1'--",
        "nothing",
        "",
        "%00",
        "%FF%FE",
        "a" * 5_000,
    ],
)
def test_an_unknown_path_is_a_404(operator: Any, shop: object, path: str) -> None:
    for response in operator.get(f"/api/v1/{path}"), operator.post(f"/api/v1/{path}", {}):
        assert response.status_code == 404
        assert kind_of(response) == "not_found"
        assert response.headers["X-Correlation-Id"]


def test_an_id_that_is_out_of_range_is_not_found(operator: Any, shop: object) -> None:
    huge = "9" * 30
    responses = [operator.get(f"/api/v1/deliveries/{huge}"), operator.post(f"/api/v1/deliveries/{huge}/replay", {})]

    assert [response.status_code for response in responses] == [404, 404]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "orders", "GET, POST, HEAD, OPTIONS"),
        ("PUT", "orders", "GET, POST, HEAD, OPTIONS"),
        ("PATCH", "orders/R-1001", "GET, HEAD, OPTIONS"),
        ("GET", "orders/R-1001/cancel", "POST, OPTIONS"),
        ("DELETE", "products/MUG", "GET, PATCH, HEAD, OPTIONS"),
        ("POST", "me", "GET, PATCH, HEAD, OPTIONS"),
        ("TRACE", "stock", "GET, HEAD, OPTIONS"),
        ("BREW", "stock", "GET, HEAD, OPTIONS"),
    ],
)
def test_an_unsupported_method_is_a_405(operator: Any, shop: object, method: str, path: str, allowed: str) -> None:
    response = operator.generic(method, f"/api/v1/{path}")

    assert response.status_code == 405
    assert kind_of(response) == "method_not_allowed"
    assert response.headers["Allow"] == allowed


@pytest.mark.parametrize("path", ["me", "orders", "products", "stock", "stock/MUG/receipts", "orders/R-1/cancel"])
def test_every_path_responds_to_options(operator: Any, shop: object, path: str) -> None:
    assert operator.options(f"/api/v1/{path}").status_code == 200


@pytest.mark.parametrize("accept", ["text/html", "application/problem+json", "application/json; version=2", "*/*", "x"])
def test_the_response_is_json_regardless_of_accept(anonymous: Any, shop: object, accept: str) -> None:
    response = anonymous.get("/api/v1/products", headers={"Accept": accept})

    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"


# --- Missing rights ---


def test_an_order_without_a_token_is_refused(
    anonymous: Any, shop: object, order_body: dict[str, Any], all_rows: Callable[[], object]
) -> None:
    before = all_rows()
    response = anonymous.post(ORDERS, order_body)

    assert (response.status_code, kind_of(response)) == (401, "not_authenticated")
    assert all_rows() == before


def test_the_order_of_another_buyer_is_not_found(stranger: Any, system: Any, all_rows: Callable[[], object]) -> None:
    before = all_rows()
    responses = [
        stranger.get(f"{ORDERS}/{system.order}"),
        stranger.get(f"{ORDERS}/{system.order}/timeline"),
        stranger.post(f"{ORDERS}/{system.order}/cancel", {}),
    ]
    nowhere = stranger.get(f"{ORDERS}/R-999999")

    assert {(response.status_code, kind_of(response)) for response in responses} == {(404, "not_found")}
    assert problem_of(responses[0])["detail"].replace(system.order, "R-999999") == problem_of(nowhere)["detail"]
    assert all_rows() == before


# --- Server errors ---


def test_a_500_does_not_reveal_the_exception(
    buyer: Any, system: Any, all_rows: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*args: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(Order, "load_parts", explode)
    response = buyer.get(f"{ORDERS}/{system.order}")

    assert response.status_code == 500
    assert kind_of(response) == "server_error"
    assert "swordfish" not in response.content.decode()
    assert response.headers["X-Correlation-Id"]


def test_an_unreachable_database_is_a_503_with_retry_after(
    buyer: Any, system: Any, all_rows: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_connection(*args: object) -> None:
        raise OperationalError("server closed the connection at 10.0.0.7")

    before = all_rows()
    with monkeypatch.context() as broken:
        broken.setattr(Order, "load_parts", lose_connection)
        response = buyer.get(f"{ORDERS}/{system.order}")

    assert (response.status_code, kind_of(response)) == (503, "database_unavailable")
    assert response.headers["Retry-After"] == "1"
    assert "10.0.0.7" not in response.content.decode()
    assert all_rows() == before


@pytest.mark.parametrize("login", [True, False], ids=["in a view", "in a middleware"])
def test_a_page_of_the_admin_is_a_503_too(db: None, monkeypatch: pytest.MonkeyPatch, login: bool) -> None:
    def lose_connection(*args: object, **kwargs: object) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr("django.contrib.auth.forms.authenticate", lose_connection)
    if not login:
        middleware = "django.contrib.sessions.middleware.SessionMiddleware"
        monkeypatch.setattr(f"{middleware}.process_response", lose_connection)
    form = {"username": "olga", "password": "olga"}
    response = DjangoClient(raise_request_exception=False).post("/admin/login/", form)

    assert (response.status_code, kind_of(response)) == (503, "database_unavailable")
    assert response.headers["Retry-After"] == "1"


def test_an_unknown_host_is_a_problem_document(anonymous: Any, db: None) -> None:
    response = anonymous.get("/api/v1/products", headers={"Host": "evil.example"})

    assert (response.status_code, kind_of(response)) == (400, "bad_request")
    assert response.headers["X-Correlation-Id"]
