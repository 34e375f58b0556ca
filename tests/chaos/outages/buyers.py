"""Buyers who place one order after another while peers are ill, and how long each of their requests takes."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from tests.chaos.traffic import GOODS, VISA, persistent, post_until_done
from tests.system.running_system import ADDRESS, Client, Response, System, eventually

PAUSE = 0.3
"""Seconds between two orders of a buyer."""


class TimedClient(Client):
    """A client that keeps the time of its longest request."""

    longest = 0.0

    def ask(self, method: str, path: str, body: object = None, more: Mapping[str, str] | None = None) -> Response:
        began = time.monotonic()
        try:
            return super().ask(method, path, body, more)
        finally:
            self.longest = max(self.longest, time.monotonic() - began)


class Buyers:
    """Two buyers who place orders until they are stopped; as a context manager it stops them.

    Args:
        system: where the orders are placed.
        tag: the beginning of their idempotency keys.
    """

    def __init__(self, system: System, tag: str) -> None:
        self._numbers: list[list[str]] = [[], []]
        self.responses: Counter[int] = Counter()
        self._tag, self._stop, self._closing = tag, threading.Event(), threading.Event()
        self._clients = [persistent(system, "buyer", TimedClient) for _ in self._numbers]
        self._pool = ThreadPoolExecutor(len(self._clients))
        self._buyers: list[Future[None]] = []

    def __enter__(self) -> "Buyers":
        self._buyers = [self._pool.submit(self._buy, i, client) for i, client in enumerate(self._clients)]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        try:
            self._pool.shutdown(wait=error is None)
        finally:
            self._closing.set()

    @property
    def numbers(self) -> list[str]:
        """The numbers of all orders that were acknowledged."""
        return [number for own in self._numbers for number in own]

    def stop(self) -> list[str]:
        """Place no more orders; returns the numbers of all, and raises the error of a buyer who failed."""
        self._stop.set()
        for buyer in self._buyers:
            buyer.result()
        return self.numbers

    def wait_for(self, orders: int) -> None:
        """Wait until so many orders were acknowledged."""
        eventually(lambda: len(self.numbers), lambda placed: placed >= orders, f"{orders} acknowledged orders")

    def wait_for_more(self) -> None:
        """Wait until each buyer has a response to what is requested now, and to one more order."""
        seen = [len(own) for own in self._numbers]
        eventually(
            lambda: [len(own) - n for own, n in zip(self._numbers, seen, strict=True)],
            lambda more: min(more) >= 2,
            "two more orders of each buyer",
        )

    def longest_request(self) -> float:
        """The seconds of the longest request since the last call."""
        longest = max(client.longest for client in self._clients)
        for client in self._clients:
            client.longest = 0.0
        return longest

    def _buy(self, i: int, client: Client) -> None:
        body = {
            "lines": [{"sku": GOODS[0], "quantity": 1}],
            "shipping_address": ADDRESS,
            "payment_method": VISA,
        }
        n = 0
        while not self._stop.is_set():
            key = f"{self._tag}-{i}-{n}"
            response, _ = post_until_done(client, "/orders", body, key, self.responses, self._closing)
            assert response.status == 201, response
            self._numbers[i].append(response.body["number"])
            n += 1
            self._stop.wait(PAUSE)
