"""An example request that succeeds for every route of the API; a new route without one fails the tests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from django.core.cache import cache
from django.db import transaction
from django.urls import URLPattern, URLResolver, get_resolver

from billing.gateways.sandbox.adapter import adapter
from billing.models import Payment
from fulfillment.gateways.carriers import CarrierScan
from fulfillment.gateways.carriers.sandbox.adapter import adapter as carrier
from integration.domain import clock
from integration.domain.identifiers import CartId, OrderNumber
from integration.rest.guests import access_token
from ordering.commands import cart_token
from ordering.models import Order

BASE = "/api/v1/"


class System(NamedTuple):
    """The objects that the example requests refer to."""

    order: str
    shipment: str
    order_body: dict[str, Any]
    dead_letters: list[int]
    requested_return: str
    cart: str
    """The buyer's open cart."""
    guests_cart: str
    guests_order: str
    endpoint: str
    """A webhook endpoint."""
    waiting_order: str
    """An order whose payment is on its way."""
    declined_order: str
    """An order of the buyer whose payment was declined, and which waits for another."""
    payment_method: str
    """The buyer's own."""
    proposed: str
    """What the identifiers of two refunds that wait for a second person begin with."""


class Call(NamedTuple):
    """A request with a path relative to `BASE`. A body of bytes is sent unchanged, any other body as JSON."""

    method: str
    path: str
    body: Any = None
    who: str = "operator"
    headers: Mapping[str, str] = {}


class Route(NamedTuple):
    """A method of a path, such as `GET orders/<number:number>`."""

    method: str
    path: str
    view: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes() -> list[Route]:
    """Every method of every path of the API in the URLconf."""
    return [
        Route(method.upper(), path.removeprefix(BASE[1:]), view)
        for path, view in _views(get_resolver(), "")
        if path.startswith(BASE[1:])
        for method in ("get", "post", "put", "patch", "delete")
        if hasattr(view, method)
    ]


def _views(resolver: URLResolver, prefix: str) -> Iterator[tuple[str, Any]]:
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield path, getattr(entry.callback, "cls", None)
        else:
            yield from _views(entry, path)


PASSWORD = "correct horse battery staple"
PRICE = {"amount": "19.90", "currency": "USD"}


