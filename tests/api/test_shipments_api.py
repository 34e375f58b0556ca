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
        "tracking_url": None,
        "lines": [
            {"sku": "MUG", "name": "Mug", "quantity": 2},
            {"sku": "LAMP", "name": "Lamp", "quantity": 1},
        ],
        "label": None,
        "scans": [],
        "resolution": None,
        "needs_human": False,
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
        ("dispatch", {"carrier": "DHL"}, ("#/tracking_number", "sells_no_labels")),
        ("dispatch", {"carrier": "sandbox", "service": "teleport"}, ("#/service", "unknown_service")),
        ("dispatch", {"carrier": "sandbox", "service": ""}, ("#/service", "blank")),
        ("dispatch", {**BY_MAIL, "service": "sandbox_ok"}, ("#/service", "no_label_is_bought")),
        ("dispatch", {"carrier": "sandbox", "lines": [{**MUGS, "sku": "BRICK"}]}, ("#/lines/0/sku", "not_in_shipment")),
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
        ("fail", {"reason": 7}, ("#/reason", "invalid")),
        ("lose", {"reason": "x" * 501}, ("#/reason", "max_length")),
        ("return-to-sender", {"at": "noon"}, ("#/at", "unknown_field")),
        ("resolve", {}, ("#/as", "required")),
        ("resolve", {"as": "forget"}, ("#/as", "invalid_choice")),
        ("resolve", {"as": None}, ("#/as", "null")),
        ("resolve", {"as": "refund", "note": "x"}, ("#/note", "unknown_field")),
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

    assert operator.get(f"{SHIPMENTS}/{system.shipment}").json() in operator.get(SHIPMENTS).json()["results"]
    assert ids(f"status=arranged&order={system.order}") == ids(f"order={system.order}") == [system.shipment]
    assert ids(f"status=delivered&order={system.order}") == ids("order=R-1") == []


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


# --- On its way ---


def post(client: Any, system: Any, what: str, body: dict[str, Any] | None = None) -> Any:
    return client.post(f"{SHIPMENTS}/{system.shipment}/{what}", body)


def test_a_shipment_is_lost_and_decided_about_once(operator: Any, system: Any) -> None:
    post(operator, system, "dispatch", BY_MAIL)
    lost = post(operator, system, "lose", {"reason": "the van burnt"})
    assert (lost.status_code, lost.json()["status"], lost.json()["needs_human"]) == (200, "lost", True)
    assert [each["id"] for each in operator.get(f"{SHIPMENTS}?status=lost").json()["results"]] == [system.shipment]

    resolved = post(operator, system, "resolve", {"as": "send_again"})
    assert (resolved.status_code, resolved.json()["resolution"], resolved.json()["needs_human"]) == (
        200,
        "send_again",
        False,
    )
    second = post(operator, system, "resolve", {"as": "refund"})
    assert (second.status_code, kind_of(second)) == (409, "already_resolved")


def test_the_statuses_are_called_as_the_api_calls_them(operator: Any, system: Any, drain: Callable[..., int]) -> None:
    post(operator, system, "dispatch", BY_MAIL)
    failed = post(operator, system, "fail")
    returned = post(operator, system, "return-to-sender")

    assert (failed.json()["status"], returned.json()["status"]) == ("delivery_failed", "returned_to_sender")
    assert [scan["status"] for scan in returned.json()["scans"]] == ["delivery_failed", "returned_to_sender"]
    assert operator.get(f"{SHIPMENTS}?status=returned_to_sender").json()["results"] == [returned.json()]
    drain()
    order = operator.get(f"/api/v1/orders/{system.order}").json()
    assert order["shipments"][0]["status"] == "returned_to_sender"
    for query in ("needs_human=true", "shipment_status=returned_to_sender"):
        assert [each["number"] for each in operator.get(f"/api/v1/orders?{query}").json()["results"]] == [system.order]
    others = operator.get("/api/v1/orders?needs_human=false").json()["results"]
    assert system.order not in [each["number"] for each in others]


@pytest.mark.parametrize("what", ["fail", "lose", "return-to-sender", "deliver", "resolve"])
def test_what_has_not_left_is_not_on_its_way(
    operator: Any, system: Any, all_rows: Callable[[], object], what: str
) -> None:
    before = all_rows()
    refused = post(operator, system, what, {"as": "refund"} if what == "resolve" else {})
    assert (refused.status_code, kind_of(refused)) == (409, "not_allowed")
    assert all_rows() == before


def test_an_order_that_replaces_another_one_says_so(operator: Any, system: Any, drain: Callable[..., int]) -> None:
    post(operator, system, "dispatch", BY_MAIL)
    post(operator, system, "lose")
    post(operator, system, "resolve", {"as": "send_again"})
    drain()

    (shipment,) = operator.get(f"/api/v1/orders/{system.order}").json()["shipments"]
    again = operator.get(f"/api/v1/orders/{shipment['replaced_by']}").json()
    assert shipment["resolution"] == "send_again"
    assert (again["replaces"], again["total"]["amount"], again["status"]) == (system.order, "0.00", "confirmed")


# --- Labels ---


def test_a_carrier_that_sells_labels_gives_the_tracking_number(
    operator: Any, system: Any, drain: Callable[..., int]
) -> None:
    requested = post(operator, system, "dispatch", {"carrier": "sandbox", "service": "sandbox_ok"})
    assert (requested.status_code, requested.json()["status"]) == (200, "arranged")
    assert requested.json()["label"] == {
        "status": "requested",
        "carrier": "sandbox",
        "service": "sandbox_ok",
        "reason": "",
    }
    assert kind_of(post(operator, system, "dispatch", {"carrier": "sandbox"})) == "label_under_way"
    drain()

    sent = operator.get(f"{SHIPMENTS}/{system.shipment}").json()
    assert (sent["status"], sent["label"]["status"]) == ("dispatched", "bought")
    assert sent["tracking_url"] == f"https://carrier.example/track/{sent['tracking_number']}"


def test_pages_to_print_are_escaped_and_load_nothing(
    operator: Any, buyer: Any, system: Any, order_body: dict[str, Any], drain: Callable[..., int]
) -> None:
    order_body["shipping_address"] |= {"recipient": "<script>alert(1)</script>"}
    number = buyer.post("/api/v1/orders", order_body).json()["number"]
    drain()
    shipment = f"S{number[1:]}-1"
    early = operator.get(f"{SHIPMENTS}/{shipment}/label")
    assert (early.status_code, kind_of(early)) == (409, "no_label")
    operator.post(f"{SHIPMENTS}/{shipment}/dispatch", {"carrier": "<b>DHL</b>", "tracking_number": "<i>1</i>"})

    for page in ("label", "packing-slip"):
        response = operator.get(f"{SHIPMENTS}/{shipment}/{page}")
        html = response.content.decode()
        assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
        assert "<svg " in html
        assert not any(tag in html for tag in ("<script", "<b>", "<i>", "href=", "src=", "onload"))
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert "&lt;i&gt;1&lt;/i&gt;" in operator.get(f"{SHIPMENTS}/{shipment}/label").content.decode()
