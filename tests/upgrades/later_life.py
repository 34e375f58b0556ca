"""Creates orders with code that knows carts, vouchers, several parcels, holds, cancelled lines and returns.

The chapters of `life.py` come first. Then guests and buyers order from carts, parcels are split and lost, and goods
come back. Some of each are left in the middle, and the last requests are made while no worker runs.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.system.running_system import ADDRESS, Client
from tests.upgrades.life import FLAKY, MOMENT, PAYING, TEN_YEARS, Life
from tests.upgrades.old_code import Installation
from tests.upgrades.states import in_states

LINES = {"MUG-ENAMEL-BLUE": 3, "SPORK-TITANIUM": 2, "LANTERN-STORM": 1}
MUGS, SPORKS = "MUG-ENAMEL-BLUE", "SPORK-TITANIUM"
VOUCHERS: tuple[dict[str, Any], ...] = (
    {"code": "WELCOME", "kind": "percent", "value": "10", "limit": 1_000},
    {"code": "FIVER", "kind": "amount", "value": {"amount": "5.00", "currency": "USD"}, "limit_per_buyer": 100},
    {"code": "POSTFREE", "kind": "free_shipping", "value": None},
)
BOUNDLESS = "boundless_settings"
BOUNDLESS_SETTINGS = """
import os
from datetime import timedelta
GIVEN = {name: os.environ.pop(name, "") for name in ("PAYMENT_DEADLINE_MINUTES", "SANDBOX_FAILURE_RATE")}
from config.settings import *
for name, value in GIVEN.items():
    if value:
        os.environ[name] = value
if GIVEN["SANDBOX_FAILURE_RATE"]:
    SANDBOX_FAILURE_RATE = float(GIVEN["SANDBOX_FAILURE_RATE"])
if GIVEN["PAYMENT_DEADLINE_MINUTES"]:
    PAYMENT_DEADLINE = timedelta(minutes=float(GIVEN["PAYMENT_DEADLINE_MINUTES"]))
