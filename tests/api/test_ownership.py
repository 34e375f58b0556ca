"""Authorization: a table with one row for every method of every path. A new route fails these tests without a row."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from api_calls import System, examples, kind_of, rolled_back, routes, steps_before
from django.conf import settings
from django.contrib.auth.models import Permission

from tests.once import one_database


class Statuses(NamedTuple):
    """The status that each caller gets for a valid request."""

    anonymous: int
    stranger: int
    staff_of_others: int
    """Staff of every context except the route's."""
    owner: int
    staff: int
    """Staff of the route's context only."""


TABLE: dict[str, tuple[str, Statuses]] = {
    # route                                    context          anonymous, stranger, staff of others, owner, staff
    "POST auth/tokens":                       ("",             Statuses(201, 201, 201, 201, 201)),
    "DELETE auth/tokens":                     ("",             Statuses(401, 204, 204, 204, 204)),
    "DELETE auth/tokens/current":             ("",             Statuses(401, 204, 204, 204, 204)),
    "POST customers":                         ("ordering",     Statuses(201, 201, 201, 201, 201)),
    "GET me":                                 ("ordering",     Statuses(401, 200, 200, 200, 200)),
    "GET me/export":                          ("ordering",     Statuses(401, 200, 200, 200, 200)),
    "PATCH me":                               ("ordering",     Statuses(401, 200, 200, 200, 200)),
    "GET products":                           ("ordering",     Statuses(200, 200, 200, 200, 200)),
    "POST products":                          ("ordering",     Statuses(401, 403, 403, 403, 201)),
    "GET products/<sku:sku>":                 ("ordering",     Statuses(200, 200, 200, 200, 200)),
    "PATCH products/<sku:sku>":               ("ordering",     Statuses(401, 403, 403, 403, 200)),
    "GET orders":                             ("ordering",     Statuses(401, 200, 200, 200, 200)),
    "POST orders":                            ("ordering",     Statuses(401, 201, 201, 201, 201)),
    "GET orders/<number:number>":             ("ordering",     Statuses(401, 404, 404, 200, 200)),
    "GET orders/<number:number>/timeline":    ("ordering",     Statuses(401, 404, 404, 200, 200)),
    "POST orders/<number:number>/withdraw":  ("ordering",     Statuses(401, 404, 404, 202, 202)),
    "POST orders/<number:number>/cancel":     ("ordering",     Statuses(401, 404, 404, 202, 202)),
    "POST orders/<number:number>/payments":   ("ordering",     Statuses(401, 404, 404, 202, 202)),
    "POST orders/<number:number>/holds":      ("ordering",     Statuses(401, 403, 403, 403, 202)),
    "DELETE orders/<number:number>/holds/<number:id>": ("ordering", Statuses(401, 403, 403, 403, 202)),
    "GET vouchers":                           ("ordering",     Statuses(401, 403, 403, 403, 200)),
    "POST vouchers":                          ("ordering",     Statuses(401, 403, 403, 403, 201)),
    "GET vouchers/<sku:code>":                ("ordering",     Statuses(401, 403, 403, 403, 200)),
    "PATCH vouchers/<sku:code>":              ("ordering",     Statuses(401, 403, 403, 403, 200)),
    "POST orders/<number:number>/claim":      ("ordering",     Statuses(401, 200, 200, 200, 200)),
    "POST orders/lookup":                     ("ordering",     Statuses(202, 202, 202, 202, 202)),
    "POST carts":                             ("ordering",     Statuses(201, 201, 201, 200, 201)),
    "GET carts/<uuid:id>":                    ("ordering",     Statuses(404, 404, 404, 200, 404)),
    "PUT carts/<uuid:id>/items/<sku:sku>":    ("ordering",     Statuses(404, 404, 404, 200, 404)),
    "DELETE carts/<uuid:id>/items/<sku:sku>": ("ordering",     Statuses(404, 404, 404, 200, 404)),
    "PUT carts/<uuid:id>/shipping-address":   ("ordering",     Statuses(404, 404, 404, 200, 404)),
    "PUT carts/<uuid:id>/shipping-option":    ("ordering",     Statuses(404, 404, 404, 200, 404)),
    "PUT carts/<uuid:id>/vouchers/<code:code>": ("ordering",   Statuses(404, 404, 404, 200, 404)),
    "DELETE carts/<uuid:id>/vouchers/<code:code>": ("ordering", Statuses(404, 404, 404, 200, 404)),
    # With the token of a guest's cart.
    "POST carts/<uuid:id>/claim":             ("ordering",     Statuses(401, 200, 200, 200, 200)),
    "POST carts/<uuid:id>/checkout":          ("ordering",     Statuses(404, 404, 404, 201, 404)),
    "GET stock":                              ("inventory",    Statuses(401, 403, 403, 403, 200)),
    "GET stock/<sku:sku>":                    ("inventory",    Statuses(401, 403, 403, 403, 200)),
    "POST stock/<sku:sku>/receipts":          ("inventory",    Statuses(401, 403, 403, 403, 201)),
    "POST stock/<sku:sku>/adjustments":       ("inventory",    Statuses(401, 403, 403, 403, 201)),
    "POST stock/<sku:sku>/quarantine":        ("inventory",    Statuses(401, 403, 403, 403, 201)),
    "GET stock/<sku:sku>/movements":          ("inventory",    Statuses(401, 403, 403, 403, 200)),
    "GET payment-config":                     ("billing",      Statuses(200, 200, 200, 200, 200)),
    "GET payment-methods":                    ("billing",      Statuses(401, 200, 200, 200, 200)),
    "POST payment-methods":                   ("billing",      Statuses(401, 201, 201, 201, 201)),
    "GET payment-methods/<code:id>":        ("billing",      Statuses(401, 404, 404, 200, 404)),
    "DELETE payment-methods/<code:id>":     ("billing",      Statuses(401, 404, 404, 204, 404)),
    "GET invoices":                           ("billing",      Statuses(401, 200, 200, 200, 200)),
    "GET invoices/<number:number>":           ("billing",      Statuses(401, 404, 404, 200, 200)),
    "POST invoices/<number:number>/refunds":  ("billing",      Statuses(401, 403, 403, 403, 202)),
    "GET refund-proposals":                   ("billing",      Statuses(401, 403, 403, 403, 200)),
    "GET refund-proposals/<number:id>":       ("billing",      Statuses(401, 403, 403, 403, 200)),
    "POST refund-proposals/<number:id>/approve": ("billing",   Statuses(401, 403, 403, 403, 200)),
    "POST refund-proposals/<number:id>/refuse": ("billing",    Statuses(401, 403, 403, 403, 200)),
    "GET refunds/<number:id>":                ("billing",      Statuses(401, 403, 403, 403, 200)),
    "GET disputes":                           ("billing",      Statuses(401, 403, 403, 403, 200)),
    "GET disputes/<slug:id>/evidence":         ("billing",      Statuses(401, 403, 403, 403, 200)),
    "GET payments/<number:id>":               ("billing",      Statuses(401, 403, 403, 403, 200)),
    "POST sandbox/payments/<number:id>/<slug:what>": ("billing", Statuses(401, 403, 403, 403, 200)),
    "GET shipments":                          ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "GET shipments/<number:id>":              ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "POST shipments/<number:id>/dispatch":    ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "GET shipments/<number:id>/label":        ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "GET shipments/<number:id>/packing-slip": ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "POST shipments/<number:id>/deliver":     ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "GET returns":                            ("fulfillment",  Statuses(401, 200, 200, 200, 200)),
    "POST returns":                           ("fulfillment",  Statuses(401, 404, 404, 201, 201)),
    "GET returns/<number:id>":                ("fulfillment",  Statuses(401, 404, 404, 200, 200)),
    "POST returns/<number:id>/approve":       ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "POST returns/<number:id>/refuse":        ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "POST returns/<number:id>/receive":       ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "POST shipments/<number:id>/fail":        ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "POST shipments/<number:id>/lose":        ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "POST shipments/<number:id>/return-to-sender": ("fulfillment", Statuses(401, 403, 403, 403, 200)),
    "POST shipments/<number:id>/resolve":     ("fulfillment",  Statuses(401, 403, 403, 403, 200)),
    "GET consumers":                          ("integration",  Statuses(401, 403, 403, 403, 200)),
    "POST consumers/<wirename:name>/pause":  ("integration",  Statuses(401, 403, 403, 403, 200)),
    "POST consumers/<wirename:name>/resume": ("integration",  Statuses(401, 403, 403, 403, 200)),
    "GET feed":                               ("integration",  Statuses(401, 403, 403, 403, 200)),
    "GET events/catalog":                     ("integration",  Statuses(401, 403, 403, 403, 200)),
    "GET webhook-endpoints":                  ("integration",  Statuses(401, 403, 403, 403, 200)),
    "POST webhook-endpoints":                 ("integration",  Statuses(401, 403, 403, 403, 201)),
    "GET webhook-endpoints/<uuid:id>":        ("integration",  Statuses(401, 403, 403, 403, 200)),
    "PATCH webhook-endpoints/<uuid:id>":      ("integration",  Statuses(401, 403, 403, 403, 200)),
    "DELETE webhook-endpoints/<uuid:id>":     ("integration",  Statuses(401, 403, 403, 403, 204)),
    "POST webhook-endpoints/<uuid:id>/test":  ("integration",  Statuses(401, 403, 403, 403, 202)),
    "POST webhook-endpoints/<uuid:id>/rotate-secret": ("integration", Statuses(401, 403, 403, 403, 200)),
    "POST webhook-endpoints/<uuid:id>/replay": ("integration", Statuses(401, 403, 403, 403, 202)),
    "GET webhook-endpoints/<uuid:id>/attempts": ("integration", Statuses(401, 403, 403, 403, 200)),
    "GET deliveries":                         ("integration",  Statuses(401, 403, 403, 403, 200)),
    "GET deliveries/<int:id>":                ("integration",  Statuses(401, 403, 403, 403, 200)),
    "POST deliveries/replay":                 ("integration",  Statuses(401, 403, 403, 403, 202)),
    "POST deliveries/<int:id>/replay":        ("integration",  Statuses(401, 403, 403, 403, 202)),
    "POST deliveries/<int:id>/skip":          ("integration",  Statuses(401, 403, 403, 403, 200)),
    # The signature authenticates the payment provider and the carrier; tokens do not matter.
    "POST webhooks/carriers/<slug:carrier_name>": ("fulfillment", Statuses(204, 204, 204, 204, 204)),
    "POST webhooks/payments/<slug:provider_name>": ("billing", Statuses(204, 204, 204, 204, 204)),
}  # fmt: skip

