"""Over REST, a buyer cancels some lines of an order, and staff hold its goods back."""

from collections.abc import Callable
from typing import Any

import pytest
from api_calls import errors_of, kind_of

from fulfillment.commands import dispatch_shipment, shipment_of
from integration.domain.identifiers import OrderNumber

ORDERS = "/api/v1/orders"


@pytest.fixture
def order(buyer: Any, shop: object, order_body: dict[str, Any], drain: Callable[..., int]) -> OrderNumber:
    """A confirmed order of two mugs and a lamp."""
    number = buyer.post(ORDERS, order_body).json()["number"]
    drain()
    return OrderNumber(number)


def lines(**units: int) -> dict[str, Any]:
    return {"reason": "too many", "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in units.items()]}


def test_some_lines_are_cancelled(buyer: Any, order: OrderNumber, drain: Callable[..., int]) -> None:
    requested = buyer.post(f"{ORDERS}/{order}/cancel", lines(MUG=1))
    drain()
    shown = buyer.get(f"{ORDERS}/{order}").json()

    assert requested.status_code == 202
    asked = {"sku": "MUG", "quantity": 1}
    [pending], [done] = requested.json()["cancellations"], shown["cancellations"]
    assert pending == {"id": f"C{order[1:]}-1", "status": "requested", "lines": [{**asked, "cancelled": 0}]}
    assert done == {**pending, "status": "cancelled", "lines": [{**asked, "cancelled": 1}]}
    assert shown["status"] == "confirmed"
    assert {line["sku"]: line["cancelled"] for line in shown["lines"]} == {"MUG": 1, "LAMP": 0}
    assert shown["payment"]["refunded"] == {"amount": "12.50", "currency": "USD"}
    assert shown["payment"]["status"] == "partially_refunded"
    assert shown["shipments"][0]["lines"] == [{"sku": "MUG", "quantity": 1}, {"sku": "LAMP", "quantity": 1}]
    assert buyer.get(f"{ORDERS}?payment_status=paid").json()["results"] == []
    [listed] = buyer.get(f"{ORDERS}?payment_status=partially_refunded").json()["results"]
    assert listed["cancellations"] == shown["cancellations"]


def test_the_timeline_has_what_was_cancelled_and_refunded(
    buyer: Any, order: OrderNumber, drain: Callable[..., int]
) -> None:
    buyer.post(f"{ORDERS}/{order}/cancel", lines(MUG=1))
    drain()

    summaries = [event["summary"] for event in buyer.get(f"{ORDERS}/{order}/timeline").json()]
    assert any("1 × MUG" in each and "cancelled" in each for each in summaries)
    assert any("12.50 USD" in each and "less" in each for each in summaries)


def test_a_cancelled_order_shows_all_units_as_cancelled(
    buyer: Any, order: OrderNumber, drain: Callable[..., int]
) -> None:
    buyer.post(f"{ORDERS}/{order}/cancel", {})
    drain()

    shown = buyer.get(f"{ORDERS}/{order}").json()
    assert [line["cancelled"] for line in shown["lines"]] == [2, 1]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (lines(MUG=0), ("#/lines/0/quantity", "min_value")),
        (lines(MUG=-1), ("#/lines/0/quantity", "min_value")),
        (lines(ATLAS=1), ("#/lines/0/sku", "not_ordered")),
        ({"lines": []}, ("#/lines", "empty")),
        ({"lines": [{"sku": "MUG"}]}, ("#/lines/0/quantity", "required")),
        ({"lines": [{"sku": "MUG", "quantity": 1, "price": 1}]}, ("#/lines/0/price", "unknown_field")),
        ({"lines": [{"sku": "mug", "quantity": 1}]}, ("#/lines/0/sku", "invalid")),
        ({"rows": []}, ("#/rows", "unknown_field")),
    ],
)
def test_lines_that_are_none_are_refused(
    buyer: Any, order: OrderNumber, all_rows: Callable[[], object], body: dict[str, Any], error: tuple[str, str]
) -> None:
    before = all_rows()

    response = buyer.post(f"{ORDERS}/{order}/cancel", body)

    assert error in errors_of(response)
    assert all_rows() == before


def test_no_more_is_cancelled_than_is_open(buyer: Any, order: OrderNumber, all_rows: Callable[[], object]) -> None:
    buyer.post(f"{ORDERS}/{order}/cancel", lines(MUG=1))
    before = all_rows()

    response = buyer.post(f"{ORDERS}/{order}/cancel", lines(MUG=2))

    assert (response.status_code, kind_of(response)) == (409, "more_than_open")
    assert all_rows() == before