"""
"""Settings that accept a failure of each call and a deadline in ten years, which `config.settings` refuses."""
SETTINGS = {"CARRIERS": "sandbox", "SANDBOX_CARRIER_STEP_SECONDS": "1", "CARTS_PER_MINUTE": "100000"}

STATES = {
    "orders": ("ordering_order.status", ("partly_shipped", "returned")),
    "carts": ("ordering_cart.status", ("open", "checked_out", "merged", "expired")),
    "voucher claims": ("ordering_voucherclaim.status", ("held", "redeemed", "released")),
    "shipments": ("fulfillment_shipment.status", ("in_transit", "failed", "returned", "lost")),
    "decisions": ("fulfillment_shipment.resolution", ("refund", "send_again")),
    "returns": ("fulfillment_return.status", ("requested", "approved", "refused", "received", "closed")),
}
"""The column to count, and the values that must occur besides those of `states.py`."""

IN_JSON = {
    "holds": ("order_holds", ("requested", "active", "too_late", "lifted")),
    "cancellations of lines": ("line_cancellations", ("requested", "cancelled", "refused")),
}
"""The column of orders whose JSON must contain these statuses."""

OTHERS = {
    "orders that replace another": "ordering_order WHERE replaces <> ''",
    "withdrawals": "ordering_order WHERE CAST(withdrawal_facts AS text) LIKE '%settled%'",
    "read models": "integration_readmodelbuild WHERE ready AND error = ''",
    "goods in quarantine": "inventory_stockitem WHERE quarantined > 0",
    "orders of guests": "ordering_buyer WHERE user_id IS NULL",
}

OFFER = "from config.shop.demo_shop import offer_shipping; offer_shipping()"
SCAN = """
from fulfillment.commands import note_scan
from fulfillment.gateways.carriers import CarrierScan
from integration.domain import clock
note_scan("sandbox", CarrierScan(id="{number}-1", tracking_number="{number}", status="in_transit", at=clock.now()))
"""
EXPIRE_CARTS = """
from datetime import timedelta
from django.conf import settings
from ordering.policies.guests import expire_carts
settings.CART_EXPIRY = timedelta()
expire_carts()
"""


class Ordered(NamedTuple):
    """An order, the client that may open it, and its first shipment."""

    owner: Client
    number: str

    def parcel(self, n: int = 1) -> str:
        return f"S-{self.number.partition('-')[2]}-{n}"


class LaterLife(Life):
    """The life of a shop with carts and returns, from its opening to the end of its processes."""

    def __init__(self, shop: Installation, orders: int) -> None:
        super().__init__(shop, orders)
        (shop.folder / f"{BOUNDLESS}.py").write_text(BOUNDLESS_SETTINGS)
        python_path = f"{shop.environment['PYTHONPATH']}:{shop.folder}"
        shop.environment.update(SETTINGS, DJANGO_SETTINGS_MODULE=BOUNDLESS, PYTHONPATH=python_path)

    def live(self) -> None:
        self.open_shop()
        self.offer_more()
        self.do_business()
        self.sell_from_carts()
        self.send_parcels()
        self.take_goods_back()
        self.give_up_on_a_provider_that_fails()
        self.miss_deadlines()
        self.refuse_cancellations()
        waiting = self._sold(3 * self.some)
        self.stop_in_the_middle()
        self.ask_without_workers(waiting)
        self.check_orders()

    def check_orders(self) -> None:
        """Assert that the orders of `life.py` and those of the chapters here were placed."""
        placed = self.shop.count("SELECT count(*) FROM ordering_order")
        assert placed > self.orders, f"{placed} orders were placed"

    # --- The chapters ---

    def offer_more(self) -> None:
        """Add taxes, shipping options and vouchers."""
        self.shop.manage("load_tax_rates", "--countries", "GB")
        self.shop.run(OFFER)
        for voucher in VOUCHERS:
            self._expect(201, self.operator.post("/vouchers", voucher))

    def sell_from_carts(self) -> None:
        """Let carts be checked out, merged and expire; claim a guest's order, and cancel another with its voucher."""
        self.shop.serve(**FLAKY)
        guests = self._at_once(lambda n, code: self._check_out(code), ["WELCOME", "FIVER", "POSTFREE"] * self.some)
        self._at_once(lambda n, buyer: self._check_out("WELCOME", buyer), self._buyers(2 * self.some))
        token = {"access_token": guests[0].owner.headers["Authorization"].partition(" ")[2]}
        self._expect(200, self.buyers[0].post(f"/orders/{guests[0].number}/claim", token))
        cancelled = self._check_out("WELCOME")
        self._await_status("confirmed", cancelled)
        self._expect(202, self._cancel(cancelled.owner, cancelled.number))
        for _ in range(self.some):
            self._open_cart()
        self.shop.run(EXPIRE_CARTS)
        cart, headers = self._open_cart()
        self._expect(200, self.buyers[1].ask("POST", f"/api/v1/carts/{cart}/claim", {}, headers))
        self._open_cart(self.buyers[2])
        cart, headers = self._open_cart()
        self._expect(200, self.buyers[2].ask("POST", f"/api/v1/carts/{cart}/claim", {}, headers))
        self._open_cart()
        self.shop.settle()

    def send_parcels(self) -> None:
        """Split parcels, lose some of them, stop lines, hold orders; some parcels wait for a decision."""
        for fate in (
            self._split,
            self._lose,
            self._lose_and_refund,
            self._lose_and_send_again,
            self._bring_back,
            self._bring_back_for_a_refund,
            self._fail_to_deliver,
            self._cancel_lines,
            self._hold,
            self._hold_for_a_while,
            self._track,
        ):
            for order in self._sold(self.some):
                fate(order)
        self._label_parcels()
        self.shop.settle()

    def take_goods_back(self) -> None:
        """Bring returns into each of their states, and withdraw before and after parts have left."""
        for step in (
            self._ask_for_return,
            self._approve,
            self._refuse,
            lambda order: self._receive(order, {"restock": 1}),
            lambda order: self._receive(order, {"restock": 1, "quarantine": 1, "missing": 1}),
            lambda order: self._receive(order, {"write_off": 3}),
            self._return_all,
        ):
            for order in self._delivered(self.some):
                step(order)
        for order in self._sold(self.some):
            self._expect(202, order.owner.post(f"/orders/{order.number}/withdraw", {}))
        for order in self._sold(self.some):
            self._send(order, {MUGS: 2})
            self._expect(202, order.owner.post(f"/orders/{order.number}/withdraw", {}))
        self.shop.settle()

    def give_up_on_a_provider_that_fails(self) -> None:
        """Create dead letters: the mail server is unreachable. An operator skips one of them.

        A payment of unknown outcome becomes no dead letter with this code.
        """
        self.shop.environment["EXTERNAL_MAX_ATTEMPTS"] = "2"
        self.shop.serve(EMAIL_URL="smtp://127.0.0.1:9")
        for buyer in self._buyers(2 * self.some):
            self._place(buyer)
        for buyer in self._buyers(self.some):
            self._place(buyer, cancel=True)
        self.shop.settle()
        dead = self.operator.get("/deliveries", status="dead").body["results"]
        response = self.operator.post(f"/deliveries/{dead[0]['id']}/skip", {"reason": "nobody waits for it"})
        self._expect(200, response)
        del self.shop.environment["EXTERNAL_MAX_ATTEMPTS"]

    def miss_deadlines(self) -> None:
        """Create orders that are cancelled at their deadline, of which the provider has charged some already."""
        self.shop.serve(SANDBOX_FAILURE_RATE="1.6", PAYMENT_DEADLINE_MINUTES=MOMENT)
        numbers = self._at_once(lambda n, buyer: self._place(buyer), self._buyers(20 * self.some))
        cancelled = "ordering_order WHERE cancellation_reason = 'payment_timeout' AND number"
        self._await_some(15 * self.some, cancelled, numbers)
        self.shop.serve()
        self.shop.settle()

    def refuse_cancellations(self) -> None:
        """Cancel lines and hold orders that are dispatched, too, while ordering does not know that yet."""
        self.shop.serve()
        orders = self._sold(2 * self.some)
        self.shop.serve(("inventory", "billing", "fulfillment"))
        for n, order in enumerate(orders):
            self._send(order)
            if n % 2:
                self._cancel_lines(order)
            else:
                self._ask_for_hold(order)
        super().refuse_cancellations()

    def ask_without_workers(self, orders: list[Ordered]) -> None:
        """Make requests that nothing has handled when the processes end; the orders are confirmed.

        Some payments have an unknown outcome then, and some are requested.
        """
        self.shop.serve(
            ("ordering", "inventory", "billing"), SANDBOX_FAILURE_RATE="2", PAYMENT_DEADLINE_MINUTES=TEN_YEARS
        )
        numbers = self._at_once(lambda n, buyer: self._place(buyer), self._buyers(2 * self.some))
        self._await_some(2 * self.some, "billing_payment WHERE status = 'unknown' AND \"order\"", numbers)
        self.shop.serve(
            ("ordering", "inventory", "billing"), SANDBOX_LATENCY_MS="60000", PAYMENT_DEADLINE_MINUTES=TEN_YEARS
        )
        numbers = self._at_once(lambda n, buyer: self._place(buyer), self._buyers(self.some))
        self._await_some(self.some, "billing_payment WHERE status = 'requested' AND \"order\"", numbers)
        self.shop.kill()
        self.shop.serve((), PAYMENT_DEADLINE_MINUTES=TEN_YEARS)
        for n, order in enumerate(orders):
            if n % 3 == 0:
                self._ask_for_hold(order)
            elif n % 3 == 1:
                self._cancel_lines(order)
            else:
                self._expect(202, order.owner.post(f"/orders/{order.number}/withdraw", {}))
        for code in ("WELCOME", "FIVER"):
            self._check_out(code)
        self.shop.serve(("billing",), SANDBOX_LATENCY_MS="60000")
        self._await_claim("context = 'billing'")
        self.shop.kill()

    # --- Carts ---

    def _open_cart(self, buyer: Client | None = None) -> tuple[str, Mapping[str, str]]:
        """Open a cart with the usual lines; returns its id and the headers that open it."""
        who = buyer or self.shop.visitor
        response = who.post("/carts")
        assert response.status in (200, 201), response
        cart, headers = response.body["id"], {} if buyer else {"Cart-Token": response.body["token"]}
        for sku, quantity in LINES.items():
            path = f"/api/v1/carts/{cart}/items/{sku}"
            self._expect(200, who.ask("PUT", path, {"quantity": quantity}, headers))
        return cart, headers

    def _check_out(self, code: str = "", buyer: Client | None = None) -> Ordered:
        """Order from a new cart, with a voucher."""
        who = buyer or self.shop.visitor
        cart, headers = self._open_cart(buyer)
        self._expect(200, who.ask("PUT", f"/api/v1/carts/{cart}/shipping-address", ADDRESS, headers))
        self._expect(200, who.ask("PUT", f"/api/v1/carts/{cart}/shipping-option", {"id": "express"}, headers))
        if code:
            self._expect(200, who.ask("PUT", f"/api/v1/carts/{cart}/vouchers/{code}", {}, headers))
        body = {"payment_method": PAYING[0], **({} if buyer else {"email": f"guest-{cart[:8]}@example.com"})}
        order = self._expect(201, who.ask("POST", f"/api/v1/carts/{cart}/checkout", body, headers))
        return Ordered(buyer or Client(self.shop.port, order["access_token"]), order["number"])

    def _sold(self, count: int) -> list[Ordered]:
        """Sell from guests' carts, and wait for the shipments."""
        orders = self._at_once(lambda n, _: self._check_out("FIVER" if n % 2 else ""), range(count))
        for order in orders:
            self._await_status("confirmed", order)
        self._await_some(count, 'fulfillment_shipment WHERE "order"', [order.number for order in orders])
        return orders

    def _delivered(self, count: int) -> list[Ordered]:
        orders = self._sold(count)
        for order in orders:
            self._send(order)
            self._do(order, "deliver")
            self._await_status("delivered", order)
        return orders

    # --- Parcels ---

    def _send(self, order: Ordered, lines: Mapping[str, int] | None = None, n: int = 1) -> None:
        body: dict[str, Any] = {"carrier": "Example Parcels", "tracking_number": f"EP-{order.number}-{n}"}
        if lines:
            body["lines"] = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        self._expect(200, self.operator.post(f"/shipments/{order.parcel(n)}/dispatch", body))

    def _do(self, order: Ordered, what: str, n: int = 1, body: dict[str, Any] | None = None) -> None:
        self._expect(200, self.operator.post(f"/shipments/{order.parcel(n)}/{what}", body or {}))

    def _split(self, order: Ordered) -> None:
        self._send(order, {MUGS: 2, SPORKS: 2})

    def _lose(self, order: Ordered) -> None:
        self._send(order, {MUGS: 2})
        self._do(order, "lose")

    def _lose_and_refund(self, order: Ordered) -> None:
        self._lose(order)
        self._do(order, "resolve", body={"as": "refund"})

    def _lose_and_send_again(self, order: Ordered) -> None:
        self._lose(order)
        self._do(order, "resolve", body={"as": "send_again"})

    def _bring_back(self, order: Ordered) -> None:
        self._send(order)
        self._do(order, "fail")
        self._do(order, "return-to-sender")

    def _bring_back_for_a_refund(self, order: Ordered) -> None:
        self._bring_back(order)
        self._do(order, "resolve", body={"as": "refund"})

    def _fail_to_deliver(self, order: Ordered) -> None:
        self._send(order)
        self._do(order, "fail")

    def _cancel_lines(self, order: Ordered) -> None:
        body = {"reason": "too many", "lines": [{"sku": MUGS, "quantity": 2}]}
        self._expect(202, order.owner.post(f"/orders/{order.number}/cancel", body))

    def _ask_for_hold(self, order: Ordered) -> None:
        body = {"reason": "fraud_risk", "note": "ask the bank"}
        self._expect(202, self.operator.post(f"/orders/{order.number}/holds", body))

    def _hold(self, order: Ordered) -> str:
        self._ask_for_hold(order)
        holds = self.shop.until(
            lambda: self.operator.order(order.number)["holds"],
            lambda holds: holds[-1]["status"] != "requested",
            "a decided hold",
        )
        return str(holds[-1]["id"])

    def _hold_for_a_while(self, order: Ordered) -> None:
        hold = self._hold(order)
        self._expect(202, self.operator.ask("DELETE", f"/api/v1/orders/{order.number}/holds/{hold}"))

    def _track(self, order: Ordered) -> None:
        """Dispatch a parcel with the sandbox carrier, which scans it once."""
        number = f"SB-{order.number}"
        body = {"carrier": "sandbox", "tracking_number": number}
        self._expect(200, self.operator.post(f"/shipments/{order.parcel()}/dispatch", body))
        self.shop.run(SCAN.format(number=number))

    def _label_parcels(self) -> None:
        """Buy labels from the sandbox carrier, whose scans the workers play."""
        for service in ("sandbox_ok", "sandbox_fails_once", "sandbox_lost", "sandbox_returned"):
            (order,) = self._sold(1)
            body = {"carrier": "sandbox", "service": service}
            response = self.operator.post(f"/shipments/{order.parcel()}/dispatch", body)
            assert response.status in (200, 202), response

    # --- Returns ---

    def _ask_for_return(self, order: Ordered) -> str:
        lines = [{"sku": MUGS, "quantity": 3, "reason": "other"}, {"sku": SPORKS, "quantity": 1, "reason": "damaged"}]
        asked = order.owner.post("/returns", {"order": order.number, "lines": lines, "note": "see the photo"})
        return str(self._expect(201, asked)["id"])

    def _approve(self, order: Ordered) -> str:
        found = self._ask_for_return(order)
        if self._expect(200, self.operator.get(f"/returns/{found}"))["status"] == "requested":
            self._expect(200, self.operator.post(f"/returns/{found}/approve"))
        return found

    def _refuse(self, order: Ordered) -> None:
        found = self._ask_for_return(order)
        self._expect(200, self.operator.post(f"/returns/{found}/refuse", {"reason": "used for years"}))

    def _receive(self, order: Ordered, units: Mapping[str, int]) -> None:
        """Receive mugs by their condition; if all mugs came, the spork comes, too."""
        found = self._approve(order)
        lines = [{"sku": MUGS, "quantity": quantity, "disposition": how} for how, quantity in units.items()]
        if sum(units.values()) == 3:
            lines.append({"sku": SPORKS, "quantity": 1, "disposition": "restock"})
        self._expect(200, self.operator.post(f"/returns/{found}/receive", {"lines": lines}))

    def _return_all(self, order: Ordered) -> None:
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in LINES.items()]
        body = {"order": order.number, "lines": [{**line, "reason": "wrong_item"} for line in lines]}
        asked = self._expect(201, order.owner.post("/returns", body))
        if asked["status"] == "requested":
            self._expect(200, self.operator.post(f"/returns/{asked['id']}/approve"))
        received = {"lines": [{**line, "disposition": "restock"} for line in lines]}
        self._expect(200, self.operator.post(f"/returns/{asked['id']}/receive", received))

    def _await_status(self, status: str, order: Ordered) -> None:
        order.owner.order_once(order.number, status, self.shop.timeout)


def counted(count: Callable[[str], int]) -> dict[str, int]:
    """Count the rows in each state that `states.py` does not count, by the name of the state.

    Args:
        count: returns the number that a query selects.
    """
    in_json = {
        f"{what} {status}": f"ordering_order WHERE CAST({column} AS text) LIKE '%\"{status}\"%'"
        for what, (column, statuses) in IN_JSON.items()
        for status in statuses
    }
    others = {what: count(f"SELECT count(*) FROM {which}") for what, which in (OTHERS | in_json).items()}  # noqa: S608
    return {**in_states(STATES, count), **others}
