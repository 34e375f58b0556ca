"""Carts over REST: what a guest and a buyer can do with theirs, at today's prices, and what nobody can."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from api_calls import errors_of, kind_of, problem_of
from conftest import ADDRESS

from integration.domain.identifiers import CartId, Sku
from integration.domain.money import Money
from integration.messaging import routines
from integration.rest.models import IdempotencyKey
from ordering.commands import change_product
from ordering.commands.carts import expire_cart
from ordering.models import Buyer, Cart, Order, ShippingRate
from ordering.models.cart import MAX_CODES

CARTS = "/api/v1/carts"
PAY = {"payment_method": "pm_card_visa", "shipping_address": ADDRESS}
GUEST = {**PAY, "email": "guest@example.com"}


CHANGES: list[tuple[str, str, Any]] = [
    ("put", "/items/MUG", {"quantity": 1}),
    ("delete", "/items/MUG", None),
    ("put", "/shipping-address", ADDRESS),
    ("put", "/shipping-option", {"id": None}),
    ("put", "/vouchers/X", {}),
    ("delete", "/vouchers/X", None),
]


class Shopper:
    """A client with a cart: that of a guest, or of a buyer whose client it is."""

    def __init__(self, client: Any, **headers: str) -> None:
        self.client = client
        opened = client.post(CARTS, {}, headers=headers)
        assert opened.status_code in (200, 201), opened.content
        self.opened = opened
        self.id, self.token = opened.json()["id"], opened.json().get("token")
        self.path = f"{CARTS}/{self.id}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Cart-Token": self.token} if self.token else {}

    def get(self, **headers: str) -> Any:
        return self.client.get(self.path, headers={**self.headers, **headers})

    def put(self, what: str, body: Any = None, **headers: str) -> Any:
        return self.client.put(f"{self.path}/{what}", body or {}, headers={**self.headers, **headers})

    def delete(self, what: str) -> Any:
        return self.client.delete(f"{self.path}/{what}", headers=self.headers)

    def fill(self, **items: int) -> "Shopper":
        for sku, quantity in items.items():
            assert self.put(f"items/{sku}", {"quantity": quantity}).status_code == 200
        return self

    def check_out(self, body: Any = None, **headers: str) -> Any:
        body = body or (GUEST if self.token else PAY)
        return self.client.post(f"{self.path}/checkout", body, headers={**self.headers, **headers})


@pytest.fixture
def guest(shop: object, anonymous: Any) -> Shopper:
    return Shopper(anonymous).fill(MUG=2, LAMP=1)


@pytest.fixture
def shopper(shop: object, buyer: Any) -> Shopper:
    return Shopper(buyer).fill(MUG=1)


@pytest.fixture
def post(db: None) -> None:
    """The shop's shipping options: by post everywhere, and an express one."""
    ShippingRate.objects.create(option="post", name="By post", currency="USD", price_minor=500)
    ShippingRate.objects.create(option="express", name="Express", currency="USD", price_minor=1500, countries="GB")


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


# --- What a cart shows ---


def test_a_guest_gets_an_empty_cart_and_its_token_once(shop: object, anonymous: Any) -> None:
    guest = Shopper(anonymous)
    assert guest.opened.status_code == 201
    assert guest.opened.headers["Location"].endswith(guest.path)
    assert guest.opened.headers["Cache-Control"] == "no-store"
    shown = guest.get()
    assert "token" not in shown.json()
    assert shown.json() == {
        "id": guest.id,
        "status": "open",
        "lines": [],
        "vouchers": [],
        "shipping_address": None,
        "shipping_option": None,
        "shipping_options": [],
        "subtotal": usd("0.00"),
        "discounts": [],
        "discount": usd("0.00"),
        "shipping": None,
        "tax": usd("0.00"),
        "taxes": [],
        "total": usd("0.00"),
        "prices_include_tax": False,
        "warnings": [],
    }