NOT_BY_VIEWING = {"GET feed", "GET events/catalog"}
"""Routes that read, and need a permission of their own."""

CONTEXTS = {*settings.CONTEXTS, "integration"}
ROUTES = {str(route) for route in routes()}


def test_every_route_has_a_row_in_the_table() -> None:
    assert ROUTES - set(TABLE) == set(), "add a row to TABLE"


def test_every_route_has_an_example_that_succeeds(system: System) -> None:
    assert ROUTES - set(examples(system)) == set(), "add an example to api_calls.py"


@one_database
def test_every_caller_gets_the_status_in_the_table(
    system: System,
    callers: Callable[[str], dict[str, Any]],
    all_rows: Callable[[], object],
    subtests: pytest.Subtests,
) -> None:
    for route in sorted(ROUTES):
        with subtests.test(route), rolled_back():
            _compare_with_the_table(route, system, callers(TABLE[route][0]), all_rows)


def _compare_with_the_table(
    route: str, system: System, clients: dict[str, Any], all_rows: Callable[[], object]
) -> None:
    statuses = TABLE[route][1]
    changes = statuses.staff != statuses.stranger and not route.startswith("GET")
    expected = {
        **statuses._asdict(),
        "in the group but not staff": statuses.stranger,
        "staff with view permissions only": 403 if changes or route in NOT_BY_VIEWING else statuses.staff,
    }
    for earlier in steps_before(route):
        assert clients["staff of every context"].call(examples(system)[earlier]).status_code < 300
    call, before = examples(system)[route], all_rows()

    refused = {caller: status for caller, status in expected.items() if status >= 400}
    for caller, status in refused.items():
        response = clients[caller].call(call)
        assert response.status_code == status, (caller, response.content)
        assert kind_of(response) in {"not_authenticated", "permission_denied", "not_found"}
    assert all_rows() == before
    for caller in expected.keys() - refused.keys():
        with rolled_back():
            response = clients[caller].call(call)
            assert response.status_code == expected[caller], (caller, response.content)


