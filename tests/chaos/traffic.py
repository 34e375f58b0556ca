"""Buyers and carriers who keep a house busy over REST, and repeat whatever they got no answer to, as clients do."""

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPException
from types import TracebackType
from typing import Any, NamedTuple

from tests.system.running_system import ADDRESS, Answer, Client, System

GOODS = ("CHAOS-MUG", "CHAOS-LAMP", "CHAOS-SPOON")
GONE = "CHAOS-RELIC"
"""What is for sale and never there."""
VISA, DECLINED = "pm_card_visa", "pm_card_chargeDeclined"
TIRELESS = 900.0
"""Seconds for which a client asks again and again before it gives up."""


class NobodyAnswers(AssertionError):
    """A client asked for minutes and got no answer it could use."""


class Placed(NamedTuple):
    """An order that was acknowledged: its key, its number, and how it came about."""

    key: str
    number: str
    seconds: float
    requests: int


class Traffic:
    """So many orders, placed by several buyers at once; as a context, placed when it ends.

    Args:
        house: where.
        orders: how many.
        tag: what makes their idempotency keys theirs.
        methods: what they are paid with, drawn from these.
        carriers: whether shipments are taken to their recipients meanwhile.
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
        self.answers: Counter[int] = Counter()
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
        self._pool.shutdown(wait=error is None, cancel_futures=error is not None)
        self._closing.set()
        if self._operator:
            self._carrier.join(60)

    @property
    def flowing(self) -> bool:
        """Whether orders are still being placed."""
        return self.acknowledged < self._orders

    @property
    def acknowledged(self) -> int:
        """How many orders were placed and answered."""
        return sum(future.done() for future in self._futures)

    @property
    def placed(self) -> list[Placed]:
        """All of the orders, once all are placed; raises what a buyer could not get over."""
        return [future.result() for future in self._futures]

    def _place(self, i: int) -> Placed:
        dice = random.Random(f"{self._tag}-{i}")
        lines = [{"sku": sku, "quantity": dice.randint(1, 3)} for sku in dice.sample(GOODS, dice.randint(1, 3))]
        if dice.random() < 0.05:
            lines.append({"sku": GONE, "quantity": 1})
        body = {"lines": lines, "shipping_address": ADDRESS, "payment_method": dice.choice(self._methods)}
        key = f"{self._tag}-{i}"
        began = time.monotonic()
        answer, requests = ask_until_answered(self._buyer, "/orders", body, key, self.answers)
        assert answer.status == 201, answer
        placed = Placed(key, answer.body["number"], time.monotonic() - began, requests)
        if dice.random() < 0.05:
            ask_until_answered(self._buyer, f"/orders/{placed.number}/cancel", {}, f"{key}-cancel", self.answers)
        return placed

    def _carry(self, operator: Client) -> None:
        """Dispatch what is arranged and deliver it, some at a time, until nobody orders any more."""
        while not self._closing.wait(0.5):
            try:
                arranged = operator.get("/shipments", status="arranged", page_size="20")
                for shipment in (arranged.body or {}).get("results", []):
                    sent = {"carrier": "DHL", "tracking_number": shipment["id"]}
                    operator.post(f"/shipments/{shipment['id']}/dispatch", sent)
                    operator.post(f"/shipments/{shipment['id']}/deliver", {})
            except (OSError, HTTPException):
                continue


def persistent(system: System, name: str) -> Client:
    """A client that is logged in, however often it takes."""
    answer, _ = ask_until_answered(
        system.visitor, "/auth/tokens", {"username": name, "password": name}, f"token-{name}", Counter()
    )
    return Client(system.port, answer.body["token"])


def ask_until_answered(client: Client, path: str, body: Any, key: str, answers: Counter[int]) -> tuple[Answer, int]:
    """Post under one key until the answer is more than "not now"; returns it, and how many requests it took.

    Raises:
        NobodyAnswers: after minutes of trying.
    """
    deadline = time.monotonic() + TIRELESS
    requests, wait = 0, 0.1
    while time.monotonic() < deadline:
        requests += 1
        try:
            answer = client.ask("POST", f"/api/v1{path}", body, {"Idempotency-Key": key})
        except (OSError, HTTPException):
            answers[0] += 1
        else:
            answers[answer.status] += 1
            in_use = answer.status == 409 and answer.body["type"].endswith("idempotency_key_in_use")
            if answer.status < 500 and not in_use:
                return answer, requests
            wait = 0.5 if in_use else 0.1  # to ask all the time would hold up what is being done
        time.sleep(wait)
    raise NobodyAnswers(f"POST {path} under {key}: {dict(answers)}")
