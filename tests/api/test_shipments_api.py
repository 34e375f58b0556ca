"""The shipments API for staff of fulfillment: list, filter, dispatch and deliver shipments."""

from collections.abc import Callable
from typing import Any

import pytest
from api_calls import errors_of, kind_of, problem_of

SHIPMENTS = "/api/v1/shipments"
BY_MAIL = {"carrier": "Royal Mail", "tracking_number": "RM 123 456"}
MUGS = {"sku": "MUG", "quantity": 1}


def test_a_shipment_has_these_fields(operator: Any, system: Any, order_body: dict[str, Any]) -> None:
    response = operator.get(f"{SHIPMENTS}/{system.shipment}")
    shipment = response.json()

    assert response.status_code == 200
    assert response.headers["ETag"] == '"1"'
    assert shipment.pop("created_at") == shipment.pop("updated_at")
    assert shipment == {
        "id": system.shipment,
        "order": system.order,
        "status": "arranged",
        "recipient": order_body["shipping_address"],
        "carrier": "",
        "tracking_number": "",
        "lines": [
            {"sku": "MUG", "name": "Mug", "quantity": 2},
            {"sku": "LAMP", "name": "Lamp", "quantity": 1},
        ],
    }


def test_a_shipment_is_dispatched_and_delivered(operator: Any, system: Any) -> None:
    dispatched = operator.post(f"{SHIPMENTS}/{system.shipment}/dispatch", BY_MAIL)
    delivered = operator.post(f"{SHIPMENTS}/{system.shipment}/deliver")

    assert (dispatched.status_code, delivered.status_code) == (200, 200)
    assert (dispatched.json()["status"], delivered.json()["status"]) == ("dispatched", "delivered")
    assert dispatched.json()["tracking_number"] == "RM 123 456"
    assert delivered.json() == operator.get(f"{SHIPMENTS}/{system.shipment}").json()
    assert (dispatched.headers["ETag"], delivered.headers["ETag"]) == ('"2"', '"3"')


def test_some_lines_leave_and_the_rest_is_the_next_shipment(operator: Any, system: Any) -> None:
    second_id = f"{system.shipment[:-1]}2"
    body = {**BY_MAIL, "lines": [MUGS]}
    dispatched = operator.post(f"{SHIPMENTS}/{system.shipment}/dispatch", body).json()
    second = operator.get(f"{SHIPMENTS}/{second_id}").json()

    assert (dispatched["id"], dispatched["status"]) == (system.shipment, "dispatched")
    assert dispatched["lines"] == [{"sku": "MUG", "name": "Mug", "quantity": 1}]
    assert (second["order"], second["status"], second["carrier"]) == (system.order, "arranged", "")
    assert second["lines"] == [
        {"sku": "MUG", "name": "Mug", "quantity": 1},
        {"sku": "LAMP", "name": "Lamp", "quantity": 1},
    ]
    assert second["recipient"] == dispatched["recipient"]
    assert {each["id"] for each in operator.get(f"{SHIPMENTS}?order={system.order}").json()["results"]} == {
        system.shipment,
        second_id,
    }


def test_a_split_repeated_under_its_key_happens_once(operator: Any, system: Any) -> None:
    body = {**BY_MAIL, "lines": [{"sku": "LAMP", "quantity": 1}]}
    first, again = [
        operator.post(f"{SHIPMENTS}/{system.shipment}/dispatch", body, headers={"Idempotency-Key": "split"})
        for _ in range(2)
    ]

    assert (first.status_code, again.status_code, again.headers["Idempotent-Replayed"]) == (200, 200, "true")
    assert len(operator.get(f"{SHIPMENTS}?order={system.order}").json()["results"]) == 2


