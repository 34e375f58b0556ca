"""Settings of carts and of guests, and how many requests of each kind a caller may send."""

from datetime import timedelta
from typing import NamedTuple

from config.environment import Environment

THROTTLES = {"read": 12_000, "write": 6_000, "login": 120, "registration": 120, "cart": 120, "lookup": 30}


class GuestSettings(NamedTuple):
    """The settings.

    Args:
        cart_expiry: how long after its last change an open cart expires.
        order_page: the page of the shop that shows a guest their order. Behind a `#` the token stays out of logs.
        throttles: the most requests of each kind that one caller may send to one process in a minute.
    """

    cart_expiry: timedelta
    order_page: str
    throttles: dict[str, int]


def guest_settings(env: Environment) -> GuestSettings:
    """Read the settings from the environment."""
    return GuestSettings(
        timedelta(days=env.number("CART_EXPIRY_DAYS", 30, "days", least=0.01, most=3_650)),
        env.text(
            "ORDER_PAGE",
            "https://shop.example/orders/{number}#access_token={token}",
            r"https?://[^{}]*\{number\}[^{}]*\{token\}[^{}]*",
            "begin with http:// or https:// and contain {number} and {token}",
        ),
        {
            kind: env.whole(f"{kind.upper()}S_PER_MINUTE", most, least=1, most=1_000_000_000)
            for kind, most in THROTTLES.items()
        },
    )
