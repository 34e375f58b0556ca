"""The way of an order from placing to delivery over REST, as buyer and operator see it, on real processes."""

from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from running_system import ADDRESS, Client, System, eventually

pytestmark = pytest.mark.system

MUG, PAN, COMPASS, KETTLE = "MUG-ENAMEL-BLUE", "PAN-IRON-26", "COMPASS-BRASS", "KETTLE-CAMP-COPPER"

MILESTONES = [
    "ordering.order_placed",
    "inventory.goods_reserved",
    "billing.payment_requested",
    "billing.payment_succeeded",
    "ordering.order_confirmed",
    "fulfillment.shipment_arranged",
    "fulfillment.shipment_dispatched",
    "ordering.order_shipped",
    "fulfillment.shipment_delivered",
    "ordering.order_delivered",
]


@pytest.fixture(scope="module")
def buyer(system: System) -> Client:
    """A client of a buyer who has just registered."""
    username, password = f"ada-{uuid4().hex[:8]}", uuid4().hex
    customer = {"username": username, "password": password, "email": f"{username}@example.com", "name": "Ada"}
    assert system.visitor.post("/customers", customer).status == 201
    return system.visitor.log_in(username, password)


@pytest.fixture(scope="module")
def operator(system: System) -> Client:
    return system.visitor.log_in("operator", "operator")


