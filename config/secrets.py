"""A server's secrets: each has one purpose, and nobody can guess one."""

import zlib
from collections.abc import Collection, Mapping
from hashlib import sha256
from hmac import digest
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

SHORTEST_SECRET_KEY = 50
"""Characters. Source: Django's check security.W009."""
SHORTEST_WEBHOOK_SECRET = 32
"""Characters: as many bytes as an HMAC with SHA-256 has."""
LEAST_CONTENT = 32
"""Bytes that a secret must have when it is compressed. Repeated and similar characters compress to fewer."""
CALL_BACKS = "call-backs of the sandbox"
"""The purpose of the secret that signs them, unless another one is given."""
SCANS = "callbacks of the sandbox carrier"
MAKE_ONE = "python -c 'import secrets; print(secrets.token_urlsafe(50))' makes one"


def refuse_weak(name: str, secret: str, shortest: int) -> None:
    """Raise `ImproperlyConfigured` for a secret that is too short or can be guessed.

    Args:
        name: the setting, for the sentence, which does not repeat the secret.
        shortest: the least number of characters.
    """
    if len(secret) < shortest:
        raise ImproperlyConfigured(f"{name} is too short: it must have {shortest} random characters; {MAKE_ONE}")
    if secret.startswith("django-insecure-") or len(zlib.compress(secret.encode())) < LEAST_CONTENT:
        raise ImproperlyConfigured(f"{name} can be guessed: it must be random; {MAKE_ONE}")


def refuse_shared(secrets: Mapping[str, Collection[str]]) -> None:
    """Raise `ImproperlyConfigured` if one secret serves two purposes: who learns one would have the other, too.

    Args:
        secrets: the secrets of each setting.
    """
    purpose: dict[str, str] = {}
    for name, some in secrets.items():
        for secret in some:
            if purpose.setdefault(secret, name) != name:
                raise ImproperlyConfigured(f"{purpose[secret]} and {name} contain the same secret: use two")


def derived(secret: str, purpose: str) -> str:
    """Another secret for another purpose. It does not lead back to `secret`."""
    return digest(secret.encode(), purpose.encode(), sha256).hex()


def passwords_of(urls: str) -> list[str]:
    """The passwords in URLs that are separated by `;`."""
    found = (urlsplit(url).password for url in urls.split(";"))
    return [unquote(password) for password in found if password]