def test_a_cart_shows_its_lines_at_todays_prices(guest: Shopper) -> None:
    cart = guest.get().json()
    assert [(line["sku"], line["quantity"], line["total"]) for line in cart["lines"]] == [
        ("MUG", 2, usd("25.00")),
        ("LAMP", 1, usd("80.00")),
    ]
    assert cart["lines"][0] == {
        "sku": "MUG",
        "name": "Mug",
        "quantity": 2,
        "unit_price": usd("12.50"),
        "subtotal": usd("25.00"),
        "discount": usd("0.00"),
        "tax": usd("0.00"),
        "tax_rate": "0",
        "total": usd("25.00"),
        "availability": "in_stock",
    }
    assert (cart["subtotal"], cart["total"]) == (usd("105.00"), usd("105.00"))
    before = guest.get().headers["ETag"]
    change_product(Sku("MUG"), {"price": Money("13", "USD")})
    after = guest.get(**{"If-None-Match": before})
    assert (after.status_code, after.json()["total"]) == (200, usd("106.00"))
    assert guest.get(**{"If-None-Match": after.headers["ETag"]}).status_code == 304


def test_items_are_set_and_taken_out(guest: Shopper) -> None:
    assert guest.put("items/MUG", {"quantity": 5}).json()["lines"][0]["quantity"] == 5
    assert [line["sku"] for line in guest.delete("items/MUG").json()["lines"]] == ["LAMP"]
    assert guest.delete("items/MUG").status_code == 200


def test_a_guests_changes_depend_on_the_version_they_saw(guest: Shopper) -> None:
    seen = guest.get().headers["ETag"]
    assert guest.put("items/MUG", {"quantity": 5}, **{"If-Match": seen}).status_code == 200
    stale = guest.put("items/MUG", {"quantity": 6}, **{"If-Match": seen})
    assert kind_of(stale) == "stale_version"
    assert guest.put("items/MUG", {"quantity": 6}, **{"If-Match": "*"}).status_code == 200
    assert guest.check_out(**{"If-Match": seen}).status_code == 412


def test_options_and_shipping_depend_on_the_address(guest: Shopper, post: None) -> None:
    assert guest.put("shipping-option", {"id": "express"}).json()["shipping_option"] == "express"
    cart = guest.put("shipping-address", ADDRESS).json()
    assert cart["shipping_address"] == ADDRESS
    assert [(each["id"], each["price"]) for each in cart["shipping_options"]] == [
        ("express", usd("15.00")),
        ("post", usd("5.00")),
    ]
    assert (cart["shipping"]["option"], cart["total"]) == ("express", usd("120.00"))
    assert guest.put("shipping-option", {"id": None}).json()["total"] == usd("110.00")
    far = guest.put("shipping-address", {**ADDRESS, "country": "DE"}).json()
    assert [each["id"] for each in far["shipping_options"]] == ["post"]
    assert errors_of(guest.put("shipping-option", {"id": "express"})) == {("#/id", "unknown_shipping_option")}


def test_an_option_that_is_no_longer_offered_is_a_warning(guest: Shopper, post: None) -> None:
    guest.put("shipping-address", ADDRESS)
    guest.put("shipping-option", {"id": "express"})
    cart = guest.put("shipping-address", {**ADDRESS, "country": "DE"}).json()
    assert [(each["pointer"], each["code"]) for each in cart["warnings"]] == [
        ("#/shipping_option", "unknown_shipping_option"),
        ("#/shipping_address/postal_code", "odd_postal_code"),
    ]


def test_what_is_no_longer_sold_stays_with_a_warning_and_costs_nothing(guest: Shopper) -> None:
    change_product(Sku("MUG"), {"on_sale": False})
    cart = guest.get().json()
    assert (cart["lines"][0]["availability"], cart["lines"][0]["total"]) == ("not_on_sale", usd("0.00"))
    assert [(each["pointer"], each["code"]) for each in cart["warnings"]] == [("#/lines/0/sku", "not_on_sale")]
    assert cart["total"] == usd("80.00")
    assert errors_of(guest.check_out()) == {("#/lines/0/sku", "not_on_sale")}


