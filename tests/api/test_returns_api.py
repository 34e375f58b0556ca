"""Returns over REST: a buyer asks for one, staff decide and receive it, and stock and money change."""

from collections.abc import Callable
from typing import Any

import pytest
from api_calls import System, errors_of, kind_of, problem_of


@pytest.fixture
def shipped(system: System, operator: Any, drain: Callable[..., int]) -> str:
    """The number of the buyer's order of 2 mugs and a lamp, shipped and delivered."""
    carrier = {"carrier": "Royal Mail", "tracking_number": "RM1"}
    assert operator.post(f"/api/v1/shipments/{system.shipment}/dispatch", carrier).status_code == 200
    assert operator.post(f"/api/v1/shipments/{system.shipment}/deliver", {}).status_code == 200
    drain()
    return system.order


def a_return(order: str, **line: Any) -> dict[str, Any]:
    return {"order": order, "lines": [{"sku": "MUG", "quantity": 1, "reason": "damaged", **line}]}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"order": 7}, ("#/order", "invalid")),
        ({"lines": []}, ("#/lines", "empty")),
        ({"lines": None}, ("#/lines", "null")),
        ({"unheard": 1}, ("#/unheard", "unknown_field")),
        ({"note": "x" * 501}, ("#/note", "max_length")),
    ],
)
def test_a_bad_body_names_its_field(
    shipped: str, buyer: Any, all_rows: Callable[[], object], change: dict[str, Any], error: tuple[str, str]
) -> None:
    before = all_rows()
    assert errors_of(buyer.post("/api/v1/returns", {**a_return(shipped), **change})) == {error}
    assert all_rows() == before


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ({"quantity": 0}, ("#/lines/0/quantity", "min_value")),
        ({"quantity": -1}, ("#/lines/0/quantity", "min_value")),
        ({"quantity": "1"}, ("#/lines/0/quantity", "invalid")),
        ({"reason": "bored"}, ("#/lines/0/reason", "invalid_choice")),
        ({"reason": "withdrawn"}, ("#/lines/0/reason", "invalid_choice")),
        ({"sku": "ATLAS"}, ("#/lines/0/sku", "not_in_order")),
        ({"sku": "mug"}, ("#/lines/0/sku", "invalid")),
    ],
)
def test_a_bad_line_names_its_field(
    shipped: str, buyer: Any, all_rows: Callable[[], object], line: dict[str, Any], error: tuple[str, str]
) -> None:
    before = all_rows()
    assert errors_of(buyer.post("/api/v1/returns", a_return(shipped, **line))) == {error}
    assert all_rows() == before


def test_what_conflicts_with_the_order_changes_nothing(
    system: System, buyer: Any, stranger: Any, operator: Any, all_rows: Callable[[], object]
) -> None:
    before = all_rows()
    early = buyer.post("/api/v1/returns", a_return(system.order))
    assert (early.status_code, kind_of(early)) == (409, "nothing_to_return")
    assert stranger.post("/api/v1/returns", a_return(system.order)).status_code == 404
    assert operator.post("/api/v1/returns", a_return("R-999")).status_code == 404
    assert operator.post("/api/v1/returns", a_return("nonsense")).status_code == 404
    assert all_rows() == before


def test_beyond_what_was_shipped_is_refused(shipped: str, buyer: Any) -> None:
    assert buyer.post("/api/v1/returns", a_return(shipped, quantity=2)).status_code == 201
    beyond = buyer.post("/api/v1/returns", a_return(shipped, quantity=1))
    assert (beyond.status_code, kind_of(beyond)) == (409, "nothing_to_return")
    assert problem_of(beyond)["detail"].endswith("only 0 × MUG can be returned.")


def test_a_receipt_that_does_not_fit_changes_nothing(
    shipped: str, buyer: Any, operator: Any, all_rows: Callable[[], object]
) -> None:
    path = buyer.post("/api/v1/returns", a_return(shipped)).headers["Location"].partition("testserver")[2]
    line = {"sku": "MUG", "quantity": 1, "disposition": "restock"}
    fee = {"amount": "1.00", "currency": "USD"}

    def received(**body: Any) -> Any:
        return operator.post(f"{path}/receive", {"lines": [line], **body})

    assert kind_of(received()) == "not_allowed", "it is not approved"
    operator.post(f"{path}/approve", {})
    before = all_rows()
    assert kind_of(received(fee=fee)) == "fee_not_allowed"
    assert kind_of(received(lines=[{**line, "quantity": 2}])) == "not_that_many_expected"
    assert errors_of(received(lines=[{**line, "sku": "LAMP"}])) == {("#/lines/0/sku", "not_in_return")}
    assert errors_of(received(lines=[{**line, "disposition": "eaten"}])) == {
        ("#/lines/0/disposition", "invalid_choice")
    }
    assert errors_of(received(fee={**fee, "currency": "EUR"})) == {("#/fee/currency", "other_currency")}
    assert errors_of(received(fee={**fee, "amount": "-1.00"})) == {("#/fee/amount", "invalid")}
    assert errors_of(received(reduction={"amount": fee})) == {("#/reduction/reason", "required")}
    assert errors_of(operator.post(f"{path}/refuse", {})) == {("#/reason", "required")}
    assert kind_of(operator.post(f"{path}/approve", {})) == "not_allowed"
    assert operator.post(f"{path}/approve", {}, headers={"If-Match": '"1"'}).status_code == 412
    assert operator.post("/api/v1/returns/R-999-1/receive", {"lines": [line]}).status_code == 404
    assert all_rows() == before


def test_returns_are_listed_and_filtered(shipped: str, buyer: Any, stranger: Any, operator: Any) -> None:
    own = buyer.post("/api/v1/returns", a_return(shipped)).json()

    def ids(client: Any, query: str = "") -> list[str]:
        response = client.get(f"/api/v1/returns{query}")
        assert response.status_code == 200, response.content
        return [each["id"] for each in response.json()["results"]]

    assert ids(buyer) == ids(operator, f"?order={shipped}") == [own["id"]]
    assert ids(stranger) == []
    assert own["id"] in ids(operator, "?status=requested")
    assert ids(operator, "?status=closed") == []
    assert ids(buyer, f"?updated_after={own['updated_at']}") == [own["id"]]
    assert stranger.get(f"/api/v1/returns/{own['id']}").status_code == 404
    assert errors_of(buyer.get("/api/v1/returns?status=eaten")) == {("#/status", "invalid_choice")}
