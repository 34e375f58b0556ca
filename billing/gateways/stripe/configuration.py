"""Stripe's keys, from the environment. A shop with a wrong one does not start."""

import os
import re
from functools import cache

from django.core.exceptions import ImproperlyConfigured
from msgspec import Struct

API = "https://api.stripe.com"


class Configuration(Struct, frozen=True):
    """What Stripe's dashboard gives out.

    Args:
        secret_key: authenticates our requests.
        publishable_key: what a buyer's browser may know.
        webhook_secrets: sign callbacks; any of them is accepted, so that one can be replaced.
        is_live: whether money is moved.
        return_url: the page of the shop to which a buyer's bank sends them back after 3-D Secure.
        api: where requests go.
    """

    secret_key: str
    publishable_key: str
    webhook_secrets: tuple[str, ...]
    is_live: bool
    return_url: str
    api: str = API


@cache
def configuration() -> Configuration:
    """The configuration from `STRIPE_…` of the environment.

    Raises:
        ImproperlyConfigured: with one sentence that names the variable and says what is wrong with it.
    """
    mode = os.environ.get("STRIPE_MODE", "").strip() or "test"
    if mode not in ("test", "live"):
        raise ImproperlyConfigured(f"STRIPE_MODE must be test or live, not {mode!r}")
    secret_key = _key("STRIPE_SECRET_KEY", "sk|rk", mode)
    publishable_key = _key("STRIPE_PUBLISHABLE_KEY", "pk", mode)
    secrets = tuple(each.strip() for each in os.environ.get("STRIPE_WEBHOOK_SECRETS", "").split(",") if each.strip())
    if not secrets or not all(re.fullmatch(r"whsec_[A-Za-z0-9+/=_-]{16,}", each) for each in secrets):
        raise ImproperlyConfigured(
            "STRIPE_WEBHOOK_SECRETS must be the signing secrets of Stripe's webhook endpoint, such as whsec_…"
        )
    return_url = _url("STRIPE_RETURN_URL")
    return Configuration(secret_key, publishable_key, secrets, mode == "live", return_url, _url("STRIPE_API", API))


def _key(name: str, kinds: str, mode: str) -> str:
    """A key of Stripe whose prefix says its kind and mode: `sk_test_…`."""
    key = os.environ.get(name, "").strip()
    found = re.fullmatch(rf"({kinds})_(test|live)_[A-Za-z0-9_]{{8,}}", key)
    example = f"{kinds.partition('|')[0]}_{mode}_…"
    if not found:
        raise ImproperlyConfigured(f"{name} must be a key of Stripe, such as {example}")
    if found[2] != mode:
        raise ImproperlyConfigured(f"{name} is a {found[2]} key, and STRIPE_MODE is {mode}: give {example}")
    return key


def _url(name: str, default: str = "") -> str:
    url = os.environ.get(name, "").strip() or default
    if not re.fullmatch(r"https?://[^/\s]+(/\S*)?", url):
        raise ImproperlyConfigured(f"{name} must be a URL, such as https://shop.example.com/paid")
    return url.rstrip("/") if name == "STRIPE_API" else url
