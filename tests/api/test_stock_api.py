"""The stock API for staff of inventory: current and past stock, receipts and adjustments."""

from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import pytest
from api_calls import errors_of, kind_of

from integration.domain import clock
from integration.domain.identifiers import Sku
from inventory.commands import quarantine_stock

STOCK = "/api/v1/stock"


def test_a_stock_item_has_these_fields(operator: Any, system: Any) -> None:
    response = operator.get(f"{STOCK}/MUG")
    item = response.json()

    assert response.status_code == 200
    assert item.pop("as_of").endswith("Z")
    assert item == {
        "sku": "MUG",
        "on_hand": 100,
        "reserved": 3,
        "available": 97,
        "quarantined": 0,
        "reorder_point": 5,
    }


def test_a_receipt_increases_the_stock(operator: Any, shop: object) -> None:
    response = operator.post(f"{STOCK}/RELIC/receipts", {"quantity": 7, "reference": "D-17"})

    assert response.status_code == 201
    assert (response.json()["on_hand"], response.json()["available"]) == (7, 7)
    assert response.headers["ETag"] == operator.get(f"{STOCK}/RELIC").headers["ETag"]


def test_a_reference_is_received_once(operator: Any, shop: object) -> None:
    first = operator.post(f"{STOCK}/RELIC/receipts", {"quantity": 7, "reference": "D-17"})
    again = operator.post(f"{STOCK}/RELIC/receipts", {"quantity": 7, "reference": "D-17"})
    assert (first.status_code, again.status_code, kind_of(again)) == (201, 409, "already_received")
    assert operator.get(f"{STOCK}/RELIC").json()["on_hand"] == first.json()["on_hand"]


def test_received_stock_can_be_bought(operator: Any, anonymous: Any, shop: object, drain: Callable[..., int]) -> None:
    operator.post(f"{STOCK}/RELIC/receipts", {"quantity": 1_000_000_000})
    drain()

    assert anonymous.get("/api/v1/products/RELIC").json()["availability"] == "in_stock"


@pytest.mark.parametrize(("delta", "on_hand"), [(-3, 97), (3, 103), (-97, 3)])
def test_an_adjustment_changes_the_stock(operator: Any, system: Any, delta: int, on_hand: int) -> None:
    response = operator.post(f"{STOCK}/MUG/adjustments", {"delta": delta, "reason": "counted"})

    assert response.status_code == 201
    assert response.json()["on_hand"] == on_hand


def test_reserved_goods_cannot_be_adjusted_away(operator: Any, system: Any, all_rows: Callable[[], object]) -> None:
    before = all_rows()
    response = operator.post(f"{STOCK}/MUG/adjustments", {"delta": -98, "reason": "counted"})

    assert response.status_code == 409
    assert kind_of(response) == "reserved_goods"
    assert all_rows() == before


@pytest.mark.parametrize(
    ("call", "body", "error"),
    [
        ("receipts", {"quantity": 0}, ("#/quantity", "min_value")),
        ("receipts", {"quantity": -1}, ("#/quantity", "min_value")),
        ("receipts", {"quantity": 1_000_000_001}, ("#/quantity", "max_value")),
        ("receipts", {"quantity": 10**40}, ("#/quantity", "max_value")),
        ("receipts", {"quantity": "5"}, ("#/quantity", "invalid")),
        ("receipts", {"quantity": True}, ("#/quantity", "invalid")),
        ("receipts", {"quantity": 1.0}, ("#/quantity", "invalid")),
        ("receipts", {}, ("#/quantity", "required")),
        ("receipts", {"quantity": 1, "reference": "x" * 201}, ("#/reference", "max_length")),
        ("receipts", {"quantity": 1, "on_hand": 5}, ("#/on_hand", "unknown_field")),
        ("adjustments", {"delta": 0, "reason": "x"}, ("#/delta", "nothing_adjusted")),
        ("adjustments", {"delta": -1_000_000_001, "reason": "x"}, ("#/delta", "min_value")),
        ("adjustments", {"delta": 1}, ("#/reason", "required")),
        ("adjustments", {"delta": 1, "reason": ""}, ("#/reason", "blank")),
        ("quarantine", {"quantity": 0, "to": "sellable", "reason": "x"}, ("#/quantity", "min_value")),
        ("quarantine", {"quantity": 1_000_000_001, "to": "sellable", "reason": "x"}, ("#/quantity", "max_value")),
        ("quarantine", {"quantity": True, "to": "sellable", "reason": "x"}, ("#/quantity", "invalid")),
        ("quarantine", {"quantity": 1, "to": "sold", "reason": "x"}, ("#/to", "invalid_choice")),
        ("quarantine", {"quantity": 1, "to": ["sellable"], "reason": "x"}, ("#/to", "invalid")),
        ("quarantine", {"quantity": 1, "reason": "x"}, ("#/to", "required")),
        ("quarantine", {"quantity": 1, "to": "sellable"}, ("#/reason", "required")),
        ("quarantine", {"quantity": 1, "to": "sellable", "reason": "x", "sku": "A"}, ("#/sku", "unknown_field")),
    ],
)
def test_an_invalid_stock_movement_is_refused(
    operator: Any,
    shop: object,
    all_rows: Callable[[], object],
    call: str,
    body: dict[str, Any],
    error: tuple[str, str],
) -> None:
    before = all_rows()

    assert errors_of(operator.post(f"{STOCK}/MUG/{call}", body)) == {error}
    assert all_rows() == before


