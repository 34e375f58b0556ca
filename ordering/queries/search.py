"""The read models that find buyers and orders by names and e-mail addresses."""

from functools import singledispatch

from integration.domain.address import ERASED
from integration.domain.events import DomainEvent
from integration.read_models.batch import Batch, read_model
from integration.read_models.texts import keep_texts, text_of
from ordering.events import (
    BuyerErased,
    BuyerProfileChanged,
    BuyerRegistered,
    OrderAddressCorrected,
    OrderAnonymized,
    OrderPlaced,
)
from ordering.models import Buyer, BuyerText, Order, OrderText


@read_model(BuyerText, stream=Buyer.stream, events=[BuyerRegistered, BuyerProfileChanged, BuyerErased])
def keep_buyers(batch: Batch) -> None:
    keep_texts(batch, {entry.stream_id: words(entry.event) for entry in batch.entries})


@read_model(OrderText, stream=Order.stream, events=[OrderPlaced, OrderAddressCorrected, OrderAnonymized])
def keep_recipients(batch: Batch) -> None:
    keep_texts(batch, {entry.stream_id: words(entry.event) for entry in batch.entries})


@singledispatch
def words(event: DomainEvent) -> str:
    """The words that an event leaves; empty after erasing."""
    return ""


@words.register
def _(event: BuyerRegistered | BuyerProfileChanged) -> str:
    return text_of(event.name, event.email)


@words.register
def _(event: OrderPlaced | OrderAddressCorrected) -> str:
    recipient = event.shipping_address.recipient
    return "" if recipient == ERASED else text_of(recipient, event.shipping_address.company)
