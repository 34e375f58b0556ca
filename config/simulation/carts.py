"""Guests and buyers fill carts, name vouchers that may be used up, and check out later or claim the cart."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from config.simulation.clients import Caller, Client

VOUCHERS: tuple[dict[str, Any], ...] = (
    {"code": "TENTH", "kind": "percent", "value": "10"},
    {"code": "FIVER", "kind": "amount", "value": {"amount": "5.00", "currency": "USD"}, "limit_per_buyer": 1},
    {"code": "FIRST", "kind": "percent", "value": "33.333", "limit": 2, "exclusive": True},
)
NAMES_VOUCHER, IS_GUEST, IS_CLAIMED, ABANDONED = 0.7, 0.6, 0.25, 0.2
THINKS = 60.0
"""Seconds from filling a cart to checking out, on average."""

OnPlaced = Callable[[str, Caller], None]


class Shoppers(Client):
    """Order from carts."""

    def create_vouchers(self, operator: AbstractBaseUser) -> None:
        """Create vouchers, of which one can be used by two orders only."""
        for voucher in VOUCHERS:
            response = self.post("/api/v1/vouchers", voucher, user=operator, key=f"voucher-{voucher['code']}")
            self.expect(response, 201, what=f"creating {voucher['code']}")

    def shop(self, key: str, wish: Mapping[str, Any], account: AbstractBaseUser, on_placed: OnPlaced) -> None:
        """Fill a cart with a wish, and check it out, at once or later, once.

        Args:
            key: names the wish.
            account: who owns or claims the cart, unless a guest orders.
            on_placed: called with the order's number and who may open it.
        """
        world = self.world
        is_guest = world.chances(IS_GUEST)
        if world.chances(ABANDONED):
            self._fill(f"abandoned-{key}", wish, None)
            world.tally["carts abandoned"] += 1
        owner = None if is_guest else account
        cart, headers = self._fill(key, wish, owner)
        if is_guest and world.chances(IS_CLAIMED):
            response = self.post(f"/api/v1/carts/{cart}/claim", {}, user=account, key=f"claim-{key}", **headers)
            if self.expect(response, 200, what=f"claiming the cart of {key}"):
                world.tally["carts claimed"] += 1
                cart, headers, owner = response.data["id"], {}, account
        if owner is None:
            world.after(world.soon(THINKS), self._check_out, key, wish, cart, headers, owner, on_placed)
        else:  # a buyer has one open cart, so it must end before the next order
            self._check_out(key, wish, cart, headers, owner, on_placed)

    def _fill(self, key: str, wish: Mapping[str, Any], owner: Caller) -> tuple[str, dict[str, str]]:
        """Open a cart and fill it; returns its identifier and the headers that open it."""
        opened = self.post("/api/v1/carts", {}, user=owner, key=f"cart-{key}")
        self.expect(opened, 200, 201, what=f"opening a cart for {key}")
        cart, headers = opened.json()["id"], {} if owner else {"Cart-Token": opened.json()["token"]}
        path = f"/api/v1/carts/{cart}"
        for line in wish["lines"]:
            self._put(f"{path}/items/{line['sku']}", {"quantity": line["quantity"]}, owner, headers)
        self._put(f"{path}/shipping-address", wish["shipping_address"], owner, headers)
        if self.world.chances(NAMES_VOUCHER):
            code = self.world.random.choice(VOUCHERS)["code"]
            self._put(f"{path}/vouchers/{code}", {}, owner, headers)
        return cart, headers

    def _put(self, path: str, body: Any, owner: Caller, headers: Mapping[str, str]) -> None:
        self.expect(self.ask("put", path, body, user=owner, **headers), 200, what=path)

    def _check_out(
        self,
        key: str,
        wish: Mapping[str, Any],
        cart: str,
        headers: Mapping[str, str],
        owner: Caller,
        on_placed: OnPlaced,
    ) -> None:
        body = {"payment_method": wish["payment_method"]} if "payment_method" in wish else {}
        if owner is None:
            body["email"] = f"{key}@example.com"
        for again in range(1 + self.world.chances(0.3)):
            response = self.post(f"/api/v1/carts/{cart}/checkout", body, user=owner, key=f"checkout-{key}", **headers)
            if again and "Idempotent-Replayed" not in response.headers:
                self.world.offenders.append(f"the checkout of {key} was not replayed")
        if self.expect(response, 201, what=f"the checkout of {key}"):
            self.world.tally["carts checked out"] += 1
            self.world.tally["vouchers used"] += any(
                each["code"] in {voucher["code"] for voucher in VOUCHERS} for each in response.data["discounts"]
            )
            on_placed(response.data["number"], owner or response.json()["access_token"])