@pytest.fixture
def callers(
    anonymous: Any, stranger: Any, buyer: Any, operator: Any, client_of: Callable[..., Any]
) -> Callable[[str], dict[str, Any]]:
    """Creates a client of every kind for a route of a context."""

    def of(context: str) -> dict[str, Any]:
        viewer = client_of("vera", staff=True)
        viewer.user.user_permissions.add(*Permission.objects.filter(codename__startswith="view_"))
        return {
            "anonymous": anonymous,
            "stranger": stranger,
            "staff_of_others": client_of("sam", *CONTEXTS - {context}),
            "owner": buyer,
            "staff": client_of("mary", context or "ordering"),
            "staff of every context": operator,
            "in the group but not staff": client_of("cleo", *CONTEXTS, staff=False),
            "staff with view permissions only": viewer,
        }

    return of


def test_a_buyer_sees_only_their_own_orders_in_a_list(
    buyer: Any, stranger: Any, operator: Any, system: System, order_body: dict[str, Any]
) -> None:
    theirs = stranger.post("/api/v1/orders", order_body).json()["number"]

    def numbers(client: Any) -> list[str]:
        return sorted(order["number"] for order in client.get("/api/v1/orders").json()["results"])

    assert numbers(buyer) == [system.order, system.declined_order]
    assert numbers(stranger) == [theirs]
    assert {system.order, theirs} < {*numbers(operator)}
    others = [system.requested_return.rpartition("-")[0], system.guests_order, system.waiting_order]
    others.append(system.declined_order)
    assert numbers(operator) == sorted([system.order, *others, theirs])


def test_a_placed_order_is_hidden_from_other_buyers(
    stranger: Any, system: System, order_body: dict[str, Any], buyer: Any
) -> None:
    placed = stranger.post("/api/v1/orders", order_body).json()["number"]

    assert buyer.get(f"/api/v1/orders/{placed}").status_code == 404
