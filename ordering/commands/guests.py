"""Commands on the orders of guests: a buyer takes one over, and somebody who lost its link asks for another."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import NamedTuple

from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.utils.crypto import constant_time_compare, salted_hmac

from integration import contracts
from integration.aggregates.erasure import forget
from integration.aggregates.unit_of_work import unit_of_work
from integration.domain.errors import NotFound
from integration.domain.identifiers import BuyerId, OrderNumber, new_event_id
from integration.gateways.mail_files import forget_letters
from integration.messaging.publish import publish
from integration.rest.guests import access_token
from ordering.commands.buyers import register_buyer_if_new, user_of_buyer
from ordering.gateways import mail_server, send_email
from ordering.models import Buyer, Order
from ordering.queries.guests import GuestToWrite, guests_of_orders


def claim_order(number: OrderNumber, guest: BuyerId | None, buyer: BuyerId) -> Order:
    """Give a guest's order to a buyer, once. The guest is erased, and their access token opens nothing any more.

    Args:
        guest: whose access token the buyer has shown; None if it opens nothing.

    Raises:
        AlreadyClaimed: it is this buyer's already.
        NotFound: there is no such order, or it is not the guest's.
    """
    with unit_of_work() as work:
        order = work.find(Order, number)
        if order is None or order.buyer_id not in (guest, buyer):
            raise NotFound(f"there is no order {number}")
        register_buyer_if_new(buyer, user=user_of_buyer(buyer))
        buyers = work.get_many(Buyer, {order.buyer_id, buyer})
        order.claim(buyer)
        if guest is not None:
            buyers[guest].erase([])
            forget(Buyer, [guest])
    return order


def forget_guest(guest: BuyerId) -> None:
    """Delete the e-mails to a guest who is erased."""
    forget_letters(guest)


def request_order_link(number: OrderNumber, email: str) -> None:
    """Send the guest of an order its link by e-mail, if the address is theirs.

    The work is the same whether there is such an order and whether the e-mail address is its guest's: a reaction finds
    out later.
    """
    with unit_of_work():
        publish(
            contracts.ordering.OrderLinkRequested(
                order=number, request=str(new_event_id()), email_digest=_digest(email)
            )
        )


def _digest(email: str) -> str:
    """A keyed hash of an e-mail address, so that no message holds the address."""
    return salted_hmac("e-mail address of a guest", email.strip().casefold(), algorithm="sha256").hexdigest()


class LinkBatch(NamedTuple):
    """What `send_order_link` needs: the guests by order, and the mail server."""

    guests: Mapping[OrderNumber, GuestToWrite]
    server: BaseEmailBackend


@contextmanager
def link_batch(numbers: list[OrderNumber]) -> Iterator[LinkBatch]:
    """Read the guests of some orders with one query, and provide a mail server, which is closed on exit."""
    guests = guests_of_orders(numbers)
    with mail_server() as server:
        yield LinkBatch(guests, server)


def send_order_link(batch: LinkBatch, number: OrderNumber, request: str, email_digest: str) -> None:
    """Send the guest of an order its link, if they asked for it; do nothing for anybody else.

    Raises:
        OSError: the e-mail could not be sent; the caller retries.
    """
    guest = batch.guests.get(number)
    if guest is None or not constant_time_compare(_digest(guest.email), email_digest):
        return
    link = settings.ORDER_PAGE.format(number=number, token=access_token(number, guest.story))
    send_email(
        batch.server,
        buyer=guest.buyer,
        is_wanted=Buyer.objects.filter(pk=guest.buyer).exclude(email="").exists,
        to=guest.email,
        subject=f"Your order {number}",
        body=f"Hello {guest.name},\n\nyou asked for the link to your order {number}. Anybody who has it can see the "
        f"order and cancel it, so keep it to yourself:\n\n{link}\n",
        key=blake2b(f"link {request}".encode(), digest_size=12).hexdigest(),
    )
