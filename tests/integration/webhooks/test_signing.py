"""Requests are signed as Standard Webhooks specifies: the public library verifies them, and published vectors agree."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from integration.domain import clock
from integration.webhooks.signing import headers_of, secret_of, signature_of

ROOT = Path(__file__).resolve().parents[3]
ENDPOINT = UUID("0190f3b0-0000-7000-8000-000000000001")
BODY = '{"type":"ordering.order-placed","data":{"order":"1001","name":"Käthe"}}'.encode()


def test_the_published_vector() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    signature = signature_of([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_public_library_verifies_both_signatures_of_a_rotation() -> None:
    now = int(clock.now().timestamp())
    old, new = secret_of(ENDPOINT, 1), secret_of(ENDPOINT, 2)
    headers = headers_of([new, old], "0190-m", now, BODY)

    assert Webhook(old).verify(BODY.decode(), headers) == Webhook(new).verify(BODY.decode(), headers)
    for wrong in (
        {**headers, "webhook-id": "0190-n"},
        {**headers, "webhook-timestamp": str(now - 1)},
        headers_of([old], "0190-m", now - int(timedelta(minutes=6).total_seconds()), BODY),
        headers_of([secret_of(ENDPOINT, 3)], "0190-m", now, BODY),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(old).verify(BODY.decode(), wrong)


def test_the_receiver_of_the_docs_verifies_it() -> None:
    (code,) = re.findall(r"```python verify\n(.*?)```", (ROOT / "docs/api.md").read_text(), re.DOTALL)
    assert len(code.splitlines()) <= 20
    receiver: dict[str, Any] = {}
    exec(code, receiver)  # noqa: S102 - our own page
    now, secret, old = int(clock.now().timestamp()), secret_of(ENDPOINT, 2), secret_of(ENDPOINT, 1)
    headers = headers_of([secret, old], "0190-m", now, BODY)
    assert receiver["verify"](secret, headers, BODY)
    assert receiver["verify"](old, headers, BODY)
    assert not receiver["verify"](secret_of(ENDPOINT, 3), headers, BODY)
    assert not receiver["verify"](secret, headers, BODY + b" ")
    assert not receiver["verify"](secret, headers_of([secret], "0190-m", now - 301, BODY), BODY)


def test_each_secret_is_one_of_its_kind(settings: Settings) -> None:
    other = UUID("0190f3b0-0000-7000-8000-000000000002")
    secrets = [secret_of(ENDPOINT, 1), secret_of(ENDPOINT, 2), secret_of(other, 1)]
    settings.WEBHOOKS = settings.WEBHOOKS._replace(signing_key="another")
    secrets.append(secret_of(ENDPOINT, 1))

    assert len(set(secrets)) == 4
    assert all(secret.startswith("whsec_") and len(secret) == len("whsec_") + 44 for secret in secrets)
