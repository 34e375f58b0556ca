"""What happens when a guest's order changes hands, when somebody asks for its link, and when a cart is left behind."""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import timedelta

from django.db import DatabaseError

from integration import contracts
from integration.messaging.publish import publish
from integration.policies import every, whenever
from ordering import commands, events
from ordering.commands.guests import LinkBatch
from ordering.queries import carts

log = logging.getLogger(__name__)

EXPIRED_AT_ONCE = 200
"""How many carts one run lets expire; the next run lets more."""


@whenever(events.OrderClaimed)
def publish_order_claimed(event: events.OrderClaimed) -> None:
    publish(contracts.ordering.OrderClaimed(order=event.order, guest=event.guest, buyer=event.buyer))


@whenever(contracts.ordering.OrderClaimed, name="ordering.forget-guest-letters", external=True)
def forget_guest_letters(event: contracts.ordering.OrderClaimed) -> None:
    commands.forget_guest(event.guest)


def link_batch(batch: Sequence[contracts.ordering.OrderLinkRequested]) -> AbstractContextManager[LinkBatch]:
    """Read the guests of a batch with one query, and share one connection to the mail server."""
    return commands.link_batch([event.order for event in batch])


@whenever(contracts.ordering.OrderLinkRequested, name="ordering.send-order-link", external=True, read=link_batch)
def send_order_link(event: contracts.ordering.OrderLinkRequested, links: LinkBatch) -> None:
    commands.send_order_link(links, event.order, event.request, event.email_digest)


@every(timedelta(minutes=1), name="ordering.expire-carts")
def expire_carts() -> None:
    for cart in carts.carts_to_expire(EXPIRED_AT_ONCE):
        try:
            commands.expire_cart(cart)
        except DatabaseError:
            raise
        except Exception:  # whatever is wrong with one cart, the others expire
            log.exception("cart %s cannot expire", cart)