def test_lines_are_not_cancelled_before_the_confirmation(
    buyer: Any, shop: object, order_body: dict[str, Any], all_rows: Callable[[], object]
) -> None:
    number = buyer.post(ORDERS, order_body).json()["number"]
    before = all_rows()

    response = buyer.post(f"{ORDERS}/{number}/cancel", lines(MUG=1))

    assert (response.status_code, kind_of(response)) == (409, "not_allowed")
    assert all_rows() == before


def test_lines_are_not_cancelled_while_the_whole_order_is_to_be(buyer: Any, order: OrderNumber) -> None:
    buyer.post(f"{ORDERS}/{order}/cancel", {})

    response = buyer.post(f"{ORDERS}/{order}/cancel", lines(MUG=1))

    assert (response.status_code, kind_of(response)) == (409, "cancellation_under_way")


# --- Holds ---


def test_a_hold_is_placed_and_lifted(
    buyer: Any, operator: Any, order: OrderNumber, drain: Callable[..., int], all_rows: Callable[[], object]
) -> None:
    requested = operator.post(f"{ORDERS}/{order}/holds", {"reason": "fraud_risk", "note": "strange"})
    drain()
    hold = {"id": f"H{order[1:]}-1", "reason": "fraud_risk"}
    assert requested.status_code == 202
    assert requested.json()["holds"] == [{**hold, "status": "requested"}]
    assert buyer.get(f"{ORDERS}/{order}").json()["holds"] == [{**hold, "status": "active"}]
    assert buyer.get(ORDERS).json()["results"][0]["holds"] == [{**hold, "status": "active"}]

    before = all_rows()
    shipment = f"/api/v1/shipments/{shipment_of(order)}/dispatch"
    refused = operator.post(shipment, {"carrier": "DHL", "tracking_number": "1"})
    assert (refused.status_code, kind_of(refused)) == (409, "on_hold")
    assert hold["id"] in refused.json()["detail"]
    assert all_rows() == before

    lifted = operator.delete(f"{ORDERS}/{order}/holds/{hold['id']}")
    drain()
    assert (lifted.status_code, lifted.json()["holds"]) == (202, [{**hold, "status": "lifted"}])
    assert operator.post(shipment, {"carrier": "DHL", "tracking_number": "1"}).status_code == 200


def test_a_hold_that_was_lifted_stays_lifted(operator: Any, order: OrderNumber) -> None:
    operator.post(f"{ORDERS}/{order}/holds", {"reason": "other"})
    url = f"{ORDERS}/{order}/holds/H{order[1:]}-1"

    assert [operator.delete(url).status_code for _ in range(2)] == [202, 202]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, ("#/reason", "required")),
        ({"reason": "a whim"}, ("#/reason", "invalid_choice")),
        ({"reason": "other", "note": "x" * 501}, ("#/note", "max_length")),
        ({"reason": "other", "until": "tomorrow"}, ("#/until", "unknown_field")),
    ],
)
def test_a_hold_without_a_known_reason_is_refused(
    operator: Any, order: OrderNumber, all_rows: Callable[[], object], body: dict[str, Any], error: tuple[str, str]
) -> None:
    before = all_rows()

    assert error in errors_of(operator.post(f"{ORDERS}/{order}/holds", body))
    assert all_rows() == before


def test_there_is_nothing_to_hold_or_to_lift(
    operator: Any, order: OrderNumber, drain: Callable[..., int], all_rows: Callable[[], object]
) -> None:
    dispatch_shipment(shipment_of(order), "DHL", "1")
    operator.post(f"{ORDERS}/{order}/holds", {"reason": "other"})
    drain()
    before = all_rows()

    late = operator.post(f"{ORDERS}/{order}/holds", {"reason": "other"})
    over = operator.delete(f"{ORDERS}/{order}/holds/H{order[1:]}-1")
    unknown = operator.delete(f"{ORDERS}/{order}/holds/H{order[1:]}-9")

    assert (late.status_code, kind_of(late)) == (409, "not_allowed")
    assert (over.status_code, kind_of(over)) == (409, "hold_is_over")
    assert (unknown.status_code, kind_of(unknown)) == (404, "not_found")
    assert all_rows() == before


def test_a_buyer_holds_nothing(buyer: Any, order: OrderNumber, all_rows: Callable[[], object]) -> None:
    before = all_rows()

    assert buyer.post(f"{ORDERS}/{order}/holds", {"reason": "other"}).status_code == 403
    assert all_rows() == before
