"""The secrets of endpoints, and the signature of a request. Source: Standard Webhooks, version 1.0.0.

No secret is stored. Each is derived from a key in the settings, the endpoint's id and the number of its secret. So a
copy of the database contains none, and the same secret can be derived again for a repeated response.
"""

import base64
import hmac
from collections.abc import Sequence
from hashlib import sha256
from uuid import UUID

from django.conf import settings

PREFIX = "whsec_"
"""What every shared secret begins with."""


def secret_of(endpoint: UUID, number: int) -> str:
    """A shared secret of an endpoint, as its owner gets it: `whsec_` and 32 bytes in base64.

    Args:
        endpoint: its id.
        number: which of its secrets, from 1; each rotation makes the next.
    """
    derived = hmac.digest(settings.WEBHOOKS.signing_key.encode(), f"{endpoint}.{number}".encode(), sha256)
    return PREFIX + base64.b64encode(derived).decode()


def signature_of(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`: one signature for each secret, separated by spaces.

    Args:
        secrets: in their form with `whsec_`.
        id: the value of `webhook-id`.
        timestamp: the value of `webhook-timestamp`, in seconds since 1970.
        body: the bytes that are sent.
    """
    signed = f"{id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(_key(secret), signed, sha256)).decode()}" for secret in secrets)


def headers_of(secrets: Sequence[str], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a signed request; the arguments are those of `signature_of`."""
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature_of(secrets, id, timestamp, body),
    }


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX))
