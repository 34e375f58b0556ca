"""Buyers and carriers that use a system over REST, and repeat requests that got no response, as clients do."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPException
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

from tests.system.running_system import ADDRESS, Client, Response, System

GOODS = ("CHAOS-MUG", "CHAOS-LAMP", "CHAOS-SPOON")
GONE = "CHAOS-RELIC"
"""A SKU that is for sale and never in stock."""
VISA, DECLINED = "pm_card_visa", "pm_card_chargeDeclined"
RETRIES_FOR = 300.0
"""Seconds for which a client repeats a request."""

C = TypeVar("C", bound=Client)


class NoResponse(AssertionError):
    """A client repeated a request for `RETRIES_FOR` seconds and got no final response."""


class Placed(NamedTuple):
    """An acknowledged order.

    Args:
        key: its idempotency key.
        number: the order number.
        seconds: the time from the first request to the response.
        requests: how many requests were sent.
    """

    key: str
    number: str
    seconds: float
    requests: int


class Traffic:
    """Orders that several buyers place at once. As a context manager it ends when all orders are placed.

    Args:
        system: where the orders are placed.
        orders: how many orders are placed.
        tag: the beginning of their idempotency keys.
        methods: the payment methods to draw from.
        buyers: how many orders are placed at a time.
        carriers: whether shipments are dispatched and delivered meanwhile.
    """

    def __init__(
        self,
        system: System,
        orders: int,
        tag: str,
        *,
        methods: Sequence[str] = (VISA,) * 8 + (DECLINED,),
        buyers: int = 6,
        carriers: bool = True,
    ) -> None:
        self.responses: Counter[int] = Counter()
        self._system, self._orders, self._tag, self._methods = system, orders, tag, methods
        self._pool = ThreadPoolExecutor(buyers)
        self._futures: list[Future[Placed]] = []
        self._buyer = persistent(system, "buyer")
        self._operator = persistent(system, "operator") if carriers else None
        self._closing = threading.Event()

    def __enter__(self) -> "Traffic":
        self._futures = [self._pool.submit(self._place, i) for i in range(self._orders)]
        if self._operator:
            self._carrier = threading.Thread(target=self._carry, args=[self._operator], daemon=True)
            self._carrier.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self._pool.shutdown(wait=error is None, cancel_futures=error is not None)
        finally:  # a signal may end the wait: then no buyer repeats a request any more
            self._closing.set()
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._operator:
            self._carrier.join(60)

    @property
    def flowing(self) -> bool:
        """Whether orders are still being placed."""
        return self.acknowledged < self._orders

    @property
    def acknowledged(self) -> int:
        """How many orders were acknowledged."""
        return sum(future.done() for future in self._futures)

    @property
    def placed(self) -> list[Placed]:
        """All orders; waits until all are placed, and raises the error of a buyer who failed."""
        return [future.result() for future in self._futures]

    def _place(self, i: int) -> Placed:
        chance = random.Random(f"{self._tag}-{i}")
        lines = [{"sku": sku, "quantity": chance.randint(1, 3)} for sku in chance.sample(GOODS, chance.randint(1, 3))]
        if chance.random() < 0.05:
            lines.append({"sku": GONE, "quantity": 1})
        body = {"lines": lines, "shipping_address": ADDRESS, "payment_method": chance.choice(self._methods)}
        key = f"{self._tag}-{i}"
        began = time.monotonic()
        response, requests = self._post("/orders", body, key)
        assert response.status == 201, response
        placed = Placed(key, response.body["number"], time.monotonic() - began, requests)
        if chance.random() < 0.05:
            self._post(f"/orders/{placed.number}/cancel", {}, f"{key}-cancel")
        return placed

    def _post(self, path: str, body: Any, key: str) -> tuple[Response, int]:
        return post_until_done(self._buyer, path, body, key, self.responses, self._closing)

    def _carry(self, operator: Client) -> None:
        """Dispatch and deliver arranged shipments, 20 at a time, until the context ends."""
        while not self._closing.wait(0.5):
            try:
                arranged = operator.get("/shipments", status="arranged", page_size="20")
                for shipment in (arranged.body or {}).get("results", []):
                    sent = {"carrier": "DHL", "tracking_number": shipment["id"]}
                    operator.post(f"/shipments/{shipment['id']}/dispatch", sent)
                    operator.post(f"/shipments/{shipment['id']}/deliver", {})
            except (OSError, HTTPException):
                continue


def persistent(system: System, name: str, kind: type[C] = Client) -> C:
    """A client with a token; the login is repeated until it succeeds."""
    response, _ = post_until_done(
        system.visitor, "/auth/tokens", {"username": name, "password": name}, f"token-{name}", Counter()
    )
    return kind(system.port, response.body["token"])


def post_until_done(
    client: Client,
    path: str,
    body: Any,
    key: str,
    responses: Counter[int],
    closing: threading.Event | None = None,
) -> tuple[Response, int]:
    """Post under one idempotency key until the response is final; returns it, and the number of requests.

    A 5xx and a 409 for a key in use are not final.

    Args:
        responses: counts the responses by status; 0 counts requests without a response.
        closing: once it is set, the request is not repeated.

    Raises:
        NoResponse: no response was final within `RETRIES_FOR` seconds, or until `closing` was set.
    """
    closing = closing or threading.Event()
    deadline = time.monotonic() + RETRIES_FOR
    requests, wait = 0, 0.1
    while time.monotonic() < deadline:
        requests += 1
        try:
            response = client.ask("POST", f"/api/v1{path}", body, {"Idempotency-Key": key})
        except (OSError, HTTPException):
            responses[0] += 1
        else:
            responses[response.status] += 1
            in_use = response.status == 409 and response.body["type"].endswith("idempotency_key_in_use")
            if response.status < 500 and not in_use:
                return response, requests
            wait = 0.5 if in_use else 0.1  # more requests would slow down the one that uses the key
        if closing.wait(wait):
            break
    raise NoResponse(f"POST {path} under {key}: {dict(responses)}")
