"""A customer full of markers, what they order, and all that is logged meanwhile."""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.conf import settings as configured
from django.utils.module_loading import import_string
from markers import ADDRESS, API, MAIL, NAME, PASSWORD, TOKEN
from rest_framework.test import APIClient

from integration.contracts.billing import TEST_METHODS
from ordering.models import Order


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """All that is logged, in the form it has on a server."""
    form = configured.LOGGING["formatters"]["line"]
    handler = logging.StreamHandler(StringIO())
    handler.setFormatter(import_string(form["class"])(form["format"], style=form["style"]))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler.stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def buyer(shop: object, monkeypatch: pytest.MonkeyPatch) -> APIClient:
    """A customer full of markers."""
    monkeypatch.setattr("ordering.commands.orders.TEST_METHODS", {*TEST_METHODS, TOKEN})
    client = APIClient()
    client.default_format = "json"
    person = {"username": "zeb", "password": PASSWORD, "email": MAIL, "name": NAME}
    assert client.post(f"{API}/customers", person, headers={"Idempotency-Key": "1"}).status_code == 201
    login = client.post(f"{API}/auth/tokens", {"username": "zeb", "password": PASSWORD})
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {login.data['token']}")
    assert client.patch(f"{API}/me", {"default_shipping_address": ADDRESS}).status_code == 200
    return client


@pytest.fixture
def order(buyer: APIClient) -> Callable[..., str]:
    """Order something, or another thing; returns the number."""

    def place(sku: str = "MUG", method: str = TOKEN) -> str:
        body = {"lines": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": method}
        key = {"Idempotency-Key": f"order-{Order.objects.count()}"}
        answer = buyer.post(f"{API}/orders", body, headers=key)
        assert answer.status_code == 201, answer.content
        return answer.data["number"]

    return place


@pytest.fixture
def persist(drain: Callable[..., int], later: Callable[[timedelta], None]) -> Callable[[], None]:
    """Let everything be tried until it succeeds or is given up."""

    def try_again() -> None:
        for _ in range(10):
            drain()
            later(timedelta(seconds=10))

    return try_again
