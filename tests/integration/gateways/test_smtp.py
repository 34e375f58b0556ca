"""A conversation with the mail server is bounded in time and size as a whole."""

import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.mail import EmailMessage

from integration.gateways.deadline import DeadlinePassed
from integration.gateways.smtp import EmailBackend
from tests.chaos.outages.peers import MailPeer

LIMIT = 0.5


@pytest.fixture(params=[False, True], ids=["in the clear", "TLS"])
def peer(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailPeer]:
    peer = MailPeer(tmp_path, tls=request.param)
    if request.param:
        monkeypatch.setenv("SSL_CERT_FILE", str(peer.certificates))
    yield peer
    peer.close()


@pytest.fixture
def backend(peer: MailPeer) -> EmailBackend:
    return EmailBackend(host="127.0.0.1", port=peer.port, use_ssl=peer.url.startswith("smtp+ssl"), timeout=LIMIT)


def _letter(key: str, backend: Any) -> EmailMessage:
    headers = {"Message-ID": key}
    return EmailMessage("Hello", "…", "shop@example.com", ["ada@example.com"], headers=headers, connection=backend)


def test_letters_share_a_connection(peer: MailPeer, backend: EmailBackend) -> None:
    backend.open()
    for key in ("<1>", "<2>"):
        _letter(key, backend).send()
    backend.close()

    assert (peer.letters, peer.requests) == ({"<1>": 1, "<2>": 1}, {"well": 1})


@pytest.mark.parametrize(
    "how",
    ["hangs", "trickle of a greeting", "greeting without end", "hangs after the letter", "late", "421", "451"],
)
def test_each_letter_fails_within_its_timeout(peer: MailPeer, backend: EmailBackend, how: str) -> None:
    peer.how = how
    began = time.monotonic()

    with pytest.raises((DeadlinePassed, smtplib.SMTPException)):
        _letter("<1>", backend).send()

    # Connecting, the letter, and closing the connection have a timeout each.
    assert time.monotonic() - began < 3 * LIMIT + 1.5


def test_the_second_letter_over_a_connection_has_a_timeout_of_its_own(peer: MailPeer, backend: EmailBackend) -> None:
    backend.open()
    _letter("<1>", backend).send()
    time.sleep(LIMIT)
    _letter("<2>", backend).send()
    peer.how = "hangs after the letter"

    began = time.monotonic()
    with pytest.raises((DeadlinePassed, smtplib.SMTPException)):
        _letter("<3>", backend).send()
    assert time.monotonic() - began < LIMIT + 1.5


def test_closing_is_bounded(peer: MailPeer, backend: EmailBackend) -> None:
    backend.open()
    peer.how = "hangs at QUIT"

    began = time.monotonic()
    with suppress(DeadlinePassed):
        backend.close()
    assert time.monotonic() - began < LIMIT + 1.5


def test_a_wrong_certificate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = MailPeer(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(peer.certificates))
    peer.how = "wrong certificate"
    try:
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            EmailBackend(host="127.0.0.1", port=peer.port, use_ssl=True, timeout=5).open()
    finally:
        peer.close()


def test_a_mail_server_in_the_settings_gets_the_bounded_backend() -> None:
    show = "from config import settings; print(settings.EMAIL_BACKEND, settings.EMAIL_TIMEOUT)"
    environment = {**os.environ, "EMAIL_URL": "smtp://127.0.0.1:2525"}
    shown = subprocess.run([sys.executable, "-c", show], env=environment, capture_output=True, text=True, check=True)

    assert shown.stdout.split() == ["integration.gateways.smtp.EmailBackend", "10"]
