"""A body that is sent in chunks, without its length, has the same effect as one with a Content-Length."""

import json
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import pytest
from api_calls import BASE, Call, System, examples, kind_of, rolled_back, routes, steps_before

from ordering.models import Order
from tests.once import one_database

WRITING = [str(route) for route in routes() if route.method != "GET"]
KEY = {"Idempotency-Key": "k"}
LIMIT = 2_621_440


def send_in_chunks(client: Any, call: Call, **server: Any) -> Any:
    """Send a request as a WSGI server passes it on that has found the end of the chunks itself."""
    raw = call.body if isinstance(call.body, bytes) else json.dumps(call.body).encode()
    environ = {
        "wsgi.input": BytesIO(raw),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "SERVER_PROTOCOL": "HTTP/1.1",
        **server,
    }
    json_type = {"content_type": "application/json", "headers": dict(call.headers)}
    return client.generic(call.method, BASE + call.path, **json_type, **environ)


@one_database
def test_every_route_takes_the_same_body_in_chunks_and_with_its_length(
    system: System,
    anonymous: Any,
    buyer: Any,
    operator: Any,
    all_rows: Callable[[], dict[str, list[Any]]],
    subtests: pytest.Subtests,
) -> None:
    clients = {"anonymous": anonymous, "buyer": buyer, "operator": operator}
    for route in WRITING:
        with subtests.test(route), rolled_back():
            call = examples(system)[route]
            client = clients[call.who]
            for earlier in steps_before(route):
                assert operator.call(examples(system)[earlier]).status_code < 300
            before = all_rows()
            assert _effect(client.call, call, all_rows, before) == _effect(
                partial(send_in_chunks, client), call, all_rows, before
            )


def _effect(
    send: Callable[[Call], Any], call: Call, all_rows: Callable[[], dict[str, list[Any]]], before: object
) -> tuple[object, ...]:
    """Send a request that succeeds; returns its status, how many rows each table has, and whether none changed."""
    with rolled_back():
        response = send(call)
        after = all_rows()
    assert response.status_code < 300
    return response.status_code, {name: len(rows) for name, rows in after.items()}, after == before


def test_a_change_in_chunks_is_made(system: System, buyer: Any, operator: Any, subtests: pytest.Subtests) -> None:
    for route in (route for route in WRITING if route.startswith("PATCH")):
        with subtests.test(route), rolled_back():
            call = examples(system)[route]
            client = buyer if call.who == "buyer" else operator
            before = client.call(Call("GET", call.path)).json()
            assert send_in_chunks(client, call).status_code == 200
            after = client.call(Call("GET", call.path)).json()
            assert {name for name in call.body if after[name] != before[name]}


def test_a_request_repeated_in_chunks_has_the_same_fingerprint(
    buyer: Any, shop: object, order_body: dict[str, Any]
) -> None:
    first = send_in_chunks(buyer, Call("POST", "orders", order_body, headers=KEY))
    again = buyer.call(Call("POST", "orders", order_body, headers=KEY))
    other = send_in_chunks(buyer, Call("POST", "orders", {**order_body, "lines": []}, headers=KEY))

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Order.objects.count() == 1


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 422), (LIMIT + 1, 413)])
def test_a_body_in_chunks_has_the_same_limit(buyer: Any, shop: object, size: int, status: int) -> None:
    body = b'"' + b"x" * (size - 2) + b'"'
    call = Call("POST", "orders", body)
    responses = [send_in_chunks(buyer, call), buyer.call(call)]

    assert [response.status_code for response in responses] == [status, status]
    assert {kind_of(response) for response in responses} == {"too_large" if status == 413 else "invalid_input"}


@pytest.mark.parametrize("server", [{"wsgi.input_terminated": False}, {"SERVER_PROTOCOL": "HTTP/1.0"}])
def test_a_body_whose_end_is_unknown_is_refused(buyer: Any, server: dict[str, Any]) -> None:
    response = send_in_chunks(buyer, Call("PATCH", "me", {"name": "Ada King"}), **server)
    assert response.status_code == 411
    assert kind_of(response) == "length_required"
    assert "X-Correlation-Id" in response.headers