@pytest.mark.parametrize(("to", "on_hand"), [("sellable", 99), ("written_off", 97)])
def test_units_leave_quarantine_once(
    operator: Any, shop: object, all_rows: Callable[[], object], to: str, on_hand: int
) -> None:
    quarantine_stock(Sku("MUG"), 3, "box damaged")
    body = {"quantity": 2, "to": to, "reason": "looked at"}

    response = operator.post(f"{STOCK}/MUG/quarantine", body)
    before = all_rows()
    refused = operator.post(f"{STOCK}/MUG/quarantine", body)

    assert response.status_code == 201
    assert (response.json()["on_hand"], response.json()["quarantined"]) == (on_hand, 1)
    assert response.headers["ETag"] == operator.get(f"{STOCK}/MUG").headers["ETag"]
    assert (refused.status_code, kind_of(refused)) == (409, "not_in_quarantine")
    assert all_rows() == before


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("receipts", {"quantity": 1}),
        ("adjustments", {"delta": 1, "reason": "counted"}),
        ("quarantine", {"quantity": 1, "to": "sellable", "reason": "good"}),
    ],
)
def test_a_stock_movement_with_a_stale_etag_is_refused(
    operator: Any, shop: object, call: str, body: dict[str, Any]
) -> None:
    quarantine_stock(Sku("MUG"), 3, "box damaged")
    seen = operator.get(f"{STOCK}/MUG").headers["ETag"]
    first = operator.post(f"{STOCK}/MUG/{call}", body, headers={"If-Match": seen})
    second = operator.post(f"{STOCK}/MUG/{call}", body, headers={"If-Match": seen})

    assert (first.status_code, second.status_code) == (201, 412)
    assert kind_of(second) == "stale_version"


def test_a_sku_that_was_never_listed_has_no_stock(operator: Any, shop: object) -> None:
    responses = [
        operator.get(f"{STOCK}/NONE"),
        operator.post(f"{STOCK}/NONE/receipts", {"quantity": 1}),
        operator.post(f"{STOCK}/NONE/adjustments", {"delta": 1, "reason": "found"}),
        operator.post(f"{STOCK}/NONE/quarantine", {"quantity": 1, "to": "sellable", "reason": "good"}),
        operator.get(f"{STOCK}/NONE/movements"),
    ]

    assert [(response.status_code, kind_of(response)) for response in responses] == [(404, "not_found")] * 5


