"""Vouchers over the API: what staff create and change, and what buyers order with."""

from collections.abc import Callable
from typing import Any

import pytest
from api_calls import Call, errors_of, kind_of, problem_of

VOUCHERS = "/api/v1/vouchers"
ORDERS = "/api/v1/orders"
FIVE = {"code": "FIVE", "kind": "amount", "value": {"amount": "5.00", "currency": "USD"}}
TEN = {"code": "TEN", "kind": "percent", "value": "10"}


def test_a_voucher_is_created_and_read(operator: Any, shop: object) -> None:
    terms = {
        "code": "summer-26",
        "name": "Summer",
        "kind": "percent",
        "value": "12.50",
        "minimum": {"amount": "20.00", "currency": "USD"},
        "valid_from": "2026-06-01T00:00:00+02:00",
        "valid_until": "2026-09-01T00:00:00Z",
        "limit": 100,
        "limit_per_buyer": 1,
        "exclusive": True,
    }
    created = operator.post(VOUCHERS, terms)
    assert created.status_code == 201
    shown = created.json()
    expected = {"code": "SUMMER-26", "value": "12.5", "valid_from": "2026-05-31T22:00:00Z", "held": 0, "redeemed": 0}
    assert {**shown, **terms, **expected} == shown
    assert created.headers["Location"].endswith("/api/v1/vouchers/SUMMER-26")
    again = operator.get(created.headers["Location"])
    assert again.json() == shown
    assert again.headers["ETag"] == created.headers["ETag"]


def test_an_amount_and_free_shipping(operator: Any, shop: object) -> None:
    assert operator.post(VOUCHERS, FIVE).json()["value"] == {"amount": "5.00", "currency": "USD"}
    free = operator.post(VOUCHERS, {"code": "FREE", "kind": "free_shipping"}).json()
    assert (free["name"], free["value"], free["minimum"], free["limit"]) == ("FREE", None, None, None)


def test_a_repeated_request_creates_one_voucher(operator: Any, shop: object) -> None:
    key = {"Idempotency-Key": "once"}
    first, second = (operator.post(VOUCHERS, TEN, headers=key) for _ in range(2))
    assert (first.status_code, second.json()) == (201, first.json())
    assert second.headers["Idempotent-Replayed"] == "true"
    assert kind_of(operator.post(VOUCHERS, TEN)) == "code_taken"


NOT_A_VOUCHER = {
    "no code": ({"code": ...}, ("#/code", "required")),
    "a code with blanks": ({"code": "TEN OFF"}, ("#/code", "invalid")),
    "a code with a line feed": ({"code": "T\nEN"}, ("#/code", "invalid")),
    "a long code": ({"code": "A" * 41}, ("#/code", "invalid")),
    "an unknown kind": ({"kind": "gift"}, ("#/kind", "invalid_choice")),
    "no value": ({"value": ...}, ("#/value", "invalid_value")),
    "a number": ({"value": 10}, ("#/value", "invalid")),
    "a list": ({"value": []}, ("#/value", "invalid")),
    "a percentage in words": ({"value": "ten"}, ("#/value", "invalid")),
    "a negative percentage": ({"value": "-10"}, ("#/value", "invalid")),
    "an exponent": ({"value": "1e1"}, ("#/value", "invalid")),
    "other digits": ({"value": "\u0661"}, ("#/value", "invalid")),
    "a dot at the end": ({"value": "10."}, ("#/value", "invalid")),
    "nothing": ({"value": "0"}, ("#/value", "invalid_value")),
    "more than all": ({"value": "100.01"}, ("#/value", "invalid_value")),
    "an amount as a percentage": ({"value": FIVE["value"]}, ("#/value", "invalid_value")),
    "an unknown currency": (
        {"value": {"amount": "5", "currency": "XXZ"}},
        ("#/value/currency", "unknown_currency"),
    ),
    "a minimum as a number": ({"minimum": 5}, ("#/minimum", "invalid")),
    "a day": ({"valid_from": "2026-06-01"}, ("#/valid_from", "invalid")),
    "a moment without an offset": ({"valid_from": "2026-06-01T00:00:00"}, ("#/valid_from", "invalid")),
    "no such day": ({"valid_from": "2026-02-30T00:00:00Z"}, ("#/valid_from", "invalid")),
    "before the year 1": ({"valid_from": "0001-01-01T00:00:00+10:00"}, ("#/valid_from", "overflow")),
    "a moment as a number": ({"valid_until": 5}, ("#/valid_until", "invalid")),
    "an end before the beginning": (
        {"valid_from": "2026-06-01T00:00:00Z", "valid_until": "2026-05-01T00:00:00Z"},
        ("#/valid_until", "no_time_span"),
    ),
    "limit 0": ({"limit": 0}, ("#/limit", "min_value")),
    "a huge limit": ({"limit": 10**12}, ("#/limit", "max_value")),
    "a limit in words": ({"limit_per_buyer": "1"}, ("#/limit_per_buyer", "invalid")),
    "exclusive 1": ({"exclusive": 1}, ("#/exclusive", "invalid")),
    "held": ({"held": 1}, ("#/held", "unknown_field")),
}


