"""External systems that are ill: the payment provider and the mail server hang, refuse, trickle, or are not themselves.

Orders flow meanwhile. Once the external system is well, everything that waited for it is done within 15 seconds: the
first call that succeeds makes what waits for its next attempt due.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.models import Max

from integration.domain import clock
from integration.messaging.models import Delivery
from tests.chaos.outages.peers import WELL, HttpPeer, MailPeer
from tests.chaos.outages.shop import Shop
from tests.chaos.outages.table import Table

HEALED_WITHIN = 15.0
LONG = 45.0
"""Seconds that stand for an hour: by then the waits between two attempts are longer than `HEALED_WITHIN`."""


@contextmanager
def with_provider(shop: Shop) -> Iterator[None]:
    """Let every way to and from the payment provider be a request to a server over TLS."""
    with _peer(shop, HttpPeer) as peer, shop.restarted(SANDBOX_URL=peer.url, SSL_CERT_FILE=str(peer.certificates)):
        yield


@contextmanager
def with_mail_server(shop: Shop) -> Iterator[None]:
    """Let e-mails go to a mail server over TLS."""
    with _peer(shop, MailPeer) as peer, shop.restarted(EMAIL_URL=peer.url, SSL_CERT_FILE=str(peer.certificates)):
        yield


@contextmanager
def _peer(shop: Shop, kind: Any) -> Iterator[Any]:
    folder = shop.folder / kind.__name__
    folder.mkdir(exist_ok=True)
    peer: Any = kind(folder)
    shop.ends.callback(peer.close)
    shop.peer = peer  # type: ignore[attr-defined]
    try:
        yield peer
    finally:
        peer.close()


@contextmanager
def settled(shop: Shop) -> Iterator[None]:
    """Check at the end of a row that every external delivery was done soon, and no redirect was obeyed."""
    peer: Any = shop.peer  # type: ignore[attr-defined]
    peer.requests.clear()
    yield
    well = shop.well_at  # type: ignore[attr-defined]
    until = time.monotonic() + 60
    external = Delivery.objects.filter(external=True)
    while external.filter(status="pending").exists() and time.monotonic() < until:
        time.sleep(0.2)
    connections.close_all()
    left = external.exclude(status="done").count()
    last = external.aggregate(last=Max("done_at"))["last"]
    seconds = max((last - well).total_seconds(), 0.0) if last else 0.0
    elsewhere = sum(count for request, count in peer.requests.items() if "elsewhere" in request)
    shop.outcome.n |= {"external calls": peer.requests.total(), "all done within s": round(seconds, 1)}
    shop.outcome.require(not left, f"{left} external deliveries are not done")
    shop.require_in_time(seconds <= HEALED_WITHIN, f"the last external delivery was done after {seconds:.1f} s")
    shop.outcome.require(not elsewhere, f"{elsewhere} redirects were obeyed")


PROVIDER = Table("provider", around=with_provider)
MAIL = Table("mail", around=with_mail_server)


def ill(shop: Shop, how: str) -> Iterator[None]:
    """Let the external system be ill in this way, and then well."""
    peer: Any = shop.peer  # type: ignore[attr-defined]
    peer.how = how
    try:
        yield
    finally:
        peer.how = WELL
        shop.well_at = clock.now()  # type: ignore[attr-defined]


# --- The payment provider ---


@PROVIDER.row(around=settled)
def provider_hangs(shop: Shop) -> Iterator[None]:
    """Accepts requests and never responds."""
    yield from ill(shop, "hangs")


@PROVIDER.row(around=settled)
def provider_hangs_before_tls(shop: Shop) -> Iterator[None]:
    """Accepts connections and says nothing, not even for TLS."""
    yield from ill(shop, "hangs before TLS")


@PROVIDER.row(around=settled, short=True)
def provider_asks_to_wait(shop: Shop) -> Iterator[None]:
    """429 with `Retry-After: 3`."""
    yield from ill(shop, "429 3")


@PROVIDER.row(around=settled, lasts=LONG)
def provider_fails_for_long(shop: Shop) -> Iterator[None]:
    """500 for long."""
    yield from ill(shop, "500")


@PROVIDER.row(around=settled)
def provider_responds_late(shop: Shop) -> Iterator[None]:
    """Responds after the timeout."""
    yield from ill(shop, "late")


@PROVIDER.row(around=settled)
def provider_has_another_certificate(shop: Shop) -> Iterator[None]:
    """TLS error: a certificate that nobody trusts."""
    yield from ill(shop, "wrong certificate")


@PROVIDER.row(around=settled)
def provider_redirects(shop: Shop) -> Iterator[None]:
    """Redirects elsewhere."""
    yield from ill(shop, "redirect")


@PROVIDER.row(around=settled)
def provider_sends_for_ever(shop: Shop) -> Iterator[None]:
    """A body without end, as fast as it is read."""
    yield from ill(shop, "body without end")


@PROVIDER.row(around=settled)
def provider_trickles(shop: Shop) -> Iterator[None]:
    """A body without end, one byte now and then."""
    yield from ill(shop, "trickle of a body")


# --- The mail server ---


@MAIL.row(around=settled)
def mail_hangs(shop: Shop) -> Iterator[None]:
    """Accepts connections and never greets."""
    yield from ill(shop, "hangs")


@MAIL.row(around=settled)
def mail_hangs_after_the_letter(shop: Shop) -> Iterator[None]:
    """Reads the letter and never accepts it."""
    yield from ill(shop, "hangs after the letter")


@MAIL.row(around=settled, short=True)
def mail_asks_to_wait(shop: Shop) -> Iterator[None]:
    """451: greylisting."""
    yield from ill(shop, "451")


@MAIL.row(around=settled, lasts=LONG)
def mail_refuses_for_long(shop: Shop) -> Iterator[None]:
    """421 for long."""
    yield from ill(shop, "421")


@MAIL.row(around=settled)
def mail_responds_late(shop: Shop) -> Iterator[None]:
    """Accepts each letter after seven seconds."""
    yield from ill(shop, "late")


@MAIL.row(around=settled)
def mail_has_another_certificate(shop: Shop) -> Iterator[None]:
    """TLS error: a certificate that nobody trusts."""
    yield from ill(shop, "wrong certificate")


@MAIL.row(around=settled)
def mail_greets_for_ever(shop: Shop) -> Iterator[None]:
    """A greeting without end."""
    yield from ill(shop, "greeting without end")


@MAIL.row(around=settled)
def mail_trickles(shop: Shop) -> Iterator[None]:
    """A greeting without end, one byte now and then."""
    yield from ill(shop, "trickle of a greeting")
