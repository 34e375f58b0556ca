"""A buyer can place, read, list, track and cancel orders; staff of ordering see the orders of all buyers."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from api_calls import errors_of, kind_of, problem_of

from fulfillment.commands import deliver_shipment, dispatch_shipment
from integration.domain import clock
from integration.domain.identifiers import BuyerId, ShipmentId
from integration.history.entries import HistoryEntry, history_of
from integration.messaging.models import Delivery
from integration.read_models.lag import lag
from ordering.commands import grant_discount
from ordering.models import Order, OrderBoard, ShippingRate, TaxRate
from ordering.policies.saga import cancel_overdue_orders

ORDERS = "/api/v1/orders"


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


# --- Placing and reading ---


def test_a_new_order_has_these_fields(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    response = buyer.post(ORDERS, order_body)
    order = response.json()

    assert response.status_code == 201
    assert response.headers["Location"] == f"http://testserver{ORDERS}/{order['number']}"
    assert response.headers["ETag"] == '"1"'
    assert order.pop("number").startswith("R-")
    assert order.pop("placed_at") == order.pop("updated_at")
    assert order == {
        "status": "pending",
        "cancellation_reason": None,
        "lines": [
            line("MUG", quantity=2, unit_price=usd("12.50"), subtotal=usd("25.00"), total=usd("25.00")),
            line("LAMP", quantity=1, unit_price=usd("80.00"), subtotal=usd("80.00"), total=usd("80.00")),
        ],
        "subtotal": usd("105.00"),
        "discounts": [],
        "discount": usd("0.00"),
        "shipping": None,
        "tax": usd("0.00"),
        "taxes": [],
        "total": usd("105.00"),
        "prices_include_tax": False,
        "shipping_address": order_body["shipping_address"],
        "warnings": [],
        "cancellations": [],
        "holds": [],
        "returns": [],
        "withdrawals": [],
        "replaces": None,
        "payment": {
            "status": "pending",
            "method": "pm_card_visa",
            "authorized": usd("0.00"),
            "paid": usd("0.00"),
            "refunded": usd("0.00"),
            "next_action": None,
            "retry_until": None,
        },
        "shipments": [],
    }


def line(sku: str, **more: Any) -> dict[str, Any]:
    untaxed = {"discount": usd("0.00"), "tax": usd("0.00"), "tax_rate": "0"}
    none = dict.fromkeys(("cancelled", "shipped", "delivered", "returned", "lost"), 0)
    return {"sku": sku, "name": sku.title(), **untaxed, **more, **none}


def test_reading_an_order_returns_the_same_as_placing_it(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    placed = buyer.post(ORDERS, order_body)
    read = buyer.get(placed.headers["Location"])

    assert read.status_code == 200
    assert (read.json(), read.headers["ETag"]) == (placed.json(), placed.headers["ETag"])


def test_times_are_rfc_3339_in_utc(buyer: Any, system: Any) -> None:
    order = buyer.get(f"{ORDERS}/{system.order}").json()

    assert order["placed_at"].endswith("Z")
    assert order["placed_at"] < order["updated_at"]


def test_lines_with_the_same_sku_are_merged(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    order_body["lines"] = [{"sku": sku, "quantity": n} for sku, n in [("MUG", 1), ("LAMP", 1), ("MUG", 2)]]
    lines = buyer.post(ORDERS, order_body).json()["lines"]

    assert [(line["sku"], line["quantity"]) for line in lines] == [("MUG", 3), ("LAMP", 1)]


def test_a_discount_is_shown(buyer: Any, system: Any, order_body: dict[str, Any]) -> None:
    grant_discount(BuyerId(f"U-{buyer.user.pk}"), 10, "for being there")
    order = buyer.post(ORDERS, order_body).json()

    assert (order["subtotal"], order["discount"], order["total"]) == (usd("105.00"), usd("10.50"), usd("94.50"))
    assert order["discounts"] == [
        {"code": "lifetime_spend", "name": "Discount for loyal buyers", "amount": usd("10.50")}
    ]
    assert [(line["discount"], line["total"]) for line in order["lines"]] == [
        (usd("2.50"), usd("22.50")),
        (usd("8.00"), usd("72.00")),
    ]


def test_an_order_shows_its_tax_and_shipping(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    TaxRate.objects.create(country="GB", tax_class="standard", percent_thousandths=17_500, valid_from="2020-01-01")
    for option, price in (("post", 499), ("express", 999)):
        ShippingRate.objects.create(option=option, name=option.title(), currency="USD", price_minor=price)
    order = buyer.post(ORDERS, {**order_body, "shipping_option": "express"}).json()

    assert order["lines"][0]["tax_rate"] == "17.5"
    assert (order["lines"][0]["tax"], order["lines"][0]["total"]) == (usd("4.38"), usd("29.38"))
    assert order["shipping"] == {
        "option": "express",
        "name": "Express",
        "price": usd("9.99"),
        "discount": usd("0.00"),
        "tax": usd("1.75"),
        "total": usd("11.74"),
    }
    assert (order["tax"], order["taxes"]) == (usd("20.13"), [{"rate": "17.5", "amount": usd("20.13")}])
    assert order["total"] == usd("135.12")


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("shipping_option", "drone", ("#/shipping_option", "unknown_shipping_option")),
        ("shipping_option", "", ("#/shipping_option", "blank")),
        ("shipping_option", 1, ("#/shipping_option", "invalid")),
        ("shipping_option", "x" * 41, ("#/shipping_option", "max_length")),
        ("expected_total", {"amount": "-1", "currency": "USD"}, ("#/expected_total/amount", "invalid")),
        ("expected_total", "105.00", ("#/expected_total", "invalid")),
    ],
)
def test_an_order_with_bad_terms_is_refused(
    buyer: Any, shop: object, order_body: dict[str, Any], field: str, value: Any, error: tuple[str, str]
) -> None:
    assert errors_of(buyer.post(ORDERS, {**order_body, field: value})) == {error}
    assert Order.objects.count() == 0


def test_an_order_that_is_shipped_nowhere_is_refused(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    ShippingRate.objects.create(option="post", name="Post", countries="FR", currency="USD", price_minor=1)

    assert errors_of(buyer.post(ORDERS, order_body)) == {("#/shipping_address/country", "not_shipped_there")}


def test_an_order_is_placed_only_at_the_expected_total(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    refused = buyer.post(ORDERS, {**order_body, "expected_total": usd("104.99")})

    assert refused.status_code == 409
    assert problem_of(refused)["detail"] == "The order costs 105.00 USD, not 104.99 USD."
    assert Order.objects.count() == 0
    assert buyer.post(ORDERS, {**order_body, "expected_total": usd("105.00")}).status_code == 201


def test_a_buyer_can_watch_an_order_until_it_is_delivered(
    buyer: Any, operator: Any, system: Any, drain: Callable[..., int]
) -> None:
    confirmed = buyer.get(f"{ORDERS}/{system.order}").json()
    shipment = f"/api/v1/shipments/{system.shipment}"
    operator.post(f"{shipment}/dispatch", {"carrier": "Royal Mail", "tracking_number": "RM1"})
    drain()
    shipped = buyer.get(f"{ORDERS}/{system.order}").json()
    operator.post(f"{shipment}/deliver")
    drain()
    delivered = buyer.get(f"{ORDERS}/{system.order}").json()

    assert [order["status"] for order in (confirmed, shipped, delivered)] == ["confirmed", "shipped", "delivered"]
    assert confirmed["payment"] == {
        "status": "paid",
        "method": "pm_card_visa",
        "authorized": usd("0.00"),
        "paid": usd("105.00"),
        "refunded": usd("0.00"),
        "next_action": None,
        "retry_until": None,
    }
    lines = [{"sku": "MUG", "quantity": 2}, {"sku": "LAMP", "quantity": 1}]
    nothing = dict.fromkeys(("tracking_url", "resolution", "replaced_by"))
    parcel = {"id": system.shipment, **nothing, "lines": lines}
    arranged = {**parcel, "status": "arranged", "carrier": "", "tracking_number": ""}
    assert (confirmed["shipments"], [line["shipped"] for line in shipped["lines"]]) == ([arranged], [2, 1])
    assert [[line["delivered"] for line in order["lines"]] for order in (shipped, delivered)] == [[0, 0], [2, 1]]
    sent = {**parcel, "carrier": "Royal Mail", "tracking_number": "RM1"}
    assert shipped["shipments"] == [{**sent, "status": "dispatched"}]
    assert delivered["shipments"] == [{**sent, "status": "delivered"}]


def test_a_buyer_sees_what_is_in_each_parcel(buyer: Any, operator: Any, system: Any, drain: Callable[..., int]) -> None:
    second = f"{system.shipment[:-1]}2"
    body = {"carrier": "DHL", "tracking_number": "1", "lines": [{"sku": "MUG", "quantity": 1}]}
    operator.post(f"/api/v1/shipments/{system.shipment}/dispatch", body)
    drain()
    operator.post(f"/api/v1/shipments/{system.shipment}/deliver")
    drain()
    order = buyer.get(f"{ORDERS}/{system.order}").json()

    assert order["status"] == "partially_shipped"
    assert [(line["sku"], line["shipped"], line["delivered"]) for line in order["lines"]] == [
        ("MUG", 1, 1),
        ("LAMP", 0, 0),
    ]
    assert [(each["id"], each["status"], each["lines"]) for each in order["shipments"]] == [
        (system.shipment, "delivered", [{"sku": "MUG", "quantity": 1}]),
        (second, "arranged", [{"sku": "MUG", "quantity": 1}, {"sku": "LAMP", "quantity": 1}]),
    ]
    listed = buyer.get(f"{ORDERS}?status=partially_shipped&shipment_status=arranged").json()["results"]
    assert listed == [order]
    cancelled = buyer.post(f"{ORDERS}/{system.order}/cancel", {})
    assert (cancelled.status_code, kind_of(cancelled)) == (409, "not_allowed")


@pytest.mark.parametrize(
    ("lines", "method", "reason", "payment"),
    [
        ([{"sku": "MUG", "quantity": 1}], "pm_card_chargeDeclined", "payment_failed", "failed"),
        ([{"sku": "RELIC", "quantity": 1}], "pm_card_visa", "out_of_stock", "cancelled"),
    ],
)
def test_a_cancelled_order_shows_its_reason(
    buyer: Any,
    shop: object,
    order_body: dict[str, Any],
    drain: Callable[..., int],
    lines: list[Any],
    method: str,
    reason: str,
    payment: str,
) -> None:
    placed = buyer.post(ORDERS, {**order_body, "lines": lines, "payment_method": method})
    drain()
    order = buyer.get(placed.headers["Location"]).json()

    assert (order["status"], order["cancellation_reason"]) == ("cancelled", reason)
    assert order["payment"]["status"] == payment


# --- Several errors ---


def test_a_response_lists_all_errors(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    order_body["lines"] = [{"sku": "NONE", "quantity": 1}, {"sku": "MUG", "quantity": 1}, {"sku": "NIL", "quantity": 1}]
    response = buyer.post(ORDERS, {**order_body, "payment_method": "pm_none"})

    assert errors_of(response) == {
        ("#/lines/0/sku", "unknown_sku"),
        ("#/lines/2/sku", "unknown_sku"),
        ("#/payment_method", "unknown_payment_method"),
    }
    assert problem_of(response)["detail"] == "#/lines/0/sku: There is no product 'NONE'. And 2 more; see errors."


# --- Lists ---


@pytest.fixture
def seven(buyer: Any, shop: object, order_body: dict[str, Any], drain: Callable[..., int]) -> list[str]:
    """The numbers of seven orders, oldest first: five are confirmed, and the last two are cancelled."""
    numbers = [buyer.post(ORDERS, order_body).json()["number"] for _ in range(7)]
    drain()
    for number in numbers[-2:]:
        buyer.post(f"{ORDERS}/{number}/cancel", {})
    drain()
    return numbers


def numbers_in(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [order["number"] for order in response.json()["results"]]


def test_the_list_has_complete_orders_newest_first(buyer: Any, seven: list[str]) -> None:
    response = buyer.get(ORDERS)

    assert list(response.json()) == ["next", "previous", "results"]
    assert numbers_in(response) == seven[::-1]
    assert response.json()["results"][0] == buyer.get(f"{ORDERS}/{seven[-1]}").json()


@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
@pytest.mark.parametrize("size", [1, 3, 7, 200])
def test_pages_can_be_read_forwards_and_backwards(buyer: Any, seven: list[str], ordering: str, size: int) -> None:
    expected = seven if ordering == "created_at" else seven[::-1]
    url, pages = f"{ORDERS}?page_size={size}&ordering={ordering}", []
    while url:
        page = buyer.get(url)
        pages.append(numbers_in(page))
        url, back = page.json()["next"], page.json()["previous"]
    returned = [pages[-1]]
    while back:
        page = buyer.get(back)
        returned.insert(0, numbers_in(page))
        back = page.json()["previous"]

    assert [number for page in pages for number in page] == expected
    assert returned == pages
    assert {len(page) for page in pages[:-1]} <= {size}


def test_a_new_order_does_not_shift_later_pages(buyer: Any, seven: list[str], order_body: dict[str, Any]) -> None:
    first = buyer.get(f"{ORDERS}?page_size=3")
    buyer.post(ORDERS, order_body)

    assert numbers_in(first) + numbers_in(buyer.get(first.json()["next"])) == seven[::-1][:6]


def test_orders_with_the_same_time_all_appear_on_a_page(buyer: Any, seven: list[str]) -> None:
    buyer.get(ORDERS)
    OrderBoard.objects.update(created_at=OrderBoard.objects.earliest("created_at").created_at)
    found, url = [], f"{ORDERS}?page_size=2"
    while url:
        page = buyer.get(url)
        found += numbers_in(page)
        url = page.json()["next"]

    assert sorted(found) == sorted(seven)


def test_orders_are_filtered(buyer: Any, operator: Any, stranger: Any, seven: list[str]) -> None:
    third = buyer.get(f"{ORDERS}/{seven[2]}").json()["placed_at"]
    assert numbers_in(buyer.get(f"{ORDERS}?status=cancelled")) == seven[:4:-1]
    assert numbers_in(buyer.get(f"{ORDERS}?status=shipped")) == []
    assert numbers_in(buyer.get(f"{ORDERS}?payment_status=refunded")) == seven[:4:-1]
    assert numbers_in(buyer.get(f"{ORDERS}?payment_status=paid&status=confirmed")) == seven[4::-1]
    assert numbers_in(buyer.get(f"{ORDERS}?shipment_status=arranged")) == seven[4::-1]
    assert numbers_in(buyer.get(f"{ORDERS}?shipment_status=cancelled")) == seven[:4:-1]
    assert numbers_in(buyer.get(f"{ORDERS}?shipment_status=dispatched")) == []
    assert numbers_in(buyer.get(ORDERS, {"placed_after": third})) == seven[:1:-1]
    assert numbers_in(buyer.get(ORDERS, {"placed_before": third})) == seven[1::-1]
    assert numbers_in(buyer.get(ORDERS, {"placed_before": third.replace("Z", "+00:00")})) == seven[1::-1]
    assert numbers_in(operator.get(f"{ORDERS}?buyer=U-{buyer.user.pk}")) == seven[::-1]
    assert numbers_in(operator.get(f"{ORDERS}?buyer=U-{operator.user.pk}")) == []
    assert numbers_in(stranger.get(f"{ORDERS}?buyer=U-{buyer.user.pk}")) == []


def test_filters_apply_to_the_next_page(buyer: Any, seven: list[str]) -> None:
    first = buyer.get(f"{ORDERS}?status=confirmed&page_size=2&ordering=created_at")

    assert numbers_in(first) + numbers_in(buyer.get(first.json()["next"])) == seven[:4]


def test_the_number_of_statements_does_not_depend_on_the_page_size(
    buyer: Any, seven: list[str], statements: Callable[..., Any]
) -> None:
    counts = []
    for size in 7, 1, 7:
        with statements() as seen:
            buyer.get(f"{ORDERS}?page_size={size}")
        counts.append(len(seen))

    assert counts[1] == counts[2] <= 4
    assert counts[0] <= counts[1] + MOST_TO_CATCH_UP


MOST_TO_CATCH_UP = 15
"""The maximum number of statements for the order board to catch up before it is read."""


def test_the_list_includes_changes_made_just_before(
    buyer: Any, shop: object, order_body: dict[str, Any], statements: Callable[..., Any]
) -> None:
    for n in range(1, 4):
        placed = buyer.post(ORDERS, order_body)
        with statements() as seen:
            listed = buyer.get(ORDERS)
        assert listed.json()["results"][0] == placed.json()
        assert len(listed.json()["results"]) == n
        assert len(seen) <= 4 + MOST_TO_CATCH_UP
    cancelled = buyer.post(f"{placed.headers['Location']}/cancel", {})

    assert buyer.get(ORDERS).json()["results"][0] == cancelled.json()


def test_the_list_works_while_its_read_model_is_stopped_by_an_error(
    buyer: Any, shop: object, order_body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = buyer.post(ORDERS, order_body).json()["number"]
    assert numbers_in(buyer.get(ORDERS)) == [first]
    monkeypatch.setattr("integration.read_models.batch.Batch.write", lambda self, rows: 1 / 0)
    second = buyer.post(ORDERS, order_body)

    assert second.status_code == 201
    assert numbers_in(buyer.get(ORDERS)) == [first]
    assert {each.error for each in lag() if each.read_model == "ordering.order-board"} == {
        "ZeroDivisionError: division by zero"
    }
    monkeypatch.undo()
    assert numbers_in(buyer.get(ORDERS)) == [second.json()["number"], first]
    assert {each.error for each in lag()} == {""}


# --- The timeline ---


def test_the_timeline_lists_every_event_after_its_cause(buyer: Any, system: Any) -> None:
    response = buyer.get(f"{ORDERS}/{system.order}/timeline")
    story = response.json()

    assert response.status_code == 200
    assert {tuple(event) for event in story} == {
        ("event_id", "type", "context", "occurred_at", "causation_id", "summary", "by")
    }
    assert story[0]["type"] == "ordering.order_placed"
    assert {event["context"] for event in story} == {"ordering", "inventory", "billing", "fulfillment"}
    seen: set[str] = set()
    for event in story:
        assert event["causation_id"] is None or event["causation_id"] in seen
        assert event["summary"]
        seen.add(event["event_id"])


def by_type(client: Any, order: str) -> dict[str, str]:
    """By the type of an event, what the timeline says about who caused it."""
    return {event["type"]: event["by"] for event in client.get(f"{ORDERS}/{order}/timeline").json()}


def test_the_timeline_names_people_to_those_who_may_see_them(
    buyer: Any, operator: Any, system: Any, drain: Callable[..., int]
) -> None:
    body = {"carrier": "DHL", "tracking_number": "1"}
    assert operator.post(f"/api/v1/shipments/{system.shipment}/dispatch", body).status_code == 200
    buyer.user.first_name, buyer.user.last_name = "Ada", "King"
    buyer.user.save()
    seen_by_buyer, seen_by_staff = by_type(buyer, system.order), by_type(operator, system.order)
    placed, dispatched = "ordering.order_placed", "fulfillment.shipment_dispatched"
    assert (seen_by_buyer[placed], seen_by_buyer[dispatched]) == ("Ada King", "the shop")
    assert (seen_by_staff[placed], seen_by_staff[dispatched]) == ("Ada King", operator.user.username)
    total = Order.objects.get(pk=system.order).total
    because = f"automatically, because order {system.order} was placed for {total}: 2 × MUG, 1 × LAMP"
    assert seen_by_buyer["billing.invoice_issued"] == seen_by_staff["billing.invoice_issued"] == because
    assert not [by for by in [*seen_by_buyer.values(), *seen_by_staff.values()] if "user:" in by]


def test_the_timeline_says_that_time_had_come(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    number = buyer.post(ORDERS, order_body).json()["number"]
    with clock.moved(timedelta(hours=1)):
        Delivery.objects.all().delete()
        cancel_overdue_orders()
    assert by_type(buyer, number)["ordering.order_cancelled"] == "automatically, because its time had come"


def test_a_new_name_is_a_new_version_of_the_timeline(buyer: Any, operator: Any, system: Any) -> None:
    url = f"{ORDERS}/{system.order}/timeline"
    tag = operator.get(url).headers["ETag"]
    assert operator.get(url, headers={"If-None-Match": tag}).status_code == 304
    buyer.user.username = "adele"
    buyer.user.save()
    renamed = operator.get(url, headers={"If-None-Match": tag})
    assert renamed.status_code == 200
    assert renamed.json()[0]["by"] == "adele"


def test_polling_the_timeline_is_cheap_until_something_happens(buyer: Any, operator: Any, system: Any) -> None:
    url = f"{ORDERS}/{system.order}/timeline"
    tag = buyer.get(url).headers["ETag"]
    quiet = buyer.get(url, headers={"If-None-Match": tag})
    operator.post(f"/api/v1/shipments/{system.shipment}/dispatch", {"carrier": "DHL", "tracking_number": "1"})
    moved = buyer.get(url, headers={"If-None-Match": tag})

    assert (quiet.status_code, quiet.content, quiet.headers["ETag"]) == (304, b"", tag)
    assert quiet.headers["X-Correlation-Id"]
    assert moved.status_code == 200
    assert moved.headers["ETag"] != tag
    assert moved.json()[-1]["type"] == "fulfillment.shipment_dispatched"


def test_every_response_about_an_order_has_its_correlation_id(buyer: Any, operator: Any, system: Any) -> None:
    story = str(Order.objects.get(pk=system.order).correlation_id)
    responses = [
        buyer.get(f"{ORDERS}/{system.order}"),
        buyer.get(f"{ORDERS}/{system.order}/timeline"),
        operator.get(f"/api/v1/shipments/{system.shipment}"),
        operator.post(f"/api/v1/shipments/{system.shipment}/deliver"),
        buyer.post(f"{ORDERS}/{system.order}/cancel", {}),
    ]

    assert [response.status_code for response in responses] == [200, 200, 200, 409, 202]
    assert {response.headers["X-Correlation-Id"] for response in responses} == {story}


def test_a_valid_traceparent_is_recorded(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    number = buyer.post(ORDERS, order_body, headers={"traceparent": trace}).json()["number"]
    other = buyer.post(ORDERS, order_body, headers={"traceparent": "00-nonsense"}).json()["number"]

    def placed(number: str) -> HistoryEntry:
        return history_of("ordering").objects.get(stream_id=number)

    assert placed(number).traceparent == trace
    assert placed(number).actor == f"user:{buyer.user.pk}"
    assert placed(other).traceparent is None


def test_the_number_of_statements_does_not_depend_on_the_length_of_the_story(
    buyer: Any, operator: Any, system: Any, drain: Callable[..., int], statements: Callable[..., Any]
) -> None:
    counts = []
    for call in "dispatch", "deliver":
        with statements() as seen:
            buyer.get(f"{ORDERS}/{system.order}/timeline")
        counts.append(len(seen))
        body = {"carrier": "DHL", "tracking_number": "1"} if call == "dispatch" else {}
        assert operator.post(f"/api/v1/shipments/{system.shipment}/{call}", body).status_code == 200
        drain()
    with statements() as seen:
        buyer.get(f"{ORDERS}/{system.order}/timeline")

    assert {*counts, len(seen)} == {counts[0]}
    assert counts[0] <= 9


# --- Cancelling ---


def test_an_unpaid_order_is_cancelled_immediately(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    number = buyer.post(ORDERS, order_body).json()["number"]
    response = buyer.post(f"{ORDERS}/{number}/cancel", {"reason": "changed my mind"})

    assert response.status_code == 202
    assert (response.json()["status"], response.json()["cancellation_reason"]) == ("cancelled", "by_buyer")
    assert response.headers["ETag"] == buyer.get(f"{ORDERS}/{number}").headers["ETag"]


def test_cancelling_a_paid_order_refunds_the_payment(buyer: Any, system: Any, drain: Callable[..., int]) -> None:
    response = buyer.post(f"{ORDERS}/{system.order}/cancel")
    drain()
    order = buyer.get(f"{ORDERS}/{system.order}").json()

    assert (response.status_code, response.json()["status"]) == (202, "confirmed")
    assert (order["status"], order["cancellation_reason"]) == ("cancelled", "by_buyer")
    assert order["payment"]["status"] == "refunded"
    assert order["payment"]["refunded"] == order["payment"]["paid"] == usd("105.00")


@pytest.fixture
def refused(buyer: Any, system: Any, drain: Callable[..., int]) -> str:
    """The URL of an order that was dispatched before its cancellation could take effect."""
    dispatch_shipment(ShipmentId(system.shipment), "DHL", "JD014600003")
    assert buyer.post(f"{ORDERS}/{system.order}/cancel").status_code == 202
    drain()
    return f"{ORDERS}/{system.order}"


class TestARefusedCancellation:
    def test_is_shown_with_its_reason_and_time(self, buyer: Any, refused: str) -> None:
        order = buyer.get(refused).json()
        entry = history_of("ordering").objects.get(name="ordering.order_cancellation_refused")

        assert (order["status"], order["cancellation_reason"]) == ("shipped", None)
        assert order["cancellation_refusal"]["reason"] == "already_shipped"
        assert datetime.fromisoformat(order["cancellation_refusal"]["refused_at"]) == entry.occurred_at

    def test_is_shown_in_the_list(self, buyer: Any, operator: Any, refused: str, order_body: dict[str, Any]) -> None:
        buyer.post(ORDERS, order_body)

        for client in (buyer, operator):
            *others, shown = client.get(ORDERS).json()["results"]
            assert others
            assert not any("cancellation_refusal" in other for other in others)
            assert shown == client.get(refused).json()

    def test_is_still_shown_once_the_order_is_delivered(
        self, buyer: Any, refused: str, system: Any, drain: Callable[..., int]
    ) -> None:
        before = buyer.get(refused).json()["cancellation_refusal"]
        deliver_shipment(ShipmentId(system.shipment))
        drain()

        order = buyer.get(refused).json()
        assert (order["status"], order["cancellation_refusal"]) == ("delivered", before)

    @pytest.mark.parametrize("is_dispatched", [True, False])
    def test_is_not_shown_before_and_without_a_refusal(self, buyer: Any, system: Any, is_dispatched: bool) -> None:
        if is_dispatched:
            dispatch_shipment(ShipmentId(system.shipment), "DHL", "JD014600003")

        assert "cancellation_refusal" not in buyer.get(f"{ORDERS}/{system.order}").json()
        assert "cancellation_refusal" not in buyer.post(f"{ORDERS}/{system.order}/cancel").json()
        assert "cancellation_refusal" not in buyer.get(f"{ORDERS}/{system.order}").json()


def test_a_cancellation_by_staff_has_its_own_reason(
    buyer: Any, operator: Any, shop: object, order_body: dict[str, Any]
) -> None:
    number = buyer.post(ORDERS, order_body).json()["number"]

    assert operator.post(f"{ORDERS}/{number}/cancel", {}).json()["cancellation_reason"] == "by_operator"


def test_a_cancelled_order_cannot_be_cancelled_again(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    number = buyer.post(ORDERS, order_body).json()["number"]
    buyer.post(f"{ORDERS}/{number}/cancel", {})
    again = buyer.post(f"{ORDERS}/{number}/cancel", {})

    assert again.status_code == 409
    assert kind_of(again) == "not_allowed"
    assert number in problem_of(again)["detail"]


def test_a_cancellation_with_a_stale_etag_is_refused(buyer: Any, system: Any) -> None:
    stale = buyer.post(f"{ORDERS}/{system.order}/cancel", {}, headers={"If-Match": '"1"'})
    fresh = buyer.get(f"{ORDERS}/{system.order}").headers["ETag"]

    assert (stale.status_code, kind_of(stale)) == (412, "stale_version")
    assert buyer.post(f"{ORDERS}/{system.order}/cancel", {}, headers={"If-Match": fresh}).status_code == 202


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"reason": "x" * 501}, ("#/reason", "max_length")),
        ({"reason": 1}, ("#/reason", "invalid")),
        ({"message": "a", "code": "b"}, ("#/message", "unknown_field")),
        ({"status": "cancelled"}, ("#/status", "unknown_field")),
    ],
)
def test_an_invalid_cancellation_is_refused(
    buyer: Any, system: Any, body: dict[str, Any], error: tuple[str, str]
) -> None:
    assert error in errors_of(buyer.post(f"{ORDERS}/{system.order}/cancel", body))
    assert buyer.get(f"{ORDERS}/{system.order}").json()["status"] == "confirmed"


def test_the_money_of_an_order_may_be_authorized_first(
    buyer: Any, operator: Any, shop: object, order_body: dict[str, Any], drain: Callable[..., int], settings: Any
) -> None:
    settings.CAPTURE = "at_dispatch"
    number = buyer.post(ORDERS, order_body).json()["number"]
    drain()
    held = {"status": "authorized", "authorized": usd("105.00"), "paid": usd("0.00"), "refunded": usd("0.00")}
    payment = buyer.get(f"{ORDERS}/{number}").json()["payment"]
    assert {name: payment[name] for name in held} == held
    assert numbers_in(buyer.get(f"{ORDERS}?payment_status=authorized")) == [number]
    invoice = operator.get(f"/api/v1/invoices?order={number}").json()["results"][0]
    assert (invoice["status"], invoice["authorized"], invoice["paid"]) == ("authorized", usd("105.00"), usd("0.00"))