@pytest.mark.parametrize(("change", "error"), NOT_A_VOUCHER.values(), ids=NOT_A_VOUCHER)
def test_an_invalid_voucher_is_refused(
    operator: Any, shop: object, all_rows: Callable[[], object], change: dict[str, Any], error: tuple[str, str]
) -> None:
    before = all_rows()
    body = {name: value for name, value in {**TEN, **change}.items() if value is not ...}
    assert errors_of(operator.call(Call("POST", "vouchers", body))) == {error}
    assert all_rows() == before


def test_a_voucher_is_changed_once_in_a_version(operator: Any, shop: object) -> None:
    seen = operator.post(VOUCHERS, {**TEN, "limit": 3}).headers["ETag"]
    one = f"{VOUCHERS}/TEN"
    first = operator.patch(one, {"value": "15", "limit": 5}, headers={"If-Match": seen})
    assert (first.status_code, first.json()["value"], first.json()["limit"]) == (200, "15", 5)
    assert operator.patch(one, {"value": "20"}, headers={"If-Match": seen}).status_code == 412
    assert operator.patch(one, {"minimum": {"amount": "5", "currency": "USD"}}).json()["minimum"]["amount"] == "5.00"
    assert operator.patch(one, {"minimum": None}).json()["minimum"] is None
    assert kind_of(operator.patch(one, {"limit": None})) == "limit_stays"
    assert errors_of(operator.patch(one, {"kind": "amount"})) == {("#/value", "invalid_value")}
    assert errors_of(operator.patch(one, {"code": "NEW"})) == {("#/code", "unknown_field")}
    assert operator.patch(f"{VOUCHERS}/NONE", {}).status_code == 404
    assert operator.get(f"{VOUCHERS}/NONE").status_code == 404


def test_vouchers_are_listed_and_filtered(operator: Any, shop: object, statements: Callable[[], Any]) -> None:
    for body in (TEN, FIVE, {**TEN, "code": "OLD", "valid_until": "2026-01-01T00:00:00Z", "exclusive": True}):
        assert operator.post(VOUCHERS, body).status_code == 201

    def codes(query: str) -> list[str]:
        return [voucher["code"] for voucher in operator.get(f"{VOUCHERS}?{query}").json()["results"]]

    assert codes("ordering=code") == ["FIVE", "OLD", "TEN"]
    assert codes("kind=amount") == ["FIVE"]
    assert codes("exclusive=true") == ["OLD"]
    assert codes("valid_at=2026-06-01T00:00:00Z") == ["FIVE", "TEN"]
    assert codes("valid_at=2025-06-01T00:00:00Z&ordering=-code") == ["TEN", "OLD", "FIVE"]
    assert errors_of(operator.get(f"{VOUCHERS}?kind=gift")) == {("#/kind", "invalid_choice")}
    with statements() as three:
        operator.get(VOUCHERS)
    for n in range(9):
        operator.post(VOUCHERS, {**TEN, "code": f"TEN-{n}"})
    with statements() as twelve:
        operator.get(VOUCHERS)
    assert len(twelve) == len(three)


