"""Commands that send letters to buyers about their orders."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

from django.core.mail.backends.base import BaseEmailBackend

from integration.aggregates.unit_of_work import unit_of_work
from integration.domain import clock
from integration.domain.identifiers import BuyerId, OrderNumber, WithdrawalId
from integration.history.personal_data import load_personal
from integration.storage.writing import Upsert
from ordering.events import OrderWithdrawn
from ordering.gateways import mail_server, send_email
from ordering.letters import Letter, in_language_of, render
from ordering.models import Buyer, History, Order, OrderStatus, SentLetter

NoteSent = Callable[[], None]
"""Stores that a letter was sent, in the unit of work that marks its delivery done."""


class Recipient(NamedTuple):
    """The buyer of an order.

    Args:
        buyer: their identifier.
        name: their name, or nothing.
        email: their e-mail address.
        locale: their language and region, such as `de-AT`.
        wants_letters: whether they want letters that the law does not demand.
    """

    buyer: BuyerId
    name: str
    email: str
    locale: str
    wants_letters: bool


class EmailBatch(NamedTuple):
    """What `write_to_buyer` needs.

    Args:
        buyers: by order, the buyers who have an e-mail address.
        statuses: by order, its status when the batch was read, just before the first e-mail.
        server: the mail server.
    """

    buyers: Mapping[OrderNumber, Recipient]
    statuses: Mapping[OrderNumber, str]
    server: BaseEmailBackend


@contextmanager
def email_batch(numbers: Collection[OrderNumber]) -> Iterator[EmailBatch]:
    """Read the e-mail addresses of the buyers of some orders, and provide a mail server.

    It takes one query and at most one connection to the mail server, which is closed on exit. Buyers without an e-mail
    address are left out.
    """
    reachable = Order.objects.filter(pk__in=numbers).exclude(buyer__email="")
    fields = [f"buyer__{name}" for name in ("name", "email", "locale", "email_notifications")]
    rows = list(reachable.order_by().values_list("number", "status", "buyer", *fields))
    with mail_server() as server:
        buyers = {OrderNumber(number): Recipient(BuyerId(buyer), *others) for number, _, buyer, *others in rows}
        yield EmailBatch(buyers, {OrderNumber(number): status for number, status, *_ in rows}, server)


def write_to_buyer(
    batch: EmailBatch,
    number: OrderNumber,
    key: str,
    write: Callable[[], Letter],
    *,
    unless: Collection[OrderStatus] = (),
    by_law: bool = False,
) -> NoteSent | None:
    """Send a letter to the buyer of an order; do nothing if the buyer has no address or does not want it.

    A letter that contradicts the order is not sent: `unless` are the statuses in which it is no longer true.

    Call it without a transaction, because the mail server may be slow.

    Args:
        batch: the buyers, the orders and the mail server.
        number: the order.
        key: what the letter is about, in the same words on each retry and in each language. It gives the Message-ID, so
            that a retry is recognised as a copy. Letters were sent under these words: never change them.
        write: writes the letter in the language that is active.
        unless: the statuses in which the letter is not true.
        by_law: whether it is also sent to buyers who turned e-mail notifications off.

    Returns:
        What stores that the letter was sent; None if it was not sent.

    Raises:
        OSError: the e-mail could not be sent; the caller retries.
    """
    to = batch.buyers.get(number)
    if to is None or batch.statuses[number] in unless or not (to.wants_letters or by_law):
        return None
    is_wanted = Buyer.objects.filter(pk=to.buyer).exclude(email="").exists
    return _send(batch.server, number, to, blake2b(f"{number} {key}".encode(), digest_size=12), write, is_wanted)


def acknowledge_withdrawal(
    number: OrderNumber, withdrawal: WithdrawalId, write: Callable[[], Letter]
) -> NoteSent | None:
    """Send the acknowledgement of a withdrawal to the address that the buyer stated, or else to their own.

    The law demands it, so it is also sent to a buyer who turned e-mail notifications off. Nothing is sent to nobody.

    Returns:
        What stores that the letter was sent; None if it was not sent.

    Raises:
        OSError: the e-mail could not be sent; the caller retries.
    """
    fields = ("buyer", "buyer__name", "buyer__email", "buyer__locale")
    buyer, name, email, locale = Order.objects.filter(pk=number).values_list(*fields).get()
    stated = _stated(number, withdrawal)
    to = Recipient(BuyerId(buyer), stated.name or name, stated.email or email, locale, wants_letters=True)
    if not to.email:
        return None
    key = blake2b(f"{number} {withdrawal} withdrawn".encode(), digest_size=12)

    def is_wanted() -> bool:
        return bool(_stated(number, withdrawal).email) or Buyer.objects.filter(pk=buyer).exclude(email="").exists()

    with mail_server() as server:
        return _send(server, number, to, key, write, is_wanted)


def _send(
    server: BaseEmailBackend,
    number: OrderNumber,
    to: Recipient,
    hashed: blake2b,
    write: Callable[[], Letter],
    is_wanted: Callable[[], bool],
) -> NoteSent:
    with in_language_of(to.locale) as language:
        letter = write()
        rendered = render(letter, to.name)
    key = hashed.hexdigest()
    send_email(
        server,
        buyer=to.buyer,
        is_wanted=is_wanted,
        to=to.email,
        subject=rendered.subject,
        body=rendered.text,
        key=key,
        html=rendered.html,
        about={"order": number, "kind": letter.kind},
    )
    return partial(_note_sent, key, number, letter.kind, language)


def _note_sent(key: str, number: OrderNumber, kind: str, language: str) -> None:
    row = {"id": key, "order": number, "kind": kind, "language": language, "sent_at": clock.now()}
    with unit_of_work() as work:
        work.write(Upsert(SentLetter, ("id",)), [row])


def _stated(number: OrderNumber, withdrawal: WithdrawalId) -> OrderWithdrawn:
    """The event of a withdrawal, with what the buyer stated unless it was erased."""
    entries = History.objects.filter(stream=Order.stream, stream_id=number, name=OrderWithdrawn.wire_name)
    return next(entry.event for entry in load_personal(entries) if entry.event.withdrawal == withdrawal)
