"""Everybody outside talks to the shop over its API, and nobody outside can be relied upon.

Buyers want what is not there, pay with bad cards, ask twice and change their minds; carriers come when they come; the
payment provider cuts the line before or after it charged, is away for a while, and calls back twice, late, or first.
Requests are cut off as well: the client repeats them under the same key.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, Group
from rest_framework.test import APIClient

from billing.gateways.sandbox.adapter import DECLINES, adapter
from billing.gateways.sandbox.models import Transaction
from config.simulation.world import Died, World
from integration.contracts.billing import TEST_METHODS
from integration.domain.identifiers import OrderNumber, Sku, sibling
from integration.domain.money import Money
from inventory.commands import stock_up
from ordering.commands import list_products
from ordering.models import Order, OrderStatus

PAYING, DECLINED = sorted(TEST_METHODS - DECLINES.keys()), sorted(DECLINES)
PLENTY, SCARCE, NONE = ["MUG", "LAMP", "ATLAS", "ROPE"], ["CANOE", "STOVE"], "RELIC"
PRICES = {"MUG": "12.50", "LAMP": "80.00", "ATLAS": "1000.00", "ROPE": "0.99", "CANOE": "980.00", "STOVE": "95.00"}

SCARCE_GOODS, NO_GOODS, BAD_CARD, CHANGED_MIND, ASKED_AGAIN, CUT_OFF = 0.2, 0.03, 0.12, 0.2, 0.15, 0.25
LONGEST_REQUEST = 40
"""Within how many statements a request that is cut off ends."""
BETWEEN_ORDERS = 15.0
"""Seconds from one order to the next, on average."""
USUAL_FAILURES, NO_LINE = 0.3, 2.0
"""`SANDBOX_FAILURE_RATE` on a usual day, and while no call gets through at all."""
SHORTEST_OUTAGE, LONGEST_OUTAGE = 60.0, 2_700.0


def furnish(orders: int) -> None:
    """Goods, some of them too few for so many orders."""
    goods = [*PLENTY, *SCARCE, NONE]
    list_products([(Sku(sku), sku.title(), "", Money(Decimal(PRICES.get(sku, "49.00")), "USD")) for sku in goods])
    stock = {**dict.fromkeys(PLENTY, 10 * orders + 10), **dict.fromkeys(SCARCE, orders // 10 + 1)}
    stock_up([(Sku(sku), quantity) for sku, quantity in stock.items()], "opening stock")


class Client:
    """Whoever sends requests, repeating what was cut off under the same key."""

    def __init__(self, world: World) -> None:
        self.world = world
        # One for all requests: a client builds the whole chain of middleware for its first.
        self.api = APIClient(raise_request_exception=False)

    def post(self, path: str, body: Any, *, user: AbstractBaseUser, key: str) -> Any:
        """Send a request until it is answered; returns the answer."""
        self.api.force_authenticate(user)
        return self.send(path, body, format="json", headers={"Idempotency-Key": key})

    def send(self, path: str, body: Any, **options: Any) -> Any:
        """Send a request until it is answered; an answer of 500 is an offender."""
        while True:
            self.world.tally["requests"] += 1
            try:
                with self.world.mortal(CUT_OFF, LONGEST_REQUEST):
                    answer = self.api.post(path, body, secure=True, **options)
            except Died:
                continue
            if answer.status_code >= 500:
                self.world.offenders.append(f"{path} answered {answer.status_code}")
            return answer


class Buyers(Client):
    """They order, ask again, and change their minds."""

    def __init__(self, world: World, orders: int) -> None:
        super().__init__(world)
        users = get_user_model().objects
        self.users = [
            users.create_user(f"buyer-{n}", f"buyer-{n}@example.com", first_name=f"Buyer {n}")
            for n in range(1, orders // 5 + 2)
        ]
        self.carrier = Carrier(world)
        self.numbers: dict[str, str] = {}
        for n in range(orders):
            world.after(world.random.uniform(0, BETWEEN_ORDERS * orders), self._order, f"order-{n}", self._wish())

    def _wish(self) -> dict[str, Any]:
        random = self.world.random
        skus = random.sample(PLENTY, random.randint(1, 3))
        if self.world.chances(SCARCE_GOODS):
            skus.append(random.choice(SCARCE))
        if self.world.chances(NO_GOODS):
            skus.append(NONE)
        return {
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

    def _order(self, key: str, wish: Mapping[str, Any]) -> None:
        world, user = self.world, self.users[int(key.partition("-")[2]) % len(self.users)]
        answer = self.post("/api/v1/orders", wish, user=user, key=key)
        number = answer.data.get("number", "")
        if answer.status_code != 201 or self.numbers.setdefault(key, number) != number:
            world.offenders.append(f"{key} was {self.numbers.get(key)} and is answered {answer.status_code} {number}")
            return
        if world.chances(ASKED_AGAIN):
            world.tally["orders asked for again"] += 1
            world.after(world.soon(20), self._order, key, wish)
        if "Idempotent-Replayed" not in answer.headers:
            world.after(world.soon(120), self.carrier.dispatch, OrderNumber(number), 1)
            if world.chances(CHANGED_MIND):
                world.after(world.soon(60), self._cancel, number, user)

    def _cancel(self, number: str, user: AbstractBaseUser) -> None:
        body, again = {"reason": "changed my mind"}, self.world.chances(ASKED_AGAIN)
        for _ in range(1 + again):
            answer = self.post(f"/api/v1/orders/{number}/cancel", body, user=user, key=f"cancel-{number}")
        self.world.tally["cancellations refused" if answer.status_code == 409 else "cancellations"] += 1


class Carrier(Client):
    """Takes a shipment when there is one, and brings it some day."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.operator = get_user_model().objects.create_user("operator", is_staff=True)
        self.operator.groups.set(Group.objects.all())

    def dispatch(self, order: OrderNumber, attempt: int) -> None:
        """Come for an order's shipment, and again until the order is at its end."""
        if self._act("dispatch", order, {"carrier": "DHL", "tracking_number": order}, attempt):
            self.world.after(self.world.soon(600), self.deliver, order)
        elif not Order.objects.filter(pk=order, status__in=[OrderStatus.CANCELLED, OrderStatus.DELIVERED]).exists():
            self.world.after(120, self.dispatch, order, attempt + 1)

    def deliver(self, order: OrderNumber) -> None:
        """Bring it."""
        if not self._act("deliver", order, {}, 1):
            self.world.offenders.append(f"{order} was dispatched and could not be delivered")

    def _act(self, what: str, order: OrderNumber, body: Mapping[str, str], attempt: int) -> bool:
        path = f"/api/v1/shipments/{sibling('S', order, 1)}/{what}"
        for _ in range(1 + self.world.chances(ASKED_AGAIN)):
            answer = self.post(path, body, user=self.operator, key=f"{what}-{order}-{attempt}")
        return bool(answer.status_code == 200)


