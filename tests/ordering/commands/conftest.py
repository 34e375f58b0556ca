"""Fixtures for the tests of ordering's commands: products for sale, and orders in several states."""

from collections.abc import Callable

import pytest

from integration.contracts import IntegrationEvent
from integration.contracts import billing as billing_contracts
from integration.contracts import inventory as inventory_contracts
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, OrderNumber, PaymentMethodId, Sku
from integration.domain.money import Money
from ordering import commands
from ordering.models import Order
from tests.ordering.commands.shared import LAMP, MUG, PAYMENT, VISA, PublishAll, dispatched


@pytest.fixture
def goods() -> None:
    commands.list_products([(MUG, "Mug", "Blue", Money("12.50", "USD")), (LAMP, "Lamp", "", Money("80", "USD"))])


@pytest.fixture
def place(goods: None, address: Address) -> Callable[..., Order]:
    def order(*lines: tuple[Sku, int], buyer: str = "B-1", method: str = VISA) -> Order:
        return commands.place_order(BuyerId(buyer), lines or [(MUG, 2), (LAMP, 1)], address, PaymentMethodId(method))

    return order


@pytest.fixture
def consume(publish_all: PublishAll, drain: Callable[..., int]) -> PublishAll:
    """A function that publishes contracts and lets ordering handle them; no other context reacts."""

    def publish_and_handle(*events: IntegrationEvent) -> None:
        publish_all(*events)
        drain("ordering")

    return publish_and_handle


@pytest.fixture
def order(place: Callable[..., Order]) -> OrderNumber:
    return OrderNumber(place().number)


@pytest.fixture
def confirmed(order: OrderNumber, consume: PublishAll) -> OrderNumber:
    consume(
        inventory_contracts.StockReserved(order=order),
        billing_contracts.PaymentSucceeded(order=order, payment=PAYMENT, amount=Money("105", "USD")),
    )
    return order


@pytest.fixture
def shipped(confirmed: OrderNumber, consume: PublishAll) -> OrderNumber:
    consume(dispatched(confirmed))
    return confirmed
