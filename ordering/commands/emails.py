"""Commands that send e-mails to buyers about their orders."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import NamedTuple

from django.core.mail.backends.base import BaseEmailBackend

from integration.domain.identifiers import BuyerId, OrderNumber, WithdrawalId
from integration.history.personal_data import load_personal
from ordering.events import OrderWithdrawn
from ordering.gateways import mail_server, send_email
from ordering.models import Buyer, History, Order, OrderStatus


class EmailBatch(NamedTuple):
    """What `write_to_buyer` needs.

    Args:
        buyers: by order, the identifier, name and e-mail address of the buyers who want e-mails.
        statuses: by order, its status when the batch was read, just before the first e-mail.
        server: the mail server.
    """

    buyers: Mapping[OrderNumber, tuple[BuyerId, str, str]]
    statuses: Mapping[OrderNumber, str]
    server: BaseEmailBackend


@contextmanager
def email_batch(numbers: Collection[OrderNumber]) -> Iterator[EmailBatch]:
    """Read the e-mail addresses of the buyers of some orders, and provide a mail server.

    It takes one query and at most one connection to the mail server, which is closed on exit. Buyers without an e-mail
    address and buyers who turned e-mail notifications off are left out.
    """
    wanted = Order.objects.filter(pk__in=numbers, buyer__email_notifications=True).exclude(buyer__email="")
    rows = list(wanted.order_by().values_list("number", "status", "buyer", "buyer__name", "buyer__email"))
    with mail_server() as server:
        buyers = {OrderNumber(number): (BuyerId(buyer), name, email) for number, _, buyer, name, email in rows}
        yield EmailBatch(buyers, {OrderNumber(number): status for number, status, *_ in rows}, server)


def write_to_buyer(
    batch: EmailBatch, number: OrderNumber, subject: str, body: str, unless: Collection[OrderStatus] = ()
) -> None:
    """Send an e-mail to the buyer of an order; do nothing if the buyer is not in `batch`.

    An e-mail that contradicts the order is not sent: `unless` are the statuses in which it is no longer true.

    Call it without a transaction, because the mail server may be slow. The same order and subject always give the same
    Message-ID, so that a retry is recognised as a copy.

    Raises:
        OSError: the e-mail could not be sent; the caller retries.
    """
    if number in batch.buyers and batch.statuses[number] not in unless:
        buyer, name, email = batch.buyers[number]
        greeting = f"Hello {name}," if name else "Hello,"
        key = blake2b(f"{number} {subject}".encode(), digest_size=12).hexdigest()
        send_email(
            batch.server,
            buyer=buyer,
            is_wanted=Buyer.objects.filter(pk=buyer).exclude(email="").exists,
            to=email,
            subject=subject,
            body=f"{greeting}\n\n{body}\n",
            key=key,
        )


def acknowledge_withdrawal(number: OrderNumber, withdrawal: WithdrawalId, subject: str, body: str) -> None:
    """Send the acknowledgement of a withdrawal to the address that the buyer stated, or else to their own.

    The law demands it, so it is also sent to a buyer who turned e-mail notifications off. Nothing is sent to nobody.

    Raises:
        OSError: the e-mail could not be sent; the caller retries.
    """
    buyer, name, email = Order.objects.filter(pk=number).values_list("buyer", "buyer__name", "buyer__email").get()
    stated = _stated(number, withdrawal)
    to = stated.email or email
    if not to:
        return
    key = blake2b(f"{number} {withdrawal} withdrawn".encode(), digest_size=12).hexdigest()
    greeting = f"Hello {stated.name or name}," if stated.name or name else "Hello,"

    def is_wanted() -> bool:
        return bool(_stated(number, withdrawal).email) or Buyer.objects.filter(pk=buyer).exclude(email="").exists()

    with mail_server() as server:
        send_email(
            server,
            buyer=BuyerId(buyer),
            is_wanted=is_wanted,
            to=to,
            subject=subject,
            body=f"{greeting}\n\n{body}\n",
            key=key,
        )


def _stated(number: OrderNumber, withdrawal: WithdrawalId) -> OrderWithdrawn:
    """The event of a withdrawal, with what the buyer stated unless it was erased."""
    entries = History.objects.filter(stream=Order.stream, stream_id=number, name=OrderWithdrawn.wire_name)
    return next(entry.event for entry in load_personal(entries) if entry.event.withdrawal == withdrawal)
