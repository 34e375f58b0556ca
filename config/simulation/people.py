"""Buyers, carriers and the payment provider use the shop over its API, and all of them are unreliable.

Buyers order what is out of stock, pay with declined cards, repeat requests and change their minds. Carriers come at any
time, and take an order whole or in parts. The payment provider drops connections before or after the charge, has
outages, and sends call-backs twice, late or early. Requests are cut off, and clients repeat them under the same key.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, Group

from billing.gateways.sandbox.adapter import DECLINES, adapter
from billing.gateways.sandbox.models import Transaction
from config.simulation.aftercare import ASKED_FOR_RETURN, Aftercare
from config.simulation.carts import Shoppers
from config.simulation.clients import Caller, Client
from config.simulation.world import World
from fulfillment.models import Shipment, ShipmentLine, ShipmentStatus
from integration.contracts.billing import TEST_METHODS, TROUBLED_METHODS, WAITING_METHODS
from integration.domain.identifiers import OrderNumber, Sku, sibling
from integration.domain.money import Money
from inventory.commands import quarantine_stock, stock_up
from ordering.commands import list_products
from ordering.models import Order, OrderLine, OrderStatus

PAYING, DECLINED = sorted(TEST_METHODS - WAITING_METHODS - TROUBLED_METHODS - DECLINES.keys()), sorted(DECLINES)
PLENTY, SCARCE, NONE, FREE = ["MUG", "LAMP", "ATLAS", "ROPE"], ["CANOE", "STOVE"], "RELIC", "LEAFLET"
PRICES = {"MUG": "12.50", "LAMP": "80.00", "ATLAS": "1000.00", "ROPE": "0.99", "CANOE": "980.00", "STOVE": "95.00"}
PRICES[FREE] = "0.00"

SCARCE_GOODS, NO_GOODS, BAD_CARD, CHANGED_MIND, ASKED_AGAIN, FROM_CART = 0.2, 0.03, 0.12, 0.2, 0.15, 0.5
IN_PARTS = 0.3
FREE_EVERY = 20
"""One of so many orders costs nothing and names no payment method."""
BETWEEN_ORDERS = 15.0
"""Seconds from one order to the next, on average."""
USUAL_FAILURES, OUTAGE = 0.3, 2.0
"""`SANDBOX_FAILURE_RATE` usually, and during an outage, when every call fails."""
SHORTEST_OUTAGE, LONGEST_OUTAGE = 60.0, 2_700.0
BETWEEN_INSPECTIONS = 300.0
BROKEN = 0.2
"""The share of delivered orders of which goods are refunded."""


def furnish(orders: int) -> None:
    """List and stock goods, some of them too few for the orders."""
    goods = [*PLENTY, *SCARCE, NONE, FREE]
    list_products([(Sku(sku), sku.title(), "", Money(Decimal(PRICES.get(sku, "49.00")), "USD")) for sku in goods])
    stock = {**dict.fromkeys([*PLENTY, FREE], 10 * orders + 1_000), **dict.fromkeys(SCARCE, orders // 10 + 1)}
    stock_up([(Sku(sku), quantity) for sku, quantity in stock.items()], "opening stock")


class Buyers(Client):
    """Place orders, repeat requests, and cancel."""

    def __init__(self, world: World, orders: int) -> None:
        super().__init__(world)
        users = get_user_model().objects
        self.users = [
            users.create_user(f"buyer-{n}", f"buyer-{n}@example.com", first_name=f"Buyer {n}")
            for n in range(1, orders // 5 + 2)
        ]
        self.carrier = Carrier(world)
        self.shoppers = Shoppers(world)
        self.shoppers.create_vouchers(self.carrier.operator)
        self.numbers: dict[str, str] = {}
        for n in range(orders):
            world.after(world.random.uniform(0, BETWEEN_ORDERS * orders), self._order, f"order-{n}", self._wish(n))

    def _wish(self, n: int) -> dict[str, Any]:
        random = self.world.random
        skus = random.sample(PLENTY, random.randint(1, 3))
        if self.world.chances(SCARCE_GOODS):
            skus.append(random.choice(SCARCE))
        if self.world.chances(NO_GOODS):
            skus.append(NONE)
        wish: dict[str, Any] = {
            "lines": [{"sku": sku, "quantity": random.randint(1, 3)} for sku in skus],
            "shipping_address": {
                "recipient": "Ada Lovelace",
                "street": "12 St James's Square",
                "city": "London",
                "postal_code": "SW1Y 4JH",
                "country": "GB",
            },
            "payment_method": random.choice(DECLINED if self.world.chances(BAD_CARD) else PAYING),
        }
        if n % FREE_EVERY == FREE_EVERY - 1:
            wish["lines"] = [{"sku": FREE, "quantity": 1}]
            del wish["payment_method"]
        return wish

    def _order(self, key: str, wish: Mapping[str, Any]) -> None:
        world, user = self.world, self.users[int(key.partition("-")[2]) % len(self.users)]
        if key not in self.numbers and world.chances(FROM_CART):
            self.shoppers.shop(key, wish, user, self._go_on)
            return
        response = self.post("/api/v1/orders", wish, user=user, key=key)
        number = response.data.get("number", "")
        if response.status_code != 201 or self.numbers.setdefault(key, number) != number:
            world.offenders.append(
                f"{key} was {self.numbers.get(key)} and the response is {response.status_code} {number}"
            )
            return
        if world.chances(ASKED_AGAIN):
            world.tally["orders asked for again"] += 1
            world.after(world.soon(20), self._order, key, wish)
        if "Idempotent-Replayed" not in response.headers:
            self._go_on(number, user)

    def _go_on(self, number: str, owner: Caller) -> None:
        """Schedule what happens to a new order of this owner."""
        world = self.world
        world.after(world.soon(120), self.carrier.dispatch, OrderNumber(number), 1)
        self.carrier.aftercare.begin(OrderNumber(number), owner)
        if world.chances(CHANGED_MIND):
            world.after(world.soon(60), self._cancel, number, owner)

    def _cancel(self, number: str, user: Caller) -> None:
        body, again = {"reason": "changed my mind"}, self.world.chances(ASKED_AGAIN)
        for _ in range(1 + again):
            response = self.post(f"/api/v1/orders/{number}/cancel", body, user=user, key=f"cancel-{number}")
        self.world.tally["cancellations refused" if response.status_code == 409 else "cancellations"] += 1


class Carrier(Client):
    """Dispatches and delivers shipments, at random times."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.operator = get_user_model().objects.create_user("operator", is_staff=True)
        self.operator.groups.set(Group.objects.all())
        self.aftercare = Aftercare(world, self.operator, self.dispatch)

    def dispatch(self, order: OrderNumber, attempt: int, parcel: int = 1) -> None:
        """Dispatch a shipment of an order, or a part of it; try again until that succeeds or the order has ended."""
        body: dict[str, Any] = {"carrier": "DHL", "tracking_number": order}
        packed = ShipmentLine.objects.filter(shipment=sibling("S", order, parcel), quantity__gt=0).order_by("sku")
        if self.world.chances(IN_PARTS) and (line := packed.first()):
            body["lines"] = [{"sku": line.sku, "quantity": self.world.random.randint(1, line.quantity)}]
        if self._act("dispatch", order, parcel, body, attempt):
            self.world.after(self.world.soon(600), self.deliver, order, parcel)
            if Shipment.objects.filter(pk=sibling("S", order, parcel + 1)).exists():
                self.world.tally["shipments split"] += 1
                self.world.after(self.world.soon(600), self.dispatch, order, 1, parcel + 1)
        elif self._may_leave_later(order, parcel):
            self.world.after(120, self.dispatch, order, attempt + 1, parcel)

    def _may_leave_later(self, order: OrderNumber, parcel: int) -> bool:
        """Whether a shipment is arranged, or may still be."""
        if found := Shipment.objects.filter(pk=sibling("S", order, parcel)).first():
            return found.status == ShipmentStatus.ARRANGED
        return not Order.objects.filter(pk=order, status=OrderStatus.CANCELLED).exists()

    def deliver(self, order: OrderNumber, parcel: int) -> None:
        """Deliver a shipment of an order, unless it is lost or comes back."""
        if self.aftercare.goes_wrong(order, parcel):
            return
        if not self._act("deliver", order, parcel, {}, 1):
            self.world.offenders.append(f"parcel {parcel} of {order} was dispatched and could not be delivered")
        elif self.world.chances(ASKED_FOR_RETURN):
            self.world.after(self.world.soon(600), self.aftercare.ask_for_return, order)
        elif self.world.chances(BROKEN):
            self.world.after(self.world.soon(600), self.refund, order)

    def refund(self, order: OrderNumber) -> None:
        """Refund a unit of each line of a delivered order, twice; the second time may ask for more than is left.

        Of an order that cost nothing, nothing is left from the beginning; of one with returns, perhaps nothing.
        """
        lines = [{"sku": line.sku, "quantity": 1} for line in OrderLine.objects.filter(order=order).order_by("pk")]
        path = f"/api/v1/invoices/{sibling('I', order)}/refunds"
        may_be_refused = order in self.aftercare.touched or not Order.objects.get(pk=order).total
        for n in range(2):
            body = {"lines": lines, "reason": "broken"}
            response = self.post(path, body, user=self.operator, key=f"refund-{order}-{n}")
            if response.status_code not in ((202, 409) if n or may_be_refused else (202,)):
                self.world.offenders.append(f"a refund of {order} returned {response.status_code}")
            self.world.tally["refunds of lines"] += response.status_code == 202

    def _act(self, what: str, order: OrderNumber, parcel: int, body: Mapping[str, Any], attempt: int) -> bool:
        shipment = sibling("S", order, parcel)
        for _ in range(1 + self.world.chances(ASKED_AGAIN)):
            key = f"{what}-{shipment}-{attempt}"
            response = self.post(f"/api/v1/shipments/{shipment}/{what}", body, user=self.operator, key=key)
        return bool(response.status_code == 200)


