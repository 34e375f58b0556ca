"""A guest's way from a cart to a refund over REST: the same steps for a generated client and for plain requests.

The steps call operations by their names in the OpenAPI document, such as `carts.carts_create`, and read the fields of
their responses as attributes.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tests.system.running_system import Client, eventually


class Api(Protocol):
    """Calls operations in the name of one caller."""

    def __call__(
        self, operation: str, *path: Any, body: dict[str, Any] | None = None, status: int = 200, **headers: str
    ) -> Any:
        """Call an operation, expect this status, and return the response's body."""


class Fields(dict[str, Any]):
    """A JSON object whose fields are attributes."""

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def to_dict(self) -> dict[str, Any]:
        return self


class Plain:
    """Sends plain requests to a server, whose own document says the method and path of each operation."""

    def __init__(self, client: Client) -> None:
        self.client = client
        document = client.ask("GET", "/api/schema?format=json").body
        self.operations = {
            operation["operationId"]: (method.upper(), path)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
            if isinstance(operation, dict)
        }

    def __call__(
        self, operation: str, *path: Any, body: dict[str, Any] | None = None, status: int = 200, **headers: str
    ) -> Any:
        method, template = self.operations[operation.partition(".")[2]]
        for value in path:
            before, _, rest = template.partition("{")
            template = f"{before}{value}{rest.partition('}')[2]}"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        response = self.client.ask(method, template, body, sent)
        assert response.status == status, (operation, response)
        return json.loads(json.dumps(response.body), object_hook=Fields)


def walk_from_cart_to_refund(
    guest: Api,
    operator: Api,
    as_owner: Callable[[str], Api],
    until: Callable[[Callable[[], Any], Callable[[Any], bool], str], Any],
    *,
    skus: tuple[str, str],
    address: Mapping[str, str],
    voucher: str,
    cart_key: Callable[[Any], Any] = str,
) -> str:
    """Order three units of a product and one of another from a cart, and send the three back.

    They leave in two parcels by lines. Two units that come back are put into stock again, and one into quarantine.
    Order, invoice, stock and movements must agree, and the refund must be the line's total.

    Args:
        as_owner: takes an order's access token.
        until: calls its first argument until its second accepts the result, which it returns.
        skus: the two products; a shipping option `standard` is offered for the address.
        cart_key: turns a cart's identifier into what the client takes in a path.

    Returns:
        The number of the order.
    """
    sku, other = skus
    before = operator("stock.stock_retrieve", sku)
    cart = guest("carts.carts_create", status=201)
    token, key = {"cart_token": cart.token}, cart_key(cart.id)
    for item, quantity in ((sku, 3), (other, 1)):
        guest("carts.carts_items_update", key, item, body={"quantity": quantity}, **token)
    guest("carts.carts_shipping_address_update", key, body=dict(address), **token)
    guest("carts.carts_shipping_option_update", key, body={"id": "standard"}, **token)
    priced = guest("carts.carts_vouchers_update", key, voucher, **token)
    assert [(each.code, each.applied) for each in priced.vouchers] == [(voucher, True)]

    paid_by = {"payment_method": "pm_card_visa", "email": "guest@example.com", "expected_total": priced.total.to_dict()}
    order = guest("carts.carts_checkout_create", key, body=paid_by, status=201, **token)
    assert order.total == priced.total
    owner, number = as_owner(order.access_token), order.number

    def order_once(status: str) -> Any:
        return until(lambda: owner("orders.orders_retrieve", number), lambda seen: seen.status == status, status)

    shown = until(lambda: owner("orders.orders_retrieve", number), lambda seen: bool(seen.shipments), "a shipment")
    assert (shown.status, shown.payment.status, shown.payment.paid) == ("confirmed", "paid", order.total)
    parcels = [f"S{number[1:]}-{n}" for n in (1, 2)]
    part = {"carrier": "Royal Mail", "tracking_number": "RM1", "lines": [{"sku": sku, "quantity": 3}]}
    operator("shipments.shipments_dispatch_create", parcels[0], body=part)
    order_once("partially_shipped")
    rest = {"carrier": "Royal Mail", "tracking_number": "RM2"}
    operator("shipments.shipments_dispatch_create", parcels[1], body=rest)
    for parcel in parcels:
        operator("shipments.shipments_deliver_create", parcel)
    order_once("delivered")

    wanted = {"order": number, "lines": [{"sku": sku, "quantity": 3, "reason": "damaged"}]}
    asked = owner("returns.returns_create", body=wanted, status=201)
    if asked.status == "requested":
        operator("returns.returns_approve_create", asked.id)
    received = [
        {"sku": sku, "quantity": 2, "disposition": "restock"},
        {"sku": sku, "quantity": 1, "disposition": "quarantine"},
    ]
    operator("returns.returns_receive_create", asked.id, body={"lines": received})

    def is_over(seen: Any) -> bool:
        return bool(seen.payment.refunded.amount != "0.00" and [each.status for each in seen.returns] == ["closed"])

    ended = until(lambda: owner("orders.orders_retrieve", number), is_over, "a refund")
    line = next(line for line in ended.lines if line.sku == sku)
    assert (line.returned, line.delivered) == (3, 3)
    assert ended.payment.refunded == line.total
    invoice = operator("invoices.invoices_retrieve", f"I{number[1:]}")
    assert [refund.amount for refund in invoice.refunds] == [line.total]
    stock = operator("stock.stock_retrieve", sku)
    assert (stock.on_hand, stock.quarantined) == (before.on_hand - 1, before.quarantined + 1)
    newest: dict[str, int] = {}
    for each in operator("stock.stock_movements_list", sku).results:
        newest.setdefault(each.kind, each.quantity)
    moved = {"shipped": 3, "came_back": 2, "came_back_to_quarantine": 1}
    assert {kind: newest[kind] for kind in moved} == moved
    return str(number)


def waiting(look: Callable[[], Any], is_it: Callable[[Any], bool], what: str) -> Any:
    """Wait for a server's workers, as `until` of the walk."""
    return eventually(look, is_it, what)