def test_what_is_out_of_stock_is_a_warning(guest: Shopper) -> None:
    cart = guest.put("items/RELIC", {"quantity": 1}).json()
    assert [(each["pointer"], each["code"]) for each in cart["warnings"]] == [("#/lines/2/sku", "out_of_stock")]


def test_another_currency_is_refused(guest: Shopper) -> None:
    change_product(Sku("ATLAS"), {"price": Money("10", "EUR")})
    assert errors_of(guest.put("items/ATLAS", {"quantity": 1})) == {("#/sku", "mixed_currencies")}


def test_a_price_that_moved_to_another_currency_is_a_warning(guest: Shopper) -> None:
    change_product(Sku("LAMP"), {"price": Money("10", "EUR")})
    cart = guest.get().json()
    assert [(each["pointer"], each["code"]) for each in cart["warnings"]] == [("#/lines/1/sku", "mixed_currencies")]
    assert cart["total"] == usd("25.00")


def test_a_voucher_that_does_not_apply_stays_with_the_reason(guest: Shopper) -> None:
    (voucher,) = guest.put("vouchers/NONE").json()["vouchers"]
    assert (voucher["code"], voucher["applied"]) == ("NONE", False)
    assert voucher["reason"]
    assert guest.delete("vouchers/NONE").json()["vouchers"] == []


def test_a_buyers_discount_shows_in_the_cart(shopper: Shopper) -> None:
    assert shopper.check_out().status_code == 201
    Buyer.objects.get()
    from ordering.commands import grant_discount

    grant_discount(Buyer.objects.get().pk, 10, "a test")
    again = Shopper(shopper.client).fill(MUG=2)
    cart = again.get().json()
    assert (cart["discount"], cart["total"]) == (usd("2.50"), usd("22.50"))
    assert again.check_out().json()["total"] == usd("22.50")


# --- Whose it is ---


def test_a_buyer_has_one_open_cart(shopper: Shopper) -> None:
    assert shopper.opened.status_code == 201
    assert "token" not in shopper.opened.json()
    again = Shopper(shopper.client)
    assert (again.opened.status_code, again.id) == (200, shopper.id)
    assert again.get().json()["lines"][0]["sku"] == "MUG"


def test_nobody_else_opens_a_cart(
    guest: Shopper, shopper: Shopper, anonymous: Any, stranger: Any, operator: Any, all_rows: Callable[[], object]
) -> None:
    other = Shopper(anonymous)
    before = all_rows()
    tries = [
        (anonymous, guest, {}),
        (anonymous, guest, {"Cart-Token": "x"}),
        (anonymous, guest, {"Cart-Token": other.token}),
        (anonymous, shopper, {"Cart-Token": other.token}),
        (stranger, guest, {"Cart-Token": guest.token}),
        (stranger, shopper, {}),
        (operator, shopper, {}),
    ]
    for client, theirs, headers in tries:
        pay = GUEST if client is anonymous else PAY
        for method, path, body in [("get", "", None), *CHANGES, ("post", "/checkout", pay)]:
            response = getattr(client, method)(theirs.path + path, body, headers=headers)
            assert kind_of(response) == "not_found", (method, path)
    assert all_rows() == before


# --- Claim ---


def test_a_buyer_takes_over_a_guests_cart(guest: Shopper, buyer: Any) -> None:
    claimed = buyer.post(f"{guest.path}/claim", {}, headers=guest.headers)
    assert (claimed.status_code, claimed.json()["id"]) == (200, guest.id)
    assert buyer.get(guest.path).status_code == 200
    assert guest.get().status_code == 404
    assert kind_of(buyer.post(f"{guest.path}/claim", {}, headers=guest.headers)) == "cart_taken"