class Warehouse(Client):
    """Puts goods into quarantine and decides about them, now and then."""

    def __init__(self, world: World, operator: AbstractBaseUser) -> None:
        super().__init__(world)
        self.operator, self.inspections = operator, 0
        world.every(BETWEEN_INSPECTIONS, self._inspect)

    def _inspect(self) -> None:
        sku, quantity = Sku(self.world.random.choice(PLENTY)), self.world.random.randint(1, 3)
        if self.world.chances(0.5):
            quarantine_stock(sku, quantity, "box damaged")
            self.world.tally["quarantined"] += 1
            return
        self.inspections += 1
        body = {
            "quantity": quantity,
            "to": self.world.random.choice(["sellable", "written_off"]),
            "reason": "looked at",
        }
        key = f"inspection-{self.inspections}"
        response = self.post(f"/api/v1/stock/{sku}/quarantine", body, user=self.operator, key=key)
        if response.status_code not in (201, 409):
            self.world.offenders.append(f"an inspection of {sku} returned {response.status_code}")
        self.world.tally["inspections"] += response.status_code == 201


class Provider(Client):
    """The sandbox, with failures, outages and call-backs."""

    def __init__(self, world: World, orders: int) -> None:
        super().__init__(world)
        self._seen: set[str] = set()
        settings.SANDBOX_FAILURE_RATE = USUAL_FAILURES
        world.every(5, self._find_new_charges)
        world.after(world.random.uniform(0, BETWEEN_ORDERS * orders), self._begin_outage)

    def _begin_outage(self) -> None:
        settings.SANDBOX_FAILURE_RATE = OUTAGE
        self.world.after(self.world.random.uniform(SHORTEST_OUTAGE, LONGEST_OUTAGE), self._end_outage)

    def _end_outage(self) -> None:
        settings.SANDBOX_FAILURE_RATE = USUAL_FAILURES

    def _find_new_charges(self) -> None:
        new = Transaction.objects.exclude(pk__in=self._seen).order_by("pk").values_list("pk", flat=True)
        for key in new:
            self._seen.add(key)
            for _ in range(self.world.random.choice([0, 1, 1, 2, 3])):
                self.world.after(self.world.soon(30), self._call_back, key)

    def _call_back(self, key: str) -> None:
        body, headers = adapter.call_back(key)
        self.world.tally["call-backs"] += 1
        path = "/api/v1/webhooks/payments/sandbox"
        response = self.send(path, body, content_type="application/json", headers=headers)
        if response.status_code != 204:
            self.world.offenders.append(f"the call-back about {key} returned {response.status_code}")