def examples(system: System) -> dict[str, Call]:
    """A request that succeeds for each route, in an order in which all of them succeed."""
    number, shipment, (one, other) = system.order, system.shipment, system.dead_letters
    cart, opening = f"carts/{system.cart}", {"Cart-Token": cart_token(CartId(system.guests_cart))}
    guests = Order.objects.get(pk=system.guests_order)
    opens = {"access_token": access_token(OrderNumber(guests.number), guests.correlation_id)}
    call_back, signed = adapter.call_back(Payment.objects.get(order=number).idempotency_key)
    lost = CarrierScan(id="1", tracking_number="SB1", status="lost", at=clock.now() + timedelta(hours=1))
    scanned, stamped = carrier.call_back(lost)
    hook = f"webhook-endpoints/{system.endpoint}"
    product = {"sku": "GLOBE", "name": "Globe", "price": PRICE}
    customer = {"username": "grace", "password": PASSWORD, "email": "grace@example.com", "name": "Grace Hopper"}
    return {
        "POST customers": Call("POST", "customers", customer, "anonymous"),
        "POST auth/tokens": Call("POST", "auth/tokens", {"username": "grace", "password": PASSWORD}, "anonymous"),
        "GET me": Call("GET", "me", who="buyer"),
        "GET me/export": Call("GET", "me/export", who="buyer"),
        "PATCH me": Call("PATCH", "me", {"name": "Ada King", "preferences": {"locale": "en-GB"}}, "buyer"),
        "GET products": Call("GET", "products?search=mug&in_stock=true", who="anonymous"),
        "POST products": Call("POST", "products", product),
        "GET products/<sku:sku>": Call("GET", "products/MUG", who="anonymous"),
        "PATCH products/<sku:sku>": Call("PATCH", "products/MUG", {"price": PRICE, "on_sale": True}),
        "GET orders": Call("GET", "orders?status=confirmed&ordering=created_at&page_size=10", who="buyer"),
        "POST orders": Call("POST", "orders", system.order_body, "buyer"),
        "GET orders/<number:number>": Call("GET", f"orders/{number}", who="buyer"),
        "GET orders/<number:number>/timeline": Call("GET", f"orders/{number}/timeline", who="buyer"),
        "POST vouchers": Call("POST", "vouchers", {"code": "TEN", "kind": "percent", "value": "10", "limit": 5}),
        "GET vouchers": Call("GET", "vouchers?kind=percent"),
        "GET vouchers/<sku:code>": Call("GET", "vouchers/WELCOME"),
        "PATCH vouchers/<sku:code>": Call("PATCH", "vouchers/WELCOME", {"value": "7.5"}),
        "POST carts": Call("POST", "carts", {}, "anonymous"),
        "GET carts/<uuid:id>": Call("GET", cart, who="buyer"),
        "PUT carts/<uuid:id>/items/<sku:sku>": Call("PUT", f"{cart}/items/LAMP", {"quantity": 2}, "buyer"),
        "DELETE carts/<uuid:id>/items/<sku:sku>": Call("DELETE", f"{cart}/items/LAMP", who="buyer"),
        "PUT carts/<uuid:id>/shipping-address": Call(
            "PUT", f"{cart}/shipping-address", system.order_body["shipping_address"], "buyer"
        ),
        "PUT carts/<uuid:id>/shipping-option": Call("PUT", f"{cart}/shipping-option", {"id": None}, "buyer"),
        "PUT carts/<uuid:id>/vouchers/<code:code>": Call("PUT", f"{cart}/vouchers/SPRING", {}, "buyer"),
        "DELETE carts/<uuid:id>/vouchers/<code:code>": Call("DELETE", f"{cart}/vouchers/SPRING", who="buyer"),
        "POST carts/<uuid:id>/claim": Call("POST", f"carts/{system.guests_cart}/claim", {}, "buyer", opening),
        "POST carts/<uuid:id>/checkout": Call(
            "POST",
            f"{cart}/checkout",
            {"payment_method": "pm_card_visa", "shipping_address": system.order_body["shipping_address"]},
            "buyer",
        ),
        "POST orders/<number:number>/claim": Call("POST", f"orders/{guests.number}/claim", opens, "buyer"),
        "POST orders/lookup": Call(
            "POST", "orders/lookup", {"number": guests.number, "email": "guest@example.com"}, "anonymous"
        ),
        "GET stock": Call("GET", "stock?low=false"),
        "GET stock/<sku:sku>": Call("GET", "stock/MUG"),
        "POST stock/<sku:sku>/receipts": Call("POST", "stock/MUG/receipts", {"quantity": 5, "reference": "D-1"}),
        "POST stock/<sku:sku>/adjustments": Call("POST", "stock/MUG/adjustments", {"delta": -1, "reason": "broken"}),
        "POST stock/<sku:sku>/quarantine": Call(
            "POST", "stock/LAMP/quarantine", {"quantity": 1, "to": "written_off", "reason": "cracked"}
        ),
        "GET stock/<sku:sku>/movements": Call("GET", "stock/MUG/movements?page_size=2"),
        "POST webhooks/payments/<slug:provider_name>": Call(
            "POST", "webhooks/payments/sandbox", call_back, "anonymous", signed
        ),
        "GET payment-config": Call("GET", "payment-config", who="anonymous"),
        "GET payment-methods": Call("GET", "payment-methods", who="buyer"),
        "POST payment-methods": Call("POST", "payment-methods", {"provider_token": "pm_card_visa"}, "buyer"),
        "GET payment-methods/<code:id>": Call("GET", f"payment-methods/{system.payment_method}", who="buyer"),
        "DELETE payment-methods/<code:id>": Call("DELETE", f"payment-methods/{system.payment_method}", who="buyer"),
        "GET invoices": Call("GET", f"invoices?order={number}&status=paid", who="buyer"),
        "GET invoices/<number:number>": Call("GET", f"invoices/I{number[1:]}", who="buyer"),
        "POST invoices/<number:number>/refunds": Call(
            "POST",
            f"invoices/I{number[1:]}/refunds",
            {"amount": {"amount": "1.00", "currency": "USD"}, "reason": "scratched"},
        ),
        "GET disputes": Call("GET", "disputes?status=opened"),
        "GET disputes/<slug:id>/evidence": Call("GET", "disputes/dp_1/evidence"),
        "GET refund-proposals": Call("GET", "refund-proposals?status=proposed"),
        "GET refund-proposals/<number:id>": Call("GET", f"refund-proposals/{system.proposed}-1"),
        "POST refund-proposals/<number:id>/approve": Call(
            "POST", f"refund-proposals/{system.proposed}-1/approve", {"note": "seen"}
        ),
        "POST refund-proposals/<number:id>/refuse": Call(
            "POST", f"refund-proposals/{system.proposed}-2/refuse", {"reason": "not a scratch"}
        ),
        "GET refunds/<number:id>": Call("GET", f"refunds/F{number[1:]}-1"),
        "GET payments/<number:id>": Call("GET", f"payments/P{number[1:]}-1"),
        "POST sandbox/payments/<number:id>/<slug:what>": Call(
            "POST", f"sandbox/payments/P{system.waiting_order[1:]}-1/settle", {}
        ),
        "GET shipments": Call("GET", f"shipments?status=arranged&order={number}"),
        "GET shipments/<number:id>": Call("GET", f"shipments/{shipment}"),
        "POST orders/<number:number>/cancel": Call("POST", f"orders/{number}/cancel", {"reason": "too late"}, "buyer"),
        "GET shipments/<number:id>/packing-slip": Call("GET", f"shipments/{shipment}/packing-slip"),
        "POST orders/<number:number>/payments": Call(
            "POST", f"orders/{system.declined_order}/payments", {"payment_method": "pm_card_visa"}, "buyer"
        ),
        "POST orders/<number:number>/holds": Call(
            "POST", f"orders/{number}/holds", {"reason": "fraud_risk", "note": "strange"}
        ),
        "DELETE orders/<number:number>/holds/<number:id>": Call("DELETE", f"orders/{number}/holds/H{number[1:]}-1"),
        "POST shipments/<number:id>/dispatch": Call(
            "POST", f"shipments/{shipment}/dispatch", {"carrier": "sandbox", "tracking_number": "SB1"}
        ),
        "GET shipments/<number:id>/label": Call("GET", f"shipments/{shipment}/label"),
        "POST shipments/<number:id>/fail": Call("POST", f"shipments/{shipment}/fail", {"reason": "nobody there"}),
        "POST shipments/<number:id>/lose": Call("POST", f"shipments/{shipment}/lose", {}),
        "POST shipments/<number:id>/return-to-sender": Call("POST", f"shipments/{shipment}/return-to-sender", {}),
        "POST shipments/<number:id>/deliver": Call("POST", f"shipments/{shipment}/deliver", {}),
        "POST returns": Call(
            "POST",
            "returns",
            {"order": number, "lines": [{"sku": "MUG", "quantity": 1, "reason": "damaged"}], "note": "no handle"},
            "buyer",
        ),
        "GET returns": Call("GET", f"returns?order={number}&status=requested", who="buyer"),
        "GET returns/<number:id>": Call("GET", f"returns/{number}-1", who="buyer"),
        "POST returns/<number:id>/approve": Call("POST", f"returns/{number}-1/approve", {}),
        "POST returns/<number:id>/receive": Call(
            "POST",
            f"returns/{number}-1/receive",
            {"lines": [{"sku": "MUG", "quantity": 1, "disposition": "quarantine"}]},
        ),
        "POST orders/<number:number>/withdraw": Call(
            "POST",
            f"orders/{number}/withdraw",
            {"lines": [{"sku": "LAMP", "quantity": 1}], "name": "Ada", "email": "ada@example.com"},
            "buyer",
        ),
        "POST returns/<number:id>/refuse": Call(
            "POST", f"returns/{system.requested_return}/refuse", {"reason": "used"}
        ),
        "POST webhooks/carriers/<slug:carrier_name>": Call(
            "POST", "webhooks/carriers/sandbox", scanned, "anonymous", stamped
        ),
        "POST shipments/<number:id>/resolve": Call("POST", f"shipments/{shipment}/resolve", {"as": "send_again"}),
        "GET feed": Call("GET", "feed?after=1&types=ordering.order-placed&wait=0"),
        "GET events/catalog": Call("GET", "events/catalog"),
        "GET consumers": Call("GET", "consumers"),
        "POST consumers/<wirename:name>/pause": Call(
            "POST", "consumers/ordering.tell-buyer-of-dispatch/pause", {"reason": "the mail server moves"}
        ),
        "POST consumers/<wirename:name>/resume": Call("POST", "consumers/ordering.tell-buyer-of-dispatch/resume", {}),
        "GET deliveries": Call("GET", "deliveries?status=dead"),
        "GET deliveries/<int:id>": Call("GET", f"deliveries/{one}"),
        "POST deliveries/<int:id>/replay": Call("POST", f"deliveries/{one}/replay", {}),
        "POST deliveries/<int:id>/skip": Call("POST", f"deliveries/{other}/skip", {"reason": "arranged by telephone"}),
        "POST deliveries/replay": Call("POST", "deliveries/replay", {"status": "dead"}),
        "GET webhook-endpoints": Call("GET", "webhook-endpoints?status=enabled"),
        "POST webhook-endpoints": Call(
            "POST",
            "webhook-endpoints",
            {"url": "https://erp.example/waybill", "events": ["ordering.order-placed"], "description": "the ERP"},
        ),
        "GET webhook-endpoints/<uuid:id>": Call("GET", hook),
        "PATCH webhook-endpoints/<uuid:id>": Call("PATCH", hook, {"ordered": True, "concurrency": 2}),
        "POST webhook-endpoints/<uuid:id>/test": Call("POST", f"{hook}/test", {}),
        "POST webhook-endpoints/<uuid:id>/rotate-secret": Call("POST", f"{hook}/rotate-secret", {}),
        "POST webhook-endpoints/<uuid:id>/replay": Call("POST", f"{hook}/replay", {"since": "2026-01-01T00:00:00Z"}),
        "GET webhook-endpoints/<uuid:id>/attempts": Call("GET", f"{hook}/attempts?test=false"),
        "DELETE webhook-endpoints/<uuid:id>": Call("DELETE", hook),
        # Last, because their callers are logged out.
        "DELETE auth/tokens/current": Call("DELETE", "auth/tokens/current", who="buyer"),
        "DELETE auth/tokens": Call("DELETE", "auth/tokens"),
    }


