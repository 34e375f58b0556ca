"""Commands that write to buyers by mail."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import NamedTuple

from django.core.mail.backends.base import BaseEmailBackend

from integration.domain.identifiers import OrderNumber
from ordering.gateways import mail_server, send_letter
from ordering.models import Order


class Letters(NamedTuple):
    """What it takes to write to buyers: name and address of those who want letters, by order, and a mail server."""

    buyers: Mapping[OrderNumber, tuple[str, str]]
    server: BaseEmailBackend


@contextmanager
def letters_about(numbers: Collection[OrderNumber]) -> Iterator[Letters]:
    """Be ready to write to the buyers of some orders; one query, and at most one connection to the mail server."""
    wanted = Order.objects.filter(pk__in=numbers, buyer__email_notifications=True).exclude(buyer__email="")
    rows = wanted.order_by().values_list("number", "buyer__name", "buyer__email")
    with mail_server() as server:
        yield Letters({OrderNumber(number): (name, email) for number, name, email in rows}, server)


def write_to_buyer(letters: Letters, number: OrderNumber, subject: str, body: str) -> None:
    """Send the buyer of an order a letter, outside of any transaction; nothing if they don't want any.

    Raises:
        OSError: the letter could not be sent; to be tried again.
    """
    if number in letters.buyers:
        name, email = letters.buyers[number]
        greeting = f"Hello {name}," if name else "Hello,"
        key = blake2b(f"{number} {subject}".encode(), digest_size=12).hexdigest()
        send_letter(letters.server, to=email, subject=subject, body=f"{greeting}\n\n{body}\n", key=key)