class TestAsOf:
    def test_as_of_returns_the_state_at_that_time(self, operator: Any, shop: object) -> None:
        before = operator.get(f"{STOCK}/MUG").json()
        operator.post(f"{STOCK}/MUG/receipts", {"quantity": 7})
        after = operator.get(f"{STOCK}/MUG").json()

        assert (before["on_hand"], after["on_hand"]) == (100, 107)
        for item in before, after:
            response = operator.get(f"{STOCK}/MUG", {"as_of": item["as_of"]})
            assert response.status_code == 200
            assert response.json() == item

    def test_as_of_returns_the_etag_of_that_time(self, operator: Any, shop: object) -> None:
        before = operator.get(f"{STOCK}/MUG")
        operator.post(f"{STOCK}/MUG/receipts", {"quantity": 7})
        then = operator.get(f"{STOCK}/MUG", {"as_of": before.json()["as_of"]})

        assert then.headers["ETag"] == before.headers["ETag"]
        stale = operator.post(f"{STOCK}/MUG/receipts", {"quantity": 1}, headers={"If-Match": then.headers["ETag"]})
        assert stale.status_code == 412

    def test_as_of_is_returned_in_utc(self, operator: Any, shop: object) -> None:
        now = clock.now()
        there = now.astimezone(timezone(timedelta(hours=5, minutes=45))).isoformat()

        response = operator.get(f"{STOCK}/MUG", {"as_of": there})

        assert response.json()["as_of"] == now.isoformat().replace("+00:00", "Z")

    @pytest.mark.parametrize("sku", ["MUG", "NONE"])
    def test_as_of_before_the_listing_is_not_found(self, operator: Any, shop: object, sku: str) -> None:
        response = operator.get(f"{STOCK}/{sku}", {"as_of": "2001-01-01T00:00:00Z"})

        assert (response.status_code, kind_of(response)) == (404, "not_found")

    def test_as_of_must_not_be_in_the_future(self, operator: Any, shop: object) -> None:
        response = operator.get(f"{STOCK}/MUG", {"as_of": (clock.now() + timedelta(hours=1)).isoformat()})

        assert errors_of(response) == {("#/as_of", "in_the_future")}

    @pytest.mark.parametrize(
        ("moment", "code"),
        [
            ("", "invalid"),
            ("yesterday", "invalid"),
            ("2026-13-01T00:00:00Z", "invalid"),
            ("2026-01-01T25:00:00Z", "invalid"),
            ("1767225600", "invalid"),
            ("0001-01-01T00:00:00+14:00", "overflow"),
            ("\x00", "invalid"),
        ],
    )
    def test_as_of_must_be_a_date_and_time(self, operator: Any, shop: object, moment: str, code: str) -> None:
        assert errors_of(operator.get(f"{STOCK}/MUG", {"as_of": moment})) == {("#/as_of", code)}

    def test_as_of_is_for_staff(self, buyer: Any, shop: object) -> None:
        assert buyer.get(f"{STOCK}/MUG", {"as_of": "2026-01-01T00:00:00Z"}).status_code == 403

    def test_a_past_state_takes_one_statement_more_than_the_present(
        self, operator: Any, shop: object, statements: Callable[..., Any]
    ) -> None:
        now = operator.get(f"{STOCK}/MUG").json()["as_of"]
        with statements() as present:
            operator.get(f"{STOCK}/MUG")
        with statements() as past:
            operator.get(f"{STOCK}/MUG", {"as_of": now})

        assert len(past) == len(present) + 1


@pytest.mark.parametrize(
    ("query", "skus"),
    [
        ("", ["ATLAS", "LAMP", "MUG", "RELIC"]),
        ("low=true", ["RELIC"]),
        ("low=false", ["ATLAS", "LAMP", "MUG"]),
        ("ordering=-sku&low=false", ["MUG", "LAMP", "ATLAS"]),
        ("ordering=on_hand", ["RELIC", "ATLAS", "LAMP", "MUG"]),
        ("ordering=-on_hand", ["MUG", "LAMP", "ATLAS", "RELIC"]),
    ],
)
def test_stock_is_listed(operator: Any, shop: object, query: str, skus: list[str]) -> None:
    response = operator.get(f"{STOCK}?{query}")

    assert response.status_code == 200
    assert [item["sku"] for item in response.json()["results"]] == skus


def test_stock_items_with_equal_quantities_all_appear_on_a_page(operator: Any, shop: object) -> None:
    operator.post(f"{STOCK}/ATLAS/adjustments", {"delta": 11, "reason": "counted"})
    found, url = [], f"{STOCK}?ordering=on_hand&page_size=1"
    while url:
        page = operator.get(url).json()
        found += [item["sku"] for item in page["results"]]
        url = page["next"]

    assert found == ["RELIC", "ATLAS", "LAMP", "MUG"]


def test_the_number_of_statements_does_not_depend_on_the_page_size(
    operator: Any, shop: object, statements: Callable[..., Any]
) -> None:
    counts = []
    for size in 1, 4:
        with statements() as seen:
            operator.get(f"{STOCK}?page_size={size}")
        counts.append(len(seen))

    assert counts[0] == counts[1] <= 5