def dollars(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def stocks(operator: Client, *skus: str) -> dict[str, dict[str, int]]:
    return {sku: operator.stock(sku) for sku in skus}


def assert_causal(timeline: list[dict[str, Any]]) -> None:
    """Assert that each event comes after the event that caused it."""
    places = {event["event_id"]: place for place, event in enumerate(timeline)}
    assert len(places) == len(timeline)
    causes = [(places[event["causation_id"]], places[event["event_id"]]) for event in timeline if event["causation_id"]]
    assert causes
    assert [(cause, effect) for cause, effect in causes if cause >= effect] == []


def types(timeline: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in timeline]


class TestGoodOrder:
    def test_is_confirmed(self, buyer: Client) -> None:
        order = buyer.order_once(buyer.place({MUG: 2, PAN: 1}), "confirmed")
        assert [(line["sku"], line["quantity"], line["shipped"]) for line in order["lines"]] == [
            (MUG, 2, 0),
            (PAN, 1, 0),
        ]
        assert order["total"] == dollars("92.50")
        assert order["payment"] == {
            "status": "paid",
            "method": "pm_card_visa",
            "authorized": dollars("0.00"),
            "paid": dollars("92.50"),
            "refunded": dollars("0.00"),
            "next_action": None,
            "retry_until": None,
        }
        assert order["shipping_address"] == ADDRESS

    def test_is_delivered_after_an_operator_dispatches_and_delivers_it(self, buyer: Client, operator: Client) -> None:
        before = operator.stock(COMPASS)
        number = buyer.place({COMPASS: 3})
        buyer.order_once(number, "confirmed")
        assert operator.stock(COMPASS) == {
            "on_hand": before["on_hand"],
            "reserved": before["reserved"] + 3,
            "available": before["available"] - 3,
        }

        shipment = operator.shipment_of(number)
        assert (shipment["status"], shipment["lines"]) == (
            "arranged",
            [{"sku": COMPASS, "name": "Brass Compass", "quantity": 3}],
        )
        sent = operator.post(
            f"/shipments/{shipment['id']}/dispatch", {"carrier": "Pigeon Post", "tracking_number": "PP-1"}
        )
        assert (sent.status, sent.body["status"]) == (200, "dispatched")
        order = buyer.order_once(number, "shipped")
        assert [line["shipped"] for line in order["lines"]] == [3]

        arrived = operator.post(f"/shipments/{shipment['id']}/deliver")
        assert (arrived.status, arrived.body["status"]) == (200, "delivered")
        order = buyer.order_once(number, "delivered")
        assert order["shipments"] == [
            {
                "id": shipment["id"],
                "status": "delivered",
                "carrier": "Pigeon Post",
                "tracking_number": "PP-1",
                "tracking_url": None,
                "resolution": None,
                "replaced_by": None,
                "lines": [{"sku": COMPASS, "quantity": 3}],
            }
        ]
        gone = {**before, "on_hand": before["on_hand"] - 3, "available": before["available"] - 3}
        eventually(lambda: operator.stock(COMPASS), lambda stock: stock == gone, f"stock of {gone}")

        self.assert_timeline_is_complete(buyer.timeline(number), operator.timeline(number))

    def assert_timeline_is_complete(self, timeline: list[dict[str, Any]], staff_timeline: list[dict[str, Any]]) -> None:
        assert [{**event, "by": ""} for event in timeline] == [{**event, "by": ""} for event in staff_timeline]
        assert_causal(timeline)
        assert {event["context"] for event in timeline} == {"ordering", "inventory", "billing", "fulfillment"}
        places = [types(timeline).index(milestone) for milestone in MILESTONES]
        assert all(earlier < later for earlier, later in pairwise(places))
        assert all(event["summary"] and event["type"].startswith(f"{event['context']}.") for event in timeline)
        ids = {event["event_id"] for event in timeline}
        began = [event["type"] for event in timeline if event["causation_id"] not in ids]
        # People caused these events, and a routine numbers invoices. Another event of the story caused each other one.
        assert [type for type in began if type != "billing.invoice_numbered"] == [
            "ordering.order_placed",
            "fulfillment.shipment_dispatched",
            "fulfillment.shipment_delivered",
        ]


def test_a_declined_payment_cancels_the_order_and_frees_its_goods(buyer: Client, operator: Client) -> None:
    before = stocks(operator, MUG, KETTLE)
    number = buyer.place({MUG: 5, KETTLE: 1}, method="pm_card_chargeDeclinedInsufficientFunds")

    order = buyer.order_once(number, "cancelled")
    assert order["cancellation_reason"] == "payment_failed"
    assert (order["payment"]["status"], order["payment"]["paid"]) == ("failed", dollars("0.00"))
    eventually(lambda: stocks(operator, MUG, KETTLE), lambda now: now == before, f"stocks of {before}")

    timeline = buyer.timeline(number)
    assert_causal(timeline)
    assert {"inventory.goods_reserved", "billing.payment_failed", "inventory.reservation_released"} <= set(
        types(timeline)
    )
    assert operator.get("/shipments", order=number).body["results"] == []


def test_an_order_for_more_than_the_stock_is_cancelled_and_not_charged(buyer: Client, operator: Client) -> None:
    before = stocks(operator, MUG, KETTLE)
    number = buyer.place({MUG: 1, KETTLE: before[KETTLE]["available"] + 1})

    order = buyer.order_once(number, "cancelled")
    assert order["cancellation_reason"] == "out_of_stock"
    assert (order["payment"]["status"], order["payment"]["paid"]) == ("cancelled", dollars("0.00"))
    assert stocks(operator, MUG, KETTLE) == before

    seen = eventually(lambda: types(buyer.timeline(number)), lambda t: "billing.invoice_voided" in t, "a void invoice")
    assert "inventory.reservation_refused" in seen
    assert [type_ for type_ in seen if type_.startswith("billing.payment")] == []


def test_an_order_cancelled_after_payment_is_refunded_released_and_not_shipped(buyer: Client, operator: Client) -> None:
    before = stocks(operator, PAN)
    number = buyer.place({PAN: 4})
    buyer.order_once(number, "confirmed")
    shipment = operator.shipment_of(number)

    assert buyer.post(f"/orders/{number}/cancel", {"reason": "I have one already."}).status == 202
    order = buyer.order_once(number, "cancelled")
    assert order["cancellation_reason"] == "by_buyer"
    money = eventually(lambda: buyer.order(number)["payment"], lambda p: p["status"] == "refunded", "a refund")
    assert (money["paid"], money["refunded"]) == (dollars("258.00"), dollars("258.00"))
    assert operator.get(f"/shipments/{shipment['id']}").body["status"] == "cancelled"
    eventually(lambda: stocks(operator, PAN), lambda now: now == before, f"stocks of {before}")

    refused = operator.post(
        f"/shipments/{shipment['id']}/dispatch", {"carrier": "Pigeon Post", "tracking_number": "PP-2"}
    )
    assert refused.status == 409
    timeline = buyer.timeline(number)
    assert_causal(timeline)
    places = [
        types(timeline).index(milestone)
        for milestone in (
            "ordering.order_cancellation_requested",
            "fulfillment.shipment_cancelled",
            "billing.refund_issued",
        )
    ]
    assert places == sorted(places)


def test_every_response_names_its_correlation_id(system: System, buyer: Client) -> None:
    responses = [
        buyer.get("/orders"),
        buyer.get("/orders/R-0"),
        system.visitor.get("/orders"),
        buyer.get("/products"),
    ]
    assert [response.status for response in responses] == [200, 404, 401, 200]
    assert len({UUID(response.headers["X-Correlation-Id"]) for response in responses}) == len(responses)


def test_only_its_buyer_sees_an_order(system: System, buyer: Client) -> None:
    number = buyer.place({MUG: 1})
    other = system.visitor.log_in("buyer", "buyer")
    assert other.get(f"/orders/{number}").status == other.get(f"/orders/{number}/timeline").status == 404
    assert other.post(f"/orders/{number}/cancel").status == 404
    buyer.order_once(number, "confirmed")


def test_the_buyer_gets_mail(system: System, buyer: Client, operator: Client) -> None:
    number = buyer.place({MUG: 1})
    buyer.order_once(number, "confirmed")
    shipment = operator.shipment_of(number)
    operator.post(f"/shipments/{shipment['id']}/dispatch", {"carrier": "Pigeon Post", "tracking_number": "PP-3"})
    for what in ("is confirmed", f"is on its way ({shipment['id']})"):
        subject = f"Subject: Your order {number} {what}"
        letters = eventually(lambda: letters_of(system), lambda letters, subject=subject: subject in letters, subject)
        assert letters.count(subject) == 1


def letters_of(system: System) -> str:
    """The text of all mail that the system has sent. Without a mail server it writes mail to files."""
    mail = Path(system.environment["WAYBILL_VAR"], "mail")
    return "".join(letter.read_text() for letter in mail.rglob("*.eml"))


def test_all_deliveries_succeed_at_the_first_attempt_and_no_error_is_logged(system: System, buyer: Client) -> None:
    buyer.order_once(buyer.place({MUG: 1}), "confirmed")
    eventually(system.count_pending, lambda pending: pending == 0, "no delivery pending")
    assert system.read("SELECT consumer, error FROM integration_delivery WHERE status <> 'done' OR attempts > 1") == []
    assert [
        line for said in system.output.values() for line in said.splitlines() if "ERROR" in line or "Traceback" in line
    ] == []


def test_files_are_written_only_to_the_configured_folder(system: System) -> None:
    files = {system.folder / "var", *(system.folder / f"{name}.log" for name in system.programs)}
    assert set(system.folder.iterdir()) - files == set()