@pytest.mark.parametrize("limit", [None, 2])
def test_an_order_with_a_voucher(
    buyer: Any, operator: Any, shop: object, order_body: dict[str, Any], drain: Callable[..., int], limit: int | None
) -> None:
    operator.post(VOUCHERS, {**TEN, "name": "Ten off", "limit": limit})
    placed = buyer.post(ORDERS, {**order_body, "vouchers": ["ten"]})
    assert placed.status_code == 201
    order = placed.json()
    assert order["discounts"] == [{"code": "TEN", "name": "Ten off", "amount": {"amount": "10.50", "currency": "USD"}}]
    assert order["total"]["amount"] == "94.50"
    before = operator.get(f"{VOUCHERS}/TEN")
    assert (before.json()["held"], before.json()["redeemed"]) == (1, 0)
    drain()
    after = operator.get(f"{VOUCHERS}/TEN", headers={"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.json()["held"], after.json()["redeemed"]) == (200, 0, 1)
    same = operator.get(f"{VOUCHERS}/TEN", headers={"If-None-Match": after.headers["ETag"]})
    assert same.status_code == 304
    changed = operator.patch(f"{VOUCHERS}/TEN", {"value": "20"}, headers={"If-Match": after.headers["ETag"]})
    assert changed.status_code == 200
    summaries = [entry["summary"] for entry in buyer.get(f"{ORDERS}/{order['number']}/timeline").json()]
    assert f"Voucher TEN was redeemed for order {order['number']}" in summaries


def test_a_voucher_that_does_not_apply_is_a_conflict_with_its_pointer_and_reason(
    buyer: Any, operator: Any, shop: object, order_body: dict[str, Any], all_rows: Callable[[], object]
) -> None:
    operator.post(VOUCHERS, {**FIVE, "minimum": {"amount": "500", "currency": "USD"}})
    operator.post(VOUCHERS, TEN)
    before = all_rows()
    refused = buyer.call(Call("POST", "orders", {**order_body, "vouchers": ["TEN", "FIVE", "NONE"]}))
    assert refused.status_code == 409
    assert kind_of(refused) == "voucher_not_applied"
    assert [(error["pointer"], error["code"], error["detail"]) for error in problem_of(refused)["errors"]] == [
        ("#/vouchers/1", "not_applicable", "Voucher FIVE does not apply: the goods must cost at least 500.00 USD."),
        ("#/vouchers/2", "not_applicable", "Voucher NONE does not apply: there is no such voucher."),
    ]
    assert all_rows() == before


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("TEN", ("#/vouchers", "not_a_list")),
        ([5], ("#/vouchers/0", "invalid")),
        ([["TEN"]], ("#/vouchers/0", "invalid")),
        (["TEN", "T N"], ("#/vouchers/1", "invalid")),
        (["\u0661"], ("#/vouchers/0", "invalid")),
        (None, ("#/vouchers", "null")),
        (["A"] * 11, ("#/vouchers", "max_length")),
    ],
)
def test_vouchers_that_are_no_codes_are_refused(
    buyer: Any,
    shop: object,
    order_body: dict[str, Any],
    all_rows: Callable[[], object],
    given: Any,
    error: tuple[str, str],
) -> None:
    before = all_rows()
    assert errors_of(buyer.call(Call("POST", "orders", {**order_body, "vouchers": given}))) == {error}
    assert all_rows() == before
