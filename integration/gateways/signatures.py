"""The signatures of callbacks: an HMAC over the raw body and a time, with a secret that we share with the provider.

The header's format, `t=<unix time>,v1=<hex HMAC-SHA256 of "t.body">`, and the tolerance of five minutes are Stripe's.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from integration.domain import clock

TOLERANCE_SECONDS = 300


class ForgedCallBack(Exception):
    """The callback is not signed by who should have sent it, or was signed more than five minutes ago."""


def sign(body: bytes, secret: str, moment: int) -> str:
    """The signature header for a body sent at `moment`, in seconds since 1970."""
    return f"t={moment},v1={_mac(body, secret, moment)}"


def check(body: bytes, header: str, secrets: Sequence[str]) -> None:
    """Raise `ForgedCallBack` unless one of the secrets signed this body within five minutes of now.

    Args:
        body: the raw bytes of the request.
        header: the value of the signature header.
        secrets: the accepted secrets. While a secret is replaced, the old and the new one are both accepted.
    """
    parts = [part.partition("=") for part in header.split(",")]
    moments = [value for name, _, value in parts if name.strip() == "t"]
    signatures = [value for name, _, value in parts if name.strip() == "v1"]
    if len(moments) != 1 or not (moments[0].isascii() and moments[0].isdigit() and len(moments[0]) < 12):
        raise ForgedCallBack("the signature header has no valid time")
    moment = int(moments[0])
    if abs(clock.now().timestamp() - moment) > TOLERANCE_SECONDS:
        raise ForgedCallBack("the signature is not from the last five minutes")
    expected = [_mac(body, secret, moment) for secret in secrets if secret]
    if not any(hmac.compare_digest(theirs.encode(), ours.encode()) for theirs in signatures for ours in expected):
        raise ForgedCallBack("the signature does not match the body")


def _mac(body: bytes, secret: str, moment: int) -> str:
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, sha256).hexdigest()
