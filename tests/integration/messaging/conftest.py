"""Fixtures for a system without consumers, except those that a test registers."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration.contracts.inventory import StockRanOut
from integration.domain import clock
from integration.domain.identifiers import Sku
from integration.messaging import consumers, external
from integration.messaging import deliver as delivering
from integration.messaging import routines as routines_module
from integration.messaging.deliver import LONGEST_HANDLING, deliver_due
from integration.messaging.external import LONGEST_CALLING
from integration.messaging.models import Delivery
from integration.messaging.wakeups import DeliveryQueue
from integration.policies import whenever


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Register a handler of `StockRanOut` for this test only: `listen(handler, name="inventory.reorder")`."""
    monkeypatch.setattr(consumers.consumers, "_by_name", {})
    monkeypatch.setattr(routines_module.routines, "_by_name", {})
    monkeypatch.setattr(consumers, "_by_contract", defaultdict(list))

    def register(handler: Callable[[Any], object], name: str = "inventory.reorder", **options: Any) -> None:
        whenever(StockRanOut, name=name, **options)(handler)  # type: ignore[arg-type]

    return register


@pytest.fixture
def run_out(publish_all: Callable[..., None]) -> Callable[..., None]:
    """Publish that these SKUs ran out, an event that the consumers handle."""
    return lambda *skus: publish_all(*(StockRanOut(sku=Sku(sku), sequence=1) for sku in skus))


@pytest.fixture
def deliver() -> Callable[[], int]:
    """Handle the due deliveries of both of inventory's delivery queues; returns the number of attempts."""
    return lambda: deliver_due(DeliveryQueue("inventory", False)) + deliver_due(DeliveryQueue("inventory", True))


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stop the clock, so that time passes only when the test moves it and a slow machine retries nothing.

    The limits of a batch apply as in production, because they are measured with the stopped clock.
    """
    monkeypatch.setattr(delivering, "LONGEST_HANDLING", LONGEST_HANDLING)
    monkeypatch.setattr(external, "LONGEST_CALLING", LONGEST_CALLING)
    with clock.standing_at(clock.now()):
        yield


@pytest.fixture
def delivery() -> Callable[..., Delivery]:
    """The current delivery of the message about a SKU: `delivery("MUG")`, or the only one there is."""

    def get(sku: str = "") -> Delivery:
        deliveries = Delivery.objects.select_related("message")
        return deliveries.get(message__data__sku=sku) if sku else deliveries.get()

    return get