def problem_of(response: Any) -> dict[str, Any]:
    """The problem document of a response, after checking everything that all problem documents have in common."""
    assert response.headers["Content-Type"] == "application/problem+json", response.content
    problem = response.json()
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail"}
    assert ("errors" in problem) == (response.status_code == 422 or problem["type"].endswith(":voucher_not_applied"))
    assert problem["status"] == response.status_code
    assert problem["type"].startswith("urn:waybill:problem:")
    assert problem["title"]
    for part in [problem, *problem.get("errors", [])]:
        assert part["detail"][0].isupper() or not part["detail"][0].isalpha(), part
        assert part["detail"].endswith((".", "!", "?")), part
    for error in problem.get("errors", []):
        assert set(error) == {"pointer", "code", "detail"}
        assert error["pointer"].startswith("#")
    return problem


def kind_of(response: Any) -> str:
    """The kind of a problem: its type without the common prefix."""
    return problem_of(response)["type"].removeprefix("urn:waybill:problem:")


def errors_of(response: Any) -> set[tuple[str, str]]:
    """The pointer and the code of every error in the input."""
    assert response.status_code == 422, response.content
    assert kind_of(response) == "invalid_input"
    return {(error["pointer"], error["code"]) for error in response.json()["errors"]}


COMES_AFTER = {
    "POST consumers/<wirename:name>/resume": "POST consumers/<wirename:name>/pause",
    "POST auth/tokens": "POST customers",
    "DELETE orders/<number:number>/holds/<number:id>": "POST orders/<number:number>/holds",
    "GET refunds/<number:id>": "POST invoices/<number:number>/refunds",
    **dict.fromkeys(
        (
            "GET shipments/<number:id>/label",
            "POST shipments/<number:id>/deliver",
            "POST shipments/<number:id>/fail",
            "POST shipments/<number:id>/lose",
            "POST shipments/<number:id>/return-to-sender",
        ),
        "POST shipments/<number:id>/dispatch",
    ),
    "POST webhooks/carriers/<slug:carrier_name>": "POST shipments/<number:id>/dispatch",
    "POST shipments/<number:id>/resolve": "POST shipments/<number:id>/lose",
    "POST returns": "POST shipments/<number:id>/dispatch",
    "GET returns/<number:id>": "POST returns",
    "POST returns/<number:id>/approve": "POST returns",
    "POST returns/<number:id>/receive": "POST returns/<number:id>/approve",
}
"""Routes that only succeed after another one, which may itself come after another one."""


@contextmanager
def rolled_back() -> Iterator[None]:
    """Roll back all changes of the block, and forget what its requests count for the throttle."""
    cache.clear()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def steps_before(route: str) -> list[str]:
    """The routes that must be called before a route succeeds, the first of them first."""
    earlier = COMES_AFTER.get(route)
    return [*steps_before(earlier), earlier] if earlier else []
