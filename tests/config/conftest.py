"""A customer whose personal data are markers, their orders, and everything that is logged."""

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
from integration.logs import JsonFormatter
from ordering.models import Order


def _logged(formatter: logging.Formatter) -> Iterator[StringIO]:
    handler = logging.StreamHandler(StringIO())
    handler.setFormatter(formatter)
    root, access = logging.getLogger(), logging.getLogger("waybill.access")
    levels = root.level, access.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    access.setLevel(logging.NOTSET)
    yield handler.stream
    root.removeHandler(handler)
    root.setLevel(levels[0])
    access.setLevel(levels[1])


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """Everything that is logged, formatted as on a server, with access lines."""
    form = configured.LOGGING["formatters"]["line"]
    yield from _logged(import_string(form["class"])(form["format"], style=form["style"]))


@pytest.fixture
def logged_json() -> Iterator[StringIO]:
    """Everything that is logged, as JSON, with access lines."""
    yield from _logged(JsonFormatter())


@pytest.fixture
def buyer(shop: object, monkeypatch: pytest.MonkeyPatch) -> APIClient:
    """An API client of a customer whose personal data are markers."""
    monkeypatch.setattr("billing.queries.TEST_METHODS", {*TEST_METHODS, TOKEN})
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
    """Place an order for one unit of a sku; returns the order's number."""

    def place(sku: str = "MUG", method: str = TOKEN) -> str:
        body = {"lines": [{"sku": sku, "quantity": 1}], "shipping_address": ADDRESS, "payment_method": method}
        key = {"Idempotency-Key": f"order-{Order.objects.count()}"}
        response = buyer.post(f"{API}/orders", body, headers=key)
        assert response.status_code == 201, response.content
        return response.data["number"]

    return place


@pytest.fixture
def persist(drain: Callable[..., int], later: Callable[[timedelta], None]) -> Callable[[], None]:
    """Deliver and move the clock until every delivery is done or dead."""

    def try_again() -> None:
        for _ in range(10):
            drain()
            later(timedelta(seconds=10))

    return try_again