def test_a_guests_cart_is_merged_into_the_buyers_once(guest: Shopper, shopper: Shopper, buyer: Any) -> None:
    guest.put("shipping-address", ADDRESS)
    guest.put("vouchers/SPRING")
    claimed = buyer.post(f"{guest.path}/claim", {}, headers=guest.headers)
    assert claimed.status_code == 200
    cart = claimed.json()
    assert cart["id"] == shopper.id
    assert [(line["sku"], line["quantity"]) for line in cart["lines"]] == [("MUG", 3), ("LAMP", 1)]
    assert (cart["shipping_address"], cart["vouchers"][0]["code"]) == (ADDRESS, "SPRING")
    assert kind_of(buyer.post(f"{guest.path}/claim", {}, headers=guest.headers)) == "not_allowed"
    assert shopper.get().json()["lines"] == cart["lines"]
    shown = guest.get().json()
    assert (shown["status"], shown["shipping_address"]) == ("merged", None)
    assert Cart.objects.get(pk=guest.id).became == shopper.id
    assert kind_of(guest.put("items/MUG", {"quantity": 1})) == "not_allowed"


def test_a_claim_needs_the_token_and_an_account(guest: Shopper, buyer: Any, anonymous: Any) -> None:
    assert buyer.post(f"{guest.path}/claim", {}).status_code == 404
    assert anonymous.post(f"{guest.path}/claim", {}, headers=guest.headers).status_code == 401


def test_another_buyers_cart_is_not_claimed(guest: Shopper, buyer: Any, stranger: Any) -> None:
    buyer.post(f"{guest.path}/claim", {}, headers=guest.headers)
    assert kind_of(stranger.post(f"{guest.path}/claim", {}, headers=guest.headers)) == "not_found"


# --- Checkout ---


def test_a_guest_checks_out_once(guest: Shopper, drain: Callable[..., int]) -> None:
    guest.put("shipping-address", ADDRESS)
    ordered = guest.check_out({"payment_method": "pm_card_visa", "email": "guest@example.com"})
    assert ordered.status_code == 201, ordered.content
    order = ordered.json()
    assert (order["total"], order["shipping_address"]) == (usd("105.00"), ADDRESS)
    assert ordered.headers["Location"].endswith(f"/api/v1/orders/{order['number']}")
    drain()
    stored = Order.objects.get()
    assert stored.status == "confirmed"
    buyer = Buyer.objects.get(pk=stored.buyer_id)
    assert (buyer.email, buyer.user, buyer.name) == ("guest@example.com", None, ADDRESS["recipient"])
    shown = guest.get().json()
    assert (shown["status"], shown["shipping_address"]) == ("checked_out", None)
    assert kind_of(guest.check_out()) == "not_allowed"
    assert kind_of(guest.put("items/MUG", {"quantity": 1})) == "not_allowed"
    assert Order.objects.count() == 1


def test_a_buyer_checks_out_and_opens_another_cart(shopper: Shopper) -> None:
    order = shopper.check_out()
    assert (order.status_code, "access_token" in order.json()) == (201, False)
    assert Shopper(shopper.client).opened.status_code == 201
    assert shopper.client.get(f"/api/v1/orders/{order.json()['number']}").status_code == 200


def test_another_total_than_expected_is_a_409_with_the_cart(guest: Shopper, all_rows: Callable[[], object]) -> None:
    change_product(Sku("MUG"), {"price": Money("13", "USD")})
    before = all_rows()
    response = guest.check_out({**GUEST, "expected_total": usd("105.00")})
    assert response.status_code == 409
    assert response.json()["type"] == "urn:waybill:problem:total_changed"
    assert response.json()["cart"]["total"] == usd("106.00")
    assert all_rows() == before
    assert guest.check_out({**GUEST, "expected_total": usd("106.00")}).status_code == 201


