"""Returns over REST: a buyer asks for one, staff decide and receive it, and stock and money change."""

from collections.abc import Callable
from typing import Any

import pytest
from api_calls import System, errors_of, kind_of, problem_of

from inventory.models import StockItem


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


def test_a_return_comes_in_two_parts_and_its_lines_are_refunded_to_the_cent(
    shipped: str, buyer: Any, operator: Any, drain: Callable[..., int]
) -> None:
    before = StockItem.objects.get(pk="MUG")
    asked = buyer.post("/api/v1/returns", a_return(shipped, quantity=2))
    assert asked.status_code == 201, asked.content
    path = asked.headers["Location"].partition("testserver")[2]
    assert asked.json() == buyer.get(path).json()
    assert {name: asked.json()[name] for name in ("order", "status", "fee", "refund", "label")} == {
        "order": shipped,
        "status": "requested",
        "fee": None,
        "refund": None,
        "label": None,
    }

    approved = operator.post(f"{path}/approve", {}, headers={"If-Match": asked.headers["ETag"]})
    assert (approved.status_code, approved.json()["status"]) == (200, "approved")
    assert approved.json()["shop_pays_postage"]
    for disposition in ("restock", "quarantine"):
        part = {"lines": [{"sku": "MUG", "quantity": 1, "disposition": disposition}]}
        received = operator.post(f"{path}/receive", part)
        assert (received.status_code, received.json()["status"]) == (200, "received"), received.content
        drain()

    closed = buyer.get(path).json()
    line = next(line for line in buyer.get(f"/api/v1/orders/{shipped}").json()["lines"] if line["sku"] == "MUG")
    after = StockItem.objects.get(pk="MUG")
    assert (closed["status"], closed["refund"]) == ("closed", line["total"])
    assert [line["restocked"] for line in closed["lines"]] == [line["quarantined"] for line in closed["lines"]] == [1]
    assert (after.on_hand - before.on_hand, after.quarantined - before.quarantined) == (1, 1)
    movements = operator.get("/api/v1/stock/MUG/movements?page_size=2").json()["results"]
    assert [(each["kind"], each["reference"]) for each in movements] == [
        ("came_back_to_quarantine", f"{closed['id']}-2"),
        ("came_back", f"{closed['id']}-1"),
    ]
    refunded = operator.get(f"/api/v1/invoices/I{shipped[1:]}").json()["refunded"]
    assert refunded == closed["refund"]


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


# --- Withdrawal ---


def test_a_buyer_withdraws_from_what_was_delivered_and_from_the_rest(
    shipped: str, buyer: Any, operator: Any, drain: Callable[..., int]
) -> None:
    declared = buyer.post(f"/api/v1/orders/{shipped}/withdraw", {})
    assert declared.status_code == 202, declared.content
    (withdrawal,) = declared.json()["withdrawals"]
    assert (withdrawal["status"], len(withdrawal["lines"])) == ("declared", 2)
    drain()
    order = buyer.get(f"/api/v1/orders/{shipped}").json()
    assert order["returns"] == [{"id": f"{shipped}-1", "status": "approved"}]
    lines = [{"sku": "MUG", "quantity": 2}, {"sku": "LAMP", "quantity": 1}]
    part = {"lines": [{**line, "disposition": "restock"} for line in lines]}
    fee = {"amount": "1.00", "currency": "USD"}
    path = f"/api/v1/returns/{shipped}-1/receive"
    assert kind_of(operator.post(path, {**part, "fee": fee})) == "fee_not_allowed"
    assert operator.post(path, part).status_code == 200
    drain()
    order = buyer.get(f"/api/v1/orders/{shipped}").json()
    assert (order["status"], order["payment"]["status"]) == ("returned", "refunded")
    assert [each["status"] for each in order["withdrawals"]] == ["settled"]
    assert [line["returned"] for line in order["lines"]] == [2, 1]
    listed = buyer.get("/api/v1/orders?status=returned").json()["results"]
    assert listed == [order]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"lines": []}, ("#/lines", "empty")),
        ({"lines": [{"sku": "MUG", "quantity": 0}]}, ("#/lines/0/quantity", "min_value")),
        ({"lines": [{"sku": "ATLAS", "quantity": 1}]}, ("#/lines/0/sku", "not_ordered")),
        ({"email": "nonsense"}, ("#/email", "invalid")),
        ({"email": 7}, ("#/email", "invalid")),
        ({"name": "x" * 201}, ("#/name", "max_length")),
        ({"reason": "bored"}, ("#/reason", "unknown_field")),
    ],
)
def test_a_bad_withdrawal_names_its_field(
    system: System, buyer: Any, all_rows: Callable[[], object], body: dict[str, Any], error: tuple[str, str]
) -> None:
    before = all_rows()
    assert errors_of(buyer.post(f"/api/v1/orders/{system.order}/withdraw", body)) == {error}
    assert all_rows() == before


def test_a_withdrawal_that_conflicts_with_the_order_changes_nothing(
    system: System, buyer: Any, stranger: Any, all_rows: Callable[[], object]
) -> None:
    path = f"/api/v1/orders/{system.order}/withdraw"
    before = all_rows()
    beyond = buyer.post(path, {"lines": [{"sku": "MUG", "quantity": 3}]})
    assert (beyond.status_code, kind_of(beyond)) == (409, "nothing_to_withdraw")
    assert stranger.post(path, {}).status_code == 404
    assert buyer.post(path, {}, headers={"If-Match": '"1"'}).status_code == 412
    assert all_rows() == before