def test_more_units_than_the_shipment_has_are_refused(
    operator: Any, system: Any, all_rows: Callable[[], object]
) -> None:
    before = all_rows()
    for lines in ([("MUG", 3)], [("MUG", 1), ("MUG", 2)]):
        body = {**BY_MAIL, "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in lines]}
        response = operator.post(f"{SHIPMENTS}/{system.shipment}/dispatch", body)
        assert (response.status_code, kind_of(response)) == (409, "too_many_units")
        assert problem_of(response)["detail"] == f"Shipment {system.shipment} has only 2 × MUG."
    assert all_rows() == before


def test_a_step_out_of_order_or_repeated_is_refused(operator: Any, system: Any, all_rows: Callable[[], object]) -> None:
    before = all_rows()
    early = operator.post(f"{SHIPMENTS}/{system.shipment}/deliver", {})
    assert all_rows() == before
    operator.post(f"{SHIPMENTS}/{system.shipment}/dispatch", BY_MAIL)
    again = operator.post(f"{SHIPMENTS}/{system.shipment}/dispatch", BY_MAIL)

    assert [(response.status_code, kind_of(response)) for response in (early, again)] == [(409, "not_allowed")] * 2
    assert problem_of(early)["detail"] == f"Shipment {system.shipment} is arranged: cannot deliver."


def test_a_cancelled_shipment_cannot_be_dispatched(
    buyer: Any, operator: Any, system: Any, drain: Callable[..., int]
) -> None:
    buyer.post(f"/api/v1/orders/{system.order}/cancel", {})
    drain()

    assert operator.get(f"{SHIPMENTS}/{system.shipment}").json()["status"] == "cancelled"
    assert operator.post(f"{SHIPMENTS}/{system.shipment}/dispatch", BY_MAIL).status_code == 409


@pytest.mark.parametrize(("call", "body"), [("dispatch", BY_MAIL), ("deliver", {})])
def test_a_step_with_a_stale_etag_is_refused(operator: Any, system: Any, call: str, body: dict[str, Any]) -> None:
    response = operator.post(f"{SHIPMENTS}/{system.shipment}/{call}", body, headers={"If-Match": '"7"'})

    assert (response.status_code, kind_of(response)) == (412, "stale_version")


@pytest.mark.parametrize(
    ("call", "body", "error"),
    [
        ("dispatch", {"tracking_number": "1"}, ("#/carrier", "required")),
        ("dispatch", {"carrier": "DHL"}, ("#/tracking_number", "required")),
        ("dispatch", {**BY_MAIL, "carrier": ""}, ("#/carrier", "blank")),
        ("dispatch", {**BY_MAIL, "carrier": "x" * 81}, ("#/carrier", "max_length")),
        ("dispatch", {**BY_MAIL, "tracking_number": 123}, ("#/tracking_number", "invalid")),
        ("dispatch", {**BY_MAIL, "status": "delivered"}, ("#/status", "unknown_field")),
        ("dispatch", {**BY_MAIL, "lines": []}, ("#/lines", "empty")),
        ("dispatch", {**BY_MAIL, "lines": None}, ("#/lines", "null")),
        ("dispatch", {**BY_MAIL, "lines": "MUG"}, ("#/lines", "not_a_list")),
        ("dispatch", {**BY_MAIL, "lines": [MUGS] * 2_001}, ("#/lines", "max_length")),
        ("dispatch", {**BY_MAIL, "lines": [{"sku": "MUG"}]}, ("#/lines/0/quantity", "required")),
        ("dispatch", {**BY_MAIL, "lines": [{**MUGS, "quantity": 0}]}, ("#/lines/0/quantity", "min_value")),
        ("dispatch", {**BY_MAIL, "lines": [{**MUGS, "quantity": -1}]}, ("#/lines/0/quantity", "min_value")),
        ("dispatch", {**BY_MAIL, "lines": [{**MUGS, "quantity": 100_001}]}, ("#/lines/0/quantity", "max_value")),
        ("dispatch", {**BY_MAIL, "lines": [{**MUGS, "quantity": "1"}]}, ("#/lines/0/quantity", "invalid")),
        ("dispatch", {**BY_MAIL, "lines": [MUGS, {**MUGS, "sku": "BRICK"}]}, ("#/lines/1/sku", "not_in_shipment")),
        ("dispatch", {**BY_MAIL, "lines": [{**MUGS, "price": "1"}]}, ("#/lines/0/price", "unknown_field")),
        ("deliver", {"when": "now"}, ("#/when", "unknown_field")),
    ],
)
def test_an_invalid_step_is_refused(
    operator: Any,
    system: Any,
    all_rows: Callable[[], object],
    call: str,
    body: dict[str, Any],
    error: tuple[str, str],
) -> None:
    before = all_rows()

    assert errors_of(operator.post(f"{SHIPMENTS}/{system.shipment}/{call}", body)) == {error}
    assert all_rows() == before


def test_an_unknown_shipment_is_not_found(operator: Any, system: Any) -> None:
    for path in "S-999-1", system.order, f"{system.shipment}-1", "s-1-1", "S-", "S-1-1/", "1":
        response = operator.get(f"{SHIPMENTS}/{path}")
        assert (response.status_code, kind_of(response)) == (404, "not_found")


def test_shipments_are_listed_and_filtered(operator: Any, system: Any) -> None:
    def ids(query: str) -> list[str]:
        return [shipment["id"] for shipment in operator.get(f"{SHIPMENTS}?{query}").json()["results"]]

    assert operator.get(SHIPMENTS).json()["results"] == [operator.get(f"{SHIPMENTS}/{system.shipment}").json()]
    assert ids("status=arranged") == ids(f"order={system.order}") == [system.shipment]
    assert ids("status=delivered") == ids("order=R-1") == []


def test_the_number_of_statements_does_not_depend_on_the_page_size(
    buyer: Any, operator: Any, system: Any, drain: Callable[..., int], statements: Callable[..., Any]
) -> None:
    for _ in range(3):
        buyer.post("/api/v1/orders", system.order_body)
    drain()
    counts = []
    for size in 1, 4:
        with statements() as seen:
            response = operator.get(f"{SHIPMENTS}?page_size={size}")
        assert len(response.json()["results"]) == size
        counts.append(len(seen))

    assert counts[0] == counts[1] <= 6
