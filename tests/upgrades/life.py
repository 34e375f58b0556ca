"""Creates orders in every state: eight clients at once, workers that stop, and a payment provider that fails.

The clients use REST where REST can do it. The rest is Python code in strings, which the old code runs. So this file
uses names of the old code inside strings, and no names of the current code.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from random import Random
from threading import Event
from typing import Any, TypeVar

from tests.system.running_system import ADDRESS, Client
from tests.upgrades.old_code import Installation

CLIENTS = 8
PASSWORD = "only-a-test-password-1"
GOODS = ("MUG-ENAMEL-BLUE", "SPORK-TITANIUM", "LANTERN-STORM", "NOTEBOOK-DOT-A5", "CANDLE-BEESWAX-6", "TENT-RIDGE-2")
SCARCE = "PEN-FOUNTAIN-GOLD"
COUNTED = "SEEDS-MEADOW-50G"
"""The product whose stock changes so often that it gets snapshots."""
PAYING = ("pm_card_visa", "pm_card_mastercard")
DECLINED = ("pm_card_chargeDeclined", "pm_card_chargeDeclinedExpiredCard")
TEN_YEARS = str(10 * 365 * 24 * 60)
"""A value of `PAYMENT_DEADLINE_MINUTES` whose deadlines are still ahead when the database is loaded years later."""
MOMENT = "0.02"
FLAKY = {"SANDBOX_FAILURE_RATE": "0.2"}

EXPIRE = "from ordering.policies.saga import cancel_overdue_orders; cancel_overdue_orders()"
ARCHIVE = """
from integration.messaging.archive import archive_batch
from integration.messaging.models import Message
archive_batch(Message.objects.count() // 3)
"""
REFUND = """
from billing.commands import refund_in_part
from billing.models import Invoice
paid = Invoice.objects.filter(status="paid", granted_minor=0, refunded_minor=0).order_by("?")[:{count}]
for n, invoice in enumerate(paid):
    part = invoice.total.percent(30)
    refund_in_part(invoice.number, part, "came late")
    if n % 3 == 0:
        refund_in_part(invoice.number, invoice.total - part, "came broken")
"""
CALL_BACK = """
from urllib.request import Request, urlopen
from billing.gateways.sandbox.adapter import adapter
from billing.gateways.sandbox.models import Transaction
for key in Transaction.objects.order_by("key").values_list("pk", flat=True)[:{count}]:
    for _ in range(2):
        body, headers = adapter.call_back(key)
        headers["Content-Type"] = "application/json"
        urlopen(Request("http://127.0.0.1:{port}/api/v1/webhooks/payments/sandbox", body, headers))
"""

T = TypeVar("T")


class Life:
    """The life of a shop, from its opening to a power failure.

    Args:
        shop: the installation of the old code.
        orders: the number of orders to place in total, 100 or more.
    """

    def __init__(self, shop: Installation, orders: int) -> None:
        self.shop, self.orders = shop, orders
        shop.timeout = max(shop.timeout, orders)
        self._keys = map("order-{}".format, count(1))
        self.some = orders * 3 // 200  # the number of orders in each rare state
        self.operator, self.buyers, self.leavers = shop.visitor, [shop.visitor], [shop.visitor]

    def live(self) -> None:
        """Run all chapters. Afterwards the processes have ended, and the database is as they left it."""
        self.open_shop()
        self.do_business()
        self.give_up_on_a_provider_that_fails()
        self.miss_deadlines()
        self.refuse_cancellations()
        self.stop_in_the_middle()
        self.check_orders()

    def check_orders(self) -> None:
        """Assert that all orders were placed."""
        placed = self.shop.count("SELECT count(*) FROM ordering_order")
        assert placed == self.orders, f"{placed} orders were placed"

    # --- The chapters, in order ---

    def open_shop(self) -> None:
        """Set up the demo shop, register customers, and receive stock; one product gets very many receipts."""
        self.shop.manage("migrate", "--verbosity", "0")
        self.shop.manage("demo_shop", "--force")
        self.shop.serve(**FLAKY)
        self.operator = self.shop.visitor.log_in("operator", "operator")
        self.buyers = [self._register(f"buyer-{n}") for n in range(CLIENTS)]
        self.leavers = [self._register(f"leaver-{n}") for n in range(2)]
        for buyer in self.buyers[:3]:
            self._expect(200, buyer.ask("PATCH", "/api/v1/me", {"default_shipping_address": ADDRESS}))
        for sku in GOODS:
            self._expect(201, self.operator.post(f"/stock/{sku}/receipts", {"quantity": 10 * self.orders}))
        receipts = [{"quantity": n % 9 + 1, "reference": f"delivery note {n}"} for n in range(210)]
        self._at_once(
            lambda n, body: self._expect(201, self.operator.post(f"/stock/{COUNTED}/receipts", body)), receipts
        )
        for n in range(1, 7):
            change = {"delta": -n, "reason": "counted again"}
            self._expect(201, self.operator.post(f"/stock/{GOODS[n % len(GOODS)]}/adjustments", change))
        self._expect(200, self.operator.ask("PATCH", "/api/v1/products/LANTERN-STORM", {"name": "Storm Lantern II"}))
        self.shop.settle()

    def do_business(self) -> None:
        """Place most orders: paid, declined, out of stock, cancelled, shipped, delivered, refunded in part or full."""
        closing = Event()
        with ThreadPoolExecutor(1) as pool:
            carrier = pool.submit(self._carry, closing)
            try:
                for n, leaver in enumerate(self.leavers):
                    self._place(leaver, cancel=n == 0)
                    self._place(leaver, method=DECLINED[0])
                # Of all orders, 4 are placed by now, 2 follow below, and the other chapters take 17 times some.
                self._at_once(self._order_something, range(self.orders - 4 - 2 - 17 * self.some))
                self.shop.settle()
            finally:
                closing.set()
            carrier.result()
        self.shop.settle()
        self.shop.run(REFUND.format(count=2 * self.some))
        self.shop.run(CALL_BACK.format(count=2 * self.some, port=self.shop.port))
        self._reward_a_loyal_buyer()
        self.shop.settle()
        self._finish_orders_of(self.leavers)
        self.shop.manage("erase_buyer", "leaver-0", "--yes")
        self.shop.settle()
        self.shop.run(ARCHIVE, ARCHIVE_AFTER_DAYS="0")

    def give_up_on_a_provider_that_fails(self) -> None:
        """Create dead letters: the provider and the mail server are unreachable. An operator skips two of them."""
        self.shop.serve(
            DELIVERY_MAX_ATTEMPTS="2",
            SANDBOX_FAILURE_RATE="1.6",
            EMAIL_URL="smtp://127.0.0.1:9",
            PAYMENT_DEADLINE_MINUTES=TEN_YEARS,
        )
        self._at_once(lambda n, buyer: self._place(buyer), self._buyers(2 * self.some))
        for buyer in self._buyers(self.some):
            self._place(buyer, cancel=True)
        self.shop.settle()
        for consumer in ("billing.collect-payment", "ordering.tell-buyer-of-cancellation"):
            dead = self.operator.get("/deliveries", status="dead", consumer=consumer).body["results"]
            response = self.operator.post(f"/deliveries/{dead[0]['id']}/skip", {"reason": "nobody waits for it"})
            self._expect(200, response)

    def miss_deadlines(self) -> None:
        """Create orders whose payment reaches ordering after the deadline, and orders that are never paid."""
        self.shop.serve(("inventory", "billing", "fulfillment"), PAYMENT_DEADLINE_MINUTES=MOMENT)
        self._pay_unnoticed(self.some)
        self.shop.serve(("inventory", "fulfillment"), PAYMENT_DEADLINE_MINUTES=MOMENT)
        self._at_once(lambda n, buyer: self._place(buyer), self._buyers(self.some))
        time.sleep(2)
        self.shop.run(EXPIRE)
        self.shop.serve()
        self.shop.settle()

    def refuse_cancellations(self) -> None:
        """Let buyers cancel orders that are already dispatched, while ordering does not know that yet."""
        self.shop.serve()
        orders = self._confirmed(self.some)
        self.shop.serve(("inventory", "billing", "fulfillment"))
        for buyer, number in orders:
            self._dispatch(number)
            self._expect(202, self._cancel(buyer, number))
        self.shop.serve()
        self.shop.settle()

    def stop_in_the_middle(self) -> None:
        """Leave unfinished work in every context: workers stop one after another, and the last are killed."""
        self.shop.serve()
        unwanted, sent = self._confirmed(self.some), self._confirmed(self.some)
        # Fulfillment is the first to stop.
        self.shop.serve(("ordering", "inventory", "billing"))
        for buyer, number in unwanted:
            self._expect(202, self._cancel(buyer, number))
        self._confirmed(self.some)
        self.shop.manage("erase_buyer", "leaver-1", "--yes")
        # The provider cannot be reached.
        for minutes in (TEN_YEARS, "30"):
            self.shop.serve(
                ("ordering", "inventory", "billing"), SANDBOX_FAILURE_RATE="2", PAYMENT_DEADLINE_MINUTES=minutes
            )
            numbers = self._at_once(lambda n, buyer: self._place(buyer), self._buyers(self.some))
            waiting = "ordering_order WHERE status = 'payment_pending' AND number"
            self._await_some(self.some, waiting, numbers)
        unknown = "SELECT count(*) FROM billing_payment WHERE status = 'unknown'"
        self.shop.until(lambda: self.shop.count(unknown), lambda n: n >= 2 * self.some, "payments of unknown outcome")
        # Ordering is the second to stop.
        self.shop.serve(("inventory", "billing"), SANDBOX_FAILURE_RATE="0.5")
        for n, (_, number) in enumerate(sent):
            self._dispatch(number)
            if n % 2:
                self._expect(200, self.operator.post(f"/shipments/S-{number.partition('-')[2]}-1/deliver", {}))
        self._pay_unnoticed(self.some, wait=False)
        self.shop.run(REFUND.format(count=self.some))
        # The power fails while billing talks to the provider, and inventory waits for a lock.
        self.shop.serve(("inventory", "billing"), SANDBOX_LATENCY_MS="5000")
        self._at_once(lambda n, buyer: self._place(buyer), self._buyers(2 * self.some))
        self._await_claim("outside")
        with self.shop.locked("inventory_stockitem") as is_locked:
            self._at_once(lambda n, buyer: self._place(buyer), self._buyers(self.some))
            if is_locked:
                self._await_claim("context = 'inventory'")
            self._await_claim("outside")
            self.shop.kill()
        # Only the web comes back.
        for minutes in ("30", TEN_YEARS):
            self.shop.serve((), PAYMENT_DEADLINE_MINUTES=minutes)
            self._at_once(lambda n, buyer: self._place(buyer), self._buyers(self.some))
        self.shop.run(REFUND.format(count=self.some))
        self.shop.kill()

    # --- What people do ---

    def _register(self, name: str) -> Client:
        body = {"username": name, "password": PASSWORD, "email": f"{name}@example.com", "name": name.title()}
        self._expect(201, self.shop.visitor.post("/customers", body))
        return self.shop.visitor.log_in(name, PASSWORD)

    def _order_something(self, n: int, _: object) -> str:
        """Place one of many different orders, a few of which must fail."""
        buyer, dice = self.buyers[n % CLIENTS], Random(n)
        method = dice.choice(DECLINED if n % 9 == 4 else PAYING)
        return self._place(buyer, n, method=method, scarce=n % 11 == 5, cancel=n % 13 == 7, twice=n % 5 == 0)

    def _place(
        self,
        buyer: Client,
        n: int | None = None,
        *,
        method: str = PAYING[0],
        scarce: bool = False,
        cancel: bool = False,
        twice: bool = False,
    ) -> str:
        """Place an order; returns its number."""
        dice = Random(n)
        lines = [{"sku": sku, "quantity": dice.randint(1, 4)} for sku in dice.sample(GOODS, dice.randint(1, 3))]
        lines += [{"sku": SCARCE, "quantity": 1}] if scarce else []
        body = {"lines": lines, "shipping_address": ADDRESS, "payment_method": method}
        headers = {"Idempotency-Key": next(self._keys)}
        number = self._expect(201, buyer.ask("POST", "/api/v1/orders", body, headers))["number"]
        if twice:
            assert self._expect(201, buyer.ask("POST", "/api/v1/orders", body, headers))["number"] == number
        if cancel:
            self._cancel(buyer, number)
        return number

    def _cancel(self, who: Client, number: str) -> Any:
        return who.post(f"/orders/{number}/cancel", {"reason": "changed my mind"})

    def _dispatch(self, number: str) -> None:
        sent = {"carrier": "Example Parcels", "tracking_number": f"EP-{number}"}
        shipment = f"S-{number.partition('-')[2]}-1"
        self._expect(200, self.operator.post(f"/shipments/{shipment}/dispatch", sent))

    def _carry(self, closing: Event) -> None:
        """Leave, dispatch, deliver or cancel each shipment, as the last digit of its order's number says."""
        seen: set[str] = set()
        while True:
            last_look = closing.is_set()
            for shipment in [each for each in self._arranged() if each["id"] not in seen]:
                seen.add(shipment["id"])
                fate = int(shipment["order"].partition("-")[2]) % 10
                if fate in (0, 1):
                    self._cancel(self.operator, shipment["order"])
                if fate in (0, 2, 3):
                    continue
                sent = {"carrier": "Example Parcels", "tracking_number": f"EP-{shipment['order']}"}
                response = self.operator.post(f"/shipments/{shipment['id']}/dispatch", sent)
                if response.status == 200 and fate not in (4, 5):
                    self._expect(200, self.operator.post(f"/shipments/{shipment['id']}/deliver", {}))
            if last_look:
                return
            time.sleep(0.1)

    def _arranged(self) -> Iterator[dict[str, Any]]:
        """Yield all shipments that are not dispatched yet."""
        page: str | None = "/api/v1/shipments?status=arranged&page_size=200"
        while page:
            response = self._expect(200, self.operator.ask("GET", page))
            yield from response["results"]
            page = response["next"]

    def _reward_a_loyal_buyer(self) -> None:
        """Let a buyer spend more than 6,000, which earns a discount, and order again."""
        buyer = self.buyers[0]
        body = {
            "lines": [{"sku": "TENT-RIDGE-2", "quantity": 15}],
            "shipping_address": ADDRESS,
            "payment_method": PAYING[0],
        }
        for _ in range(2):
            self._expect(201, buyer.post("/orders", body))
            self.shop.settle()

    def _finish_orders_of(self, buyers: Sequence[Client]) -> None:
        for buyer in buyers:
            for order in buyer.get("/orders").body["results"]:
                if order["status"] == "confirmed":
                    self._dispatch(order["number"])
                if order["status"] in ("confirmed", "shipped"):
                    shipment = f"S-{order['number'].partition('-')[2]}-1"
                    self._expect(200, self.operator.post(f"/shipments/{shipment}/deliver", {}))
        self.shop.settle()

    def _confirmed(self, count: int) -> list[tuple[Client, str]]:
        """Place this many orders and wait until they are confirmed; returns them with their buyers."""
        buyers = self._buyers(count)
        numbers = self._at_once(lambda n, buyer: self._place(buyer), buyers)
        self._await_some(count, "ordering_order WHERE status = 'confirmed' AND number", numbers)
        if "fulfillment" in self.shop.contexts:
            self._await_some(count, 'fulfillment_shipment WHERE "order"', numbers)
        return [*zip(buyers, numbers, strict=True)]

    def _pay_unnoticed(self, count: int, *, wait: bool = True) -> None:
        """Place orders while ordering has no worker; with `wait`, wait for their payments and for their deadlines."""
        numbers = self._at_once(lambda n, buyer: self._place(buyer), self._buyers(count))
        self._await_some(count if wait else 1, "billing_payment WHERE status = 'succeeded' AND \"order\"", numbers)
        if wait:
            time.sleep(2)
            self.shop.run(EXPIRE)

    def _await_some(self, least: int, what: str, numbers: Sequence[str]) -> None:
        """Wait until at least this many rows, given by a table and a condition, belong to these orders."""
        listed = ", ".join(f"'{number}'" for number in numbers)
        query = f"SELECT count(*) FROM {what} IN ({listed})"  # noqa: S608 - names of our own
        self.shop.until(lambda: self.shop.count(query), lambda n: n >= least, f"{least} of {what}")

    def _await_claim(self, which: str) -> None:
        """Wait until a worker has claimed a delivery that matches this condition."""
        query = f"SELECT count(*) FROM integration_delivery WHERE status = 'pending' AND in_hand AND {which}"  # noqa: S608
        self.shop.until(lambda: self.shop.count(query), bool, f"a claimed delivery whose {which}")

    def _buyers(self, count: int) -> list[Client]:
        return [self.buyers[n % CLIENTS] for n in range(count)]

    def _at_once(self, do: Callable[[int, Any], T], these: Sequence[Any] | range) -> list[T]:
        """Call `do` with the index and the value of each item, eight at a time."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            return [*pool.map(do, range(len(these)), these)]

    def _expect(self, status: int, response: Any) -> Any:
        assert response.status == status, response
        return response.body