def test_tokens_are_never_stored_and_derived_again(shop: object, anonymous: Any) -> None:
    first = Shopper(anonymous, **{"Idempotency-Key": "a cart"})
    again = Shopper(anonymous, **{"Idempotency-Key": "a cart"})
    assert again.opened.headers["Idempotent-Replayed"] == "true"
    assert (again.id, again.token) == (first.id, first.token)
    first.fill(MUG=1)
    ordered = first.check_out(**{"Idempotency-Key": "an order"})
    replayed = again.check_out(**{"Idempotency-Key": "an order"})
    assert replayed.headers["Idempotent-Replayed"] == "true"
    assert replayed.json() == ordered.json()
    stored = "".join(str(row) for row in IdempotencyKey.objects.values_list())
    assert first.token not in stored
    assert ordered.json()["access_token"] not in stored


def test_a_key_of_a_checkout_is_that_of_its_cart(shop: object, anonymous: Any) -> None:
    carts = [Shopper(anonymous).fill(MUG=n) for n in (1, 2)]
    orders = [cart.check_out(**{"Idempotency-Key": "1"}).json()["number"] for cart in carts]
    assert len({*orders}) == 2
    stolen = anonymous.post(f"{carts[0].path}/checkout", GUEST, headers={"Idempotency-Key": "1"})
    assert stolen.status_code == 404


def test_guests_at_two_addresses_have_no_common_key(shop: object, anonymous: Any) -> None:
    first = Shopper(anonymous, **{"Idempotency-Key": "1"})
    other = anonymous.post(CARTS, {}, headers={"Idempotency-Key": "1"}, REMOTE_ADDR="10.1.2.3")
    assert other.json()["id"] != first.id


# --- Bad input ---


@pytest.mark.parametrize(
    ("what", "body", "errors"),
    [
        ("items/MUG", {"quantity": 0}, {("#/quantity", "min_value")}),
        ("items/MUG", {"quantity": -1}, {("#/quantity", "min_value")}),
        ("items/MUG", {"quantity": 100_001}, {("#/quantity", "max_value")}),
        ("items/MUG", {"quantity": "2"}, {("#/quantity", "invalid")}),
        ("items/MUG", {"quantity": True}, {("#/quantity", "invalid")}),
        ("items/MUG", {}, {("#/quantity", "required")}),
        ("items/MUG", {"quantity": 1, "price": 1}, {("#/price", "unknown_field")}),
        ("items/NONE", {"quantity": 1}, {("#/sku", "unknown_sku")}),
        ("shipping-option", {"id": "pigeon"}, {("#/id", "unknown_shipping_option")}),
        ("shipping-option", {"id": 5}, {("#/id", "invalid")}),
        ("shipping-option", {}, {("#/id", "required")}),
        ("shipping-address", {**ADDRESS, "country": "XX"}, {("#/country", "unknown_country")}),
        ("shipping-address", {**ADDRESS, "planet": "Mars"}, {("#/planet", "unknown_field")}),
        ("vouchers/SPRING", {"code": "x"}, {("#/code", "unknown_field")}),
        ("checkout", {**GUEST, "payment_method": "pm_none"}, {("#/payment_method", "unknown_payment_method")}),
        ("checkout", {**GUEST, "payment_method": ...}, {("#/payment_method", "payment_method_missing")}),
        ("checkout", {**GUEST, "email": ...}, {("#/email", "required")}),
        ("checkout", {**GUEST, "email": "nobody"}, {("#/email", "invalid")}),
        ("checkout", {**GUEST, "shipping_address": ...}, {("#/shipping_address", "address_missing")}),
        ("checkout", {**GUEST, "shipping_option": "pigeon"}, {("#/shipping_option", "unknown_shipping_option")}),
        ("checkout", {**GUEST, "lines": []}, {("#/lines", "unknown_field")}),
    ],
)
def test_bad_input_is_a_422_and_changes_nothing(
    guest: Shopper, all_rows: Callable[[], object], what: str, body: dict[str, Any], errors: set[tuple[str, str]]
) -> None:
    body, before = {name: value for name, value in body.items() if value is not ...}, all_rows()
    method = guest.client.post if what == "checkout" else guest.client.put
    assert errors_of(method(f"{guest.path}/{what}", body, headers=guest.headers)) == errors
    assert all_rows() == before


