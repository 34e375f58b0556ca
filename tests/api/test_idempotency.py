"""POSTs with the same `Idempotency-Key` run once and get the same response, also after crashes and concurrently."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from api_calls import System, errors_of, examples, kind_of, routes
from django.core.cache import cache
from django.db import connection, connections, transaction

from integration.rest import idempotency
from integration.rest.idempotency import forget_idempotency_keys
from integration.rest.models import IdempotencyKey
from ordering.models import Buyer, Order, Product

ORDERS, PRODUCTS = "/api/v1/orders", "/api/v1/products"
KEY = {"Idempotency-Key": "8d1f3c2a-order-of-monday"}

POSTS = [str(route) for route in routes() if route.method == "POST"]
NO_KEY = {"POST auth/tokens"}
"""A token is a secret, so the response with it is not stored."""


def comparable(response: Any) -> tuple[Any, ...]:
    """Status, body and headers of a response, except the header that marks a repetition."""
    return response.status_code, response.content, {**response.headers, "Idempotent-Replayed": ...}


def test_a_repeated_request_gets_the_first_response(buyer: Any, shop: object, order_body: dict[str, Any]) -> None:
    first = buyer.post(ORDERS, order_body, headers=KEY)
    second = buyer.post(ORDERS, order_body, headers=KEY)

    assert first.status_code == 201
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert comparable(second) == comparable(first)
    assert {"Location", "ETag", "Content-Type", "X-Correlation-Id"} <= set(second.headers)
    assert Order.objects.count() == 1


def test_a_repeated_request_gets_the_first_response_after_the_order_has_changed(
    buyer: Any, shop: object, order_body: dict[str, Any], drain: Callable[..., int]
) -> None:
    first = buyer.post(ORDERS, order_body, headers=KEY)
    drain()

    assert comparable(buyer.post(ORDERS, order_body, headers=KEY)) == comparable(first)
    assert buyer.get(first.headers["Location"]).json()["status"] == "confirmed"


def test_a_key_reused_for_another_request_is_refused(
    buyer: Any, shop: object, order_body: dict[str, Any], all_rows: Callable[[], object]
) -> None:
    number = buyer.post(ORDERS, order_body, headers=KEY).json()["number"]
    before = all_rows()
    other_body = buyer.post(ORDERS, {**order_body, "payment_method": "pm_card_amex"}, headers=KEY)
    other_call = buyer.post(f"{ORDERS}/{number}/cancel", order_body, headers=KEY)

    for response in other_body, other_call:
        assert errors_of(response) == {("#/Idempotency-Key", "idempotency_key_reused")}
    assert all_rows() == before


def test_callers_can_use_the_same_key_independently(
    buyer: Any, stranger: Any, shop: object, order_body: dict[str, Any]
) -> None:
    first = buyer.post(ORDERS, order_body, headers=KEY)
    other = stranger.post(ORDERS, order_body, headers=KEY)

    assert (first.status_code, other.status_code) == (201, 201)
    assert first.json()["number"] != other.json()["number"]
    assert "Idempotent-Replayed" not in other.headers


def test_a_refused_request_can_be_retried_with_the_same_key(
    operator: Any, buyer: Any, shop: object, order_body: dict[str, Any]
) -> None:
    responses = [buyer.post(ORDERS, {**order_body, "lines": [{"sku": "SOON", "quantity": 1}]}, headers=KEY)]
    assert not IdempotencyKey.objects.exists()
    operator.post(PRODUCTS, {"sku": "SOON", "name": "Soon", "price": {"amount": "1", "currency": "USD"}})
    responses.append(buyer.post(ORDERS, {**order_body, "lines": [{"sku": "SOON", "quantity": 1}]}, headers=KEY))

    assert [response.status_code for response in responses] == [422, 201]


@pytest.mark.parametrize("when", ["before the response is stored", "after the response is stored"])
def test_a_crash_leaves_neither_an_order_nor_a_key(
    buyer: Any,
    shop: object,
    order_body: dict[str, Any],
    all_rows: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
    when: str,
) -> None:
    store = idempotency._store

    def crash(*args: Any) -> None:
        if when.startswith("after"):
            store(*args)
        raise ConnectionResetError("the connection was lost")

    before = all_rows()
    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "_store", crash)
        cut_off = buyer.post(ORDERS, order_body, headers=KEY)

    assert cut_off.status_code == 500
    assert all_rows() == before
    assert buyer.post(ORDERS, order_body, headers=KEY).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "tab\there"])
def test_an_invalid_key_is_refused(buyer: Any, shop: object, order_body: dict[str, Any], key: str) -> None:
    response = buyer.post(ORDERS, order_body, headers={"Idempotency-Key": key})

    assert errors_of(response) == {("#/Idempotency-Key", "invalid")}
    assert not Order.objects.exists()


def test_a_key_is_stored_for_a_week(
    buyer: Any, shop: object, order_body: dict[str, Any], later: Callable[[timedelta], None]
) -> None:
    buyer.post(ORDERS, order_body, headers=KEY)
    later(timedelta(days=6, hours=23))
    forget_idempotency_keys()
    assert buyer.post(ORDERS, order_body, headers=KEY).headers["Idempotent-Replayed"] == "true"
    later(timedelta(hours=2))
    forget_idempotency_keys()

    assert not IdempotencyKey.objects.exists()


def test_a_stored_response_does_not_reveal_the_password(anonymous: Any, db: None, settings: Any) -> None:
    body = {"username": "grace", "password": "correct horse", "email": "grace@example.com", "name": "Grace"}
    anonymous.post("/api/v1/customers", body, headers=KEY)
    stored = IdempotencyKey.objects.get()
    settings.SECRET_KEY = "another"
    again = anonymous.post("/api/v1/customers", body, headers=KEY)

    assert "correct horse" not in repr(vars(stored))
    assert errors_of(again) == {("#/Idempotency-Key", "idempotency_key_reused")}, (
        "the fingerprint depends on SECRET_KEY"
    )


def test_every_post_can_be_repeated(
    system: System,
    buyer: Any,
    operator: Any,
    anonymous: Any,
    all_rows: Callable[[], object],
    subtests: pytest.Subtests,
) -> None:
    callers = {"buyer": buyer, "operator": operator, "anonymous": anonymous}
    for name, call in examples(system).items():
        cache.clear()  # Otherwise the throttle would refuse requests.
        client = callers[call.who]
        if name not in POSTS:
            client.call(call)
            continue
        with subtests.test(name):
            keyed = call._replace(headers={**call.headers, "Idempotency-Key": f"only-for {name}"})
            first = client.call(keyed)
            after_the_first = all_rows()
            second = client.call(keyed)

            assert 200 <= first.status_code < 300
            if name in NO_KEY:
                assert second.content != first.content
            else:
                assert second.headers["Idempotent-Replayed"] == "true"
                assert comparable(second) == comparable(first)
                assert all_rows() == after_the_first


# --- Concurrent requests ---


def post_concurrently(clients: list[Any], path: str, body: object, keys: list[dict[str, str]]) -> list[Any]:
    """Send one POST from several clients, in threads that start together; returns the responses."""
    barrier = Barrier(len(clients))

    def post(client: Any, key: dict[str, str]) -> Any:
        barrier.wait()
        try:
            return client.post(path, body, headers=key)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(clients)) as threads:
        return list(threads.map(post, clients, keys))


def clients_like(client: Any, number: int) -> list[Any]:
    """Several clients of the same user; each thread needs its own."""
    clients = [type(client)() for _ in range(number)]
    for each in clients:
        each.credentials(HTTP_AUTHORIZATION=f"Bearer {client.token}")
    return clients


def test_concurrent_posts_with_one_key_place_one_order(
    for_threads: None, buyer: Any, shop: object, order_body: dict[str, Any]
) -> None:
    clients = clients_like(buyer, 8)
    for attempt in range(3):
        key = {"Idempotency-Key": f"attempt {attempt}"}
        before = Order.objects.count()
        responses = post_concurrently(clients, ORDERS, order_body, [key] * 8)

        placed = [response for response in responses if response.status_code == 201]
        first = [response for response in placed if "Idempotent-Replayed" not in response.headers]
        refused = [response for response in responses if response.status_code == 409]
        assert Order.objects.count() == before + 1
        assert len(first) == 1
        assert len(placed) + len(refused) == 8, [response.content for response in responses]
        assert {response.json()["number"] for response in placed} == {first[0].json()["number"]}
        assert {kind_of(response) for response in refused} <= {"idempotency_key_in_use"}
        assert buyer.post(ORDERS, order_body, headers=key).headers["Idempotent-Replayed"] == "true"


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time")
def test_a_repetition_during_the_first_request_is_refused(
    for_threads: None, buyer: Any, shop: object, order_body: dict[str, Any]
) -> None:
    locked, done = Barrier(2), Barrier(2)

    def lock_the_key() -> None:
        with transaction.atomic():
            idempotency._lock_or_find(f"user:{buyer.user.pk}", KEY["Idempotency-Key"])
            locked.wait()
            done.wait()
        connections.close_all()

    with ThreadPoolExecutor(1) as other:
        running = other.submit(lock_the_key)
        locked.wait()
        meanwhile = buyer.post(ORDERS, order_body, headers=KEY)
        another_key = buyer.post(ORDERS, order_body, headers={"Idempotency-Key": "another"})
        done.wait()
        running.result()

    assert (meanwhile.status_code, kind_of(meanwhile)) == (409, "idempotency_key_in_use")
    assert another_key.status_code == 201
    assert buyer.post(ORDERS, order_body, headers=KEY).status_code == 201


@pytest.mark.postgres
@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite lets one transaction write at a time")
@pytest.mark.parametrize("path", [ORDERS, PRODUCTS])
def test_a_repetition_that_finds_no_key_just_before_the_first_commits_gets_the_first_response(
    for_threads: None,
    operator: Any,
    shop: object,
    order_body: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    globe = {"sku": "GLOBE", "name": "Globe", "price": {"amount": "1", "currency": "USD"}}
    body = {ORDERS: order_body, PRODUCTS: globe}[path]

    def find_nothing_then_wait(caller: str, key: str) -> None:
        monkeypatch.undo()
        with ThreadPoolExecutor(1) as other:
            client = clients_like(operator, 1)[0]
            first.append(other.submit(_close_connections_after, lambda: client.post(path, body, headers=KEY)))
            first[0].result()

    first: list[Any] = []
    monkeypatch.setattr(idempotency, "_lock_or_find", find_nothing_then_wait)
    second = operator.post(path, body, headers=KEY)

    assert first[0].result().status_code == second.status_code == 201
    assert first[0].result().content == second.content
    assert "Idempotent-Replayed" not in first[0].result().headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == (path == ORDERS)


def _close_connections_after(act: Any) -> Any:
    try:
        return act()
    finally:
        connections.close_all()


@pytest.mark.parametrize("key", [{}, KEY], ids=["without a key", "each with a key of its own"])
def test_concurrent_requests_create_one_row(for_threads: None, operator: Any, key: dict[str, str]) -> None:
    """The unique constraint refuses the others: without a common key they are different requests."""
    globe = {"sku": "GLOBE", "name": "Globe", "price": {"amount": "1", "currency": "USD"}}
    grace = {"username": "grace", "password": "correct horse", "email": "grace@example.com", "name": "Grace"}
    keys = [{name: f"{value} {i}" for name, value in key.items()} for i in range(6)]

    for path, body, table in ("products", globe, Product), ("customers", grace, Buyer):
        responses = post_concurrently(clients_like(operator, 6), f"/api/v1/{path}", body, keys)
        assert sorted(response.status_code for response in responses) == [201, 409, 409, 409, 409, 409]
        assert table.objects.count() == 1