class Provider(Client):
    """The sandbox, on bad days, and calling back."""

    def __init__(self, world: World, orders: int) -> None:
        super().__init__(world)
        self._told: set[str] = set()
        settings.SANDBOX_FAILURE_RATE = USUAL_FAILURES
        world.every(5, self._look_into_the_books)
        world.after(world.random.uniform(0, BETWEEN_ORDERS * orders), self._be_away)

    def _be_away(self) -> None:
        settings.SANDBOX_FAILURE_RATE = NO_LINE
        self.world.after(self.world.random.uniform(SHORTEST_OUTAGE, LONGEST_OUTAGE), self._be_back)

    def _be_back(self) -> None:
        settings.SANDBOX_FAILURE_RATE = USUAL_FAILURES

    def _look_into_the_books(self) -> None:
        new = Transaction.objects.exclude(pk__in=self._told).order_by("pk").values_list("pk", flat=True)
        for key in new:
            self._told.add(key)
            for _ in range(self.world.random.choice([0, 1, 1, 2, 3])):
                self.world.after(self.world.soon(30), self._call_back, key)

    def _call_back(self, key: str) -> None:
        body, headers = adapter.call_back(key)
        self.world.tally["call-backs"] += 1
        path = "/api/v1/webhooks/payments/sandbox"
        answer = self.send(path, body, content_type="application/json", headers=headers)
        if answer.status_code != 204:
            self.world.offenders.append(f"the call-back about {key} was answered {answer.status_code}")