def test_a_cart_that_has_ended_refuses_every_change(
    guest: Shopper, anonymous: Any, buyer: Any, all_rows: Callable[[], object]
) -> None:
    expired = Shopper(anonymous).fill(MUG=1)
    expire_cart(CartId(expired.id))
    assert guest.check_out().status_code == 201
    before = all_rows()
    for ended in (guest, expired):
        for method, path, body in [*CHANGES, ("post", "/checkout", GUEST)]:
            response = getattr(anonymous, method)(ended.path + path, body, headers=ended.headers)
            assert kind_of(response) == "not_allowed", (method, path, ended.get().json()["status"])
        assert kind_of(buyer.post(f"{ended.path}/claim", {}, headers=ended.headers)) == "not_allowed"
    assert all_rows() == before


def test_a_buyers_email_is_not_given_at_checkout(shopper: Shopper, all_rows: Callable[[], object]) -> None:
    before = all_rows()
    assert errors_of(shopper.check_out(GUEST)) == {("#/email", "for_guests_only")}
    assert all_rows() == before


def test_an_unknown_field_opens_no_cart(anonymous: Any, db: None) -> None:
    assert errors_of(anonymous.post(CARTS, {"lines": []})) == {("#/lines", "unknown_field")}
    assert not Cart.objects.exists()


def test_an_empty_cart_is_not_checked_out(shop: object, anonymous: Any, all_rows: Callable[[], object]) -> None:
    empty, before = Shopper(anonymous), all_rows
    rows = before()
    assert kind_of(empty.check_out()) == "cart_is_empty"
    assert all_rows() == rows


def test_a_cart_has_bounds(guest: Shopper, monkeypatch: pytest.MonkeyPatch, all_rows: Callable[[], object]) -> None:
    for n in range(MAX_CODES):
        guest.put(f"vouchers/V{n}")
    monkeypatch.setattr("ordering.models.cart.MAX_LINES", 2)
    before = all_rows()
    assert errors_of(guest.put("items/ATLAS", {"quantity": 1})) == {("#", "cart_full")}
    assert errors_of(guest.put("vouchers/MORE")) == {("#", "too_many_vouchers")}
    monkeypatch.setattr("ordering.models.cart.MAX_CHANGES", 5)
    assert kind_of(guest.put("items/MUG", {"quantity": 9})) == "cart_changed_too_often"
    assert all_rows() == before


def test_guests_open_only_so_many_carts_a_minute(shop: object, anonymous: Any, buyer: Any, settings: Any) -> None:
    settings.THROTTLES = {**settings.THROTTLES, "cart": 2}
    assert [anonymous.post(CARTS, {}).status_code for _ in range(3)] == [201, 201, 429]
    assert buyer.post(CARTS, {}).status_code == 201


def test_a_cart_that_is_left_behind_expires_and_forgets_the_address(
    guest: Shopper, later: Callable[[timedelta], None], settings: Any
) -> None:
    guest.put("shipping-address", ADDRESS)
    routine = routines.routines.get("ordering.expire-carts")
    later(settings.CART_EXPIRY - timedelta(minutes=1))
    routine.run()
    assert guest.get().json()["status"] == "open"
    later(timedelta(minutes=2))
    routine.run()
    shown = guest.get().json()
    assert (shown["status"], shown["shipping_address"]) == ("expired", None)
    for response in (guest.put("items/MUG", {"quantity": 1}), guest.delete("items/MUG"), guest.check_out()):
        assert problem_of(response)["status"] == 409
        assert kind_of(response) == "not_allowed"
