"""Odd input is refused with a problem document that names what is wrong: it is never a 500, and never passed over."""

import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from api_calls import (
    BASE,
    PASSWORD,
    Call,
    System,
    errors_of,
    examples,
    kind_of,
    problem_of,
    rolled_back,
    routes,
    steps_before,
)
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model

from billing.gateways import signatures
from fulfillment.gateways.carriers.sandbox.adapter import SIGNATURE_HEADER
from integration.domain import clock
from tests.once import one_database

ROUTES = [str(route) for route in routes()]
LISTS = [str(route) for route in routes() if route.method == "GET" and hasattr(route.view, "filterset_class")]
SURROGATE, NUL = "\ud800", "\0"


# --- OPTIONS ---


def test_every_path_responds_to_options(
    system: System, anonymous: Any, buyer: Any, operator: Any, subtests: pytest.Subtests
) -> None:
    calls = examples(system)
    for path in sorted({route.path for route in routes()}):
        example = next(call for route, call in calls.items() if route.partition(" ")[2] == path)
        with subtests.test(path), rolled_back():
            for client in anonymous, buyer, operator:
                response = client.options(BASE + example.path.partition("?")[0])
                assert response.status_code in {200, 401, 403}, response.content
                if response.status_code != 200:
                    problem_of(response)
            assert response.status_code == 200


# --- Keys that occur twice ---

REPEATED = {
    "of the body": (b'{"name": "Ada", "name": "Eve"}', {("#/name", "repeated_field")}),
    "with the same value": (b'{"name": "Ada", "name": "Ada"}', {("#/name", "repeated_field")}),
    "in an object": (
        b'{"preferences": {"locale": "en", "locale": "de"}}',
        {("#/preferences/locale", "repeated_field")},
    ),
    "written in two ways": (b'{"name": "Ada", "n\\u0061me": "Eve"}', {("#/name", "repeated_field")}),
    "an object": (b'{"preferences": {}, "preferences": {"locale": "de"}}', {("#/preferences", "repeated_field")}),
    "three times": (b'{"name": "Ada", "name": "Bea", "name": "Eve"}', {("#/name", "repeated_field")}),
    "in an unknown field": (b'{"x": [1, {"a/b": 1, "a/b": 2}]}', {("#/x/1/a~1b", "repeated_field")}),
    "the empty key": (b'{"": 1, "": 2}', {("#/", "repeated_field")}),
    "a lone surrogate": (b'{"\\ud800": 1, "\\ud800": 2}', {("#/%3F", "repeated_field")}),
    "two of them": (
        b'{"name": "Ada", "name": "Eve", "email": "a@b.cd", "email": "e@b.cd"}',
        {("#/name", "repeated_field"), ("#/email", "repeated_field")},
    ),
}


@pytest.mark.parametrize(("body", "errors"), REPEATED.values(), ids=REPEATED)
def test_a_key_that_occurs_twice_is_refused(
    buyer: Any, all_rows: Callable[[], object], body: bytes, errors: set[tuple[str, str]]
) -> None:
    assert buyer.get(f"{BASE}me").status_code == 200
    before = all_rows()

    assert errors_of(buyer.call(Call("PATCH", "me", body))) == errors
    assert all_rows() == before


@one_database
def test_every_body_is_searched_for_keys_that_occur_twice(
    system: System,
    anonymous: Any,
    buyer: Any,
    operator: Any,
    all_rows: Callable[[], object],
    subtests: pytest.Subtests,
) -> None:
    clients = {"anonymous": anonymous, "buyer": buyer, "operator": operator}
    for route in (route for route in ROUTES if route.partition(" ")[0] in ("POST", "PATCH")):
        with subtests.test(route), rolled_back():
            for earlier in steps_before(route):
                assert operator.call(examples(system)[earlier]).status_code < 300
            call = _with_a_key_twice(route, examples(system)[route])
            before = all_rows()
            response = clients[call.who].call(call)

            assert {code for _, code in errors_of(response)} == {"repeated_field"}
            assert all_rows() == before


def _with_a_key_twice(route: str, call: Call) -> Call:
    if "webhooks" in route:
        key, sign = (b'"status":', signed_by_carrier) if "carriers" in route else (b'"kind":', signed)
        body = call.body.replace(key, key + b'"twice",' + key)
        assert body != call.body
        headers = sign(body)
    else:
        fields = json.dumps({**call.body, "x": 1})
        body, headers = f'{fields[:-1]}, "x": 1}}'.encode(), dict(call.headers)
    return call._replace(body=body, headers=headers)


# --- Query parameters ---


@one_database
def test_no_route_passes_over_an_unknown_parameter(
    system: System, anonymous: Any, buyer: Any, operator: Any, subtests: pytest.Subtests
) -> None:
    clients = {"anonymous": anonymous, "buyer": buyer, "operator": operator}
    calls = examples(system)
    for route in ROUTES:
        call = calls[route]
        path = call.path.partition("?")[0]
        with subtests.test(route), rolled_back():
            for parameter in "?unheard=1", "?unheard=":
                response = clients[call.who].call(call._replace(path=path + parameter))
                assert errors_of(response) == {("#/unheard", "unknown_parameter")}


def known_parameters() -> list[tuple[str, str]]:
    paged = [
        (re.sub("<.*?>", "MUG", re.sub("<uuid:.*?>", str(UUID(int=1)), route.path)), name)
        for route in routes()
        if str(route) in LISTS
        for name in [*route.view.filterset_class.base_filters, "cursor", "page_size", "ordering"]
    ]
    return [*paged, ("stock/MUG", "as_of")]


def test_a_parameter_that_is_empty_or_occurs_twice_is_refused(
    operator: Any, shop: object, subtests: pytest.Subtests
) -> None:
    for path, name in known_parameters():
        value = {"page_size": "10", "ordering": "-created_at"}.get(name, "true")
        with subtests.test(path, name=name), rolled_back():
            assert errors_of(operator.get(f"{BASE}{path}?{name}=")) == {(f"#/{name}", "invalid")}
            assert errors_of(operator.get(f"{BASE}{path}?{name}")) == {(f"#/{name}", "invalid")}
            twice = errors_of(operator.get(f"{BASE}{path}?{name}={value}&{name}={value}"))
            assert twice == {(f"#/{name}", "repeated_parameter")}


def test_more_parameters_than_django_reads_are_refused(operator: Any, shop: object) -> None:
    many = "&".join(f"p{i}=1" for i in range(1_001))
    response = operator.get(f"{BASE}orders?{many}")

    assert (response.status_code, kind_of(response)) == (400, "bad_request")


# --- Text that cannot be stored or shown ---

ODD_TEXTS = {
    "a lone surrogate": SURROGATE,
    "a NUL": NUL,
    "half a pair": "\udc00x",
    "very long": "x" * 100_000,
    "a list": ["dead"],
    "an object": {"a": "dead"},
    "true": True,
    "a number": 7,
}


@pytest.mark.parametrize("odd", ODD_TEXTS.values(), ids=ODD_TEXTS)
@pytest.mark.parametrize(
    ("path", "name", "body"),
    [
        ("deliveries/replay", "status", {}),
        ("deliveries/replay", "consumer", {}),
        ("consumers/ordering.tell-buyer-of-dispatch/pause", "reason", {}),
        ("stock/MUG/receipts", "reference", {"quantity": 1}),
        ("products", "sku", {"name": "Globe", "price": {"amount": "1.00", "currency": "USD"}}),
        ("products", "price/currency", {"sku": "GLOBE", "name": "Globe", "price": {"amount": "1.00"}}),
        ("products", "price/amount", {"sku": "GLOBE", "name": "Globe", "price": {"currency": "USD"}}),
    ],
)
def test_odd_text_is_refused(
    operator: Any, shop: object, all_rows: Callable[[], object], path: str, name: str, body: dict[str, Any], odd: Any
) -> None:
    before = all_rows()
    outer, _, inner = name.partition("/")
    odd_body = {**body, outer: {**body[outer], inner: odd} if inner else odd}
    response = operator.call(Call("POST", path, odd_body))

    assert {pointer for pointer, _ in errors_of(response)} == {f"#/{name}"}
    assert len(response.content) < 2_000
    assert all_rows() == before


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1E99999", "NaN", "Infinity", "1" * 5_000])
@pytest.mark.parametrize("name", ["quantity", "reference"])
def test_a_number_that_is_none_is_refused(
    operator: Any, shop: object, all_rows: Callable[[], object], name: str, number: str
) -> None:
    before = all_rows()
    body = f'{{"quantity": 1, "reference": "x", "x": 1, "{name}2": {number}}}'.replace(f"{name}2", name, 1)
    body = body.replace('"x": 1, ', "").replace(f'"{name}": 1, ' if name == "quantity" else '"reference": "x", ', "")
    response = operator.call(Call("POST", "stock/MUG/receipts", body.encode()))

    assert (response.status_code, kind_of(response)) == (400, "parse_error")
    assert all_rows() == before


@pytest.mark.parametrize("amount", ["9" * 18, "9" * 18 + ".99", "92233720368547758.08", "1" + "0" * 17])
def test_a_price_that_no_column_holds_is_refused(
    operator: Any, shop: object, all_rows: Callable[[], object], amount: str
) -> None:
    before = all_rows()
    product = {"sku": "GLOBE", "name": "Globe", "price": {"amount": amount, "currency": "USD"}}
    response = operator.post(f"{BASE}products", product)

    assert response.status_code == 422, response.content
    assert all_rows() == before


@pytest.mark.parametrize("header", ["", '"', '""', '"x"', 'W/"1"', "*, *", '"99999999999999999999"', "\u00a0", "é" * 9])
def test_an_odd_if_match_matches_nothing(operator: Any, shop: object, header: str) -> None:
    response = operator.call(Call("PATCH", "products/MUG", {"name": "Mug"}, headers={"If-Match": header}))

    assert (response.status_code, kind_of(response)) == (412, "stale_version")


@pytest.mark.parametrize("header", ["If-None-Match", "If-Modified-Since", "traceparent", "Accept", "X-Forwarded-For"])
@pytest.mark.parametrize("value", ["", "\u00ff\u00fe", '"' * 500, "x" * 5_000, "-1", "00-" + "g" * 32])
def test_an_odd_header_is_no_error(operator: Any, shop: object, header: str, value: str) -> None:
    assert operator.get(f"{BASE}products/MUG", headers={header: value}).status_code == 200


# --- Call-backs ---


def signed(body: bytes) -> dict[str, str]:
    moment = int(clock.now().timestamp())
    return {"Sandbox-Signature": signatures.sign(body, settings.SANDBOX_WEBHOOK_SECRETS[0], moment)}


def signed_by_carrier(body: bytes) -> dict[str, str]:
    moment = int(clock.now().timestamp())
    return {SIGNATURE_HEADER: signatures.sign(body, settings.SANDBOX_CARRIER_SECRETS[0], moment)}


def call_back(**change: Any) -> bytes:
    booked = {"key": "P-1-1", "outcome": {"type": "charged", "reference": "ch_1"}, "amount": ["1.00", "USD"]}
    amount = {"amount": "1.00", "currency": "USD"}
    whole = {"id": "evt_1", "kind": "charged", "booked": {**booked, "amount": amount}}
    for name, value in change.items():
        at: Any = whole
        *path, last = name.split("__")
        for step in path:
            at = at[step]
        at[last] = value
    return json.dumps(whole).encode()


ODD_CALL_BACKS = {
    "an over-long id": call_back(id="x" * 121),
    "an over-long kind": call_back(kind="x" * 41),
    "an over-long key": call_back(booked__key="x" * 10_000),
    "an over-long reference": call_back(booked__outcome__reference="x" * 81),
    "an over-long code": call_back(booked__outcome={"type": "declined", "code": "x" * 201}),
    "an empty id": call_back(id=""),
    "an empty key": call_back(booked__key=""),
    "an empty reference": call_back(booked__outcome__reference=""),
    "a NUL in the id": call_back(id="evt\0"),
    "a NUL in the kind": call_back(kind="a\0"),
    "a NUL in the key": call_back(booked__key="P-1\0"),
    "a NUL in the reference": call_back(booked__outcome__reference="ch\0"),
    "a NUL in the code": call_back(booked__outcome={"type": "declined", "code": "a\0"}),
    "a lone surrogate in the id": call_back(id=SURROGATE),
    "a lone surrogate in the key": call_back(booked__key=SURROGATE),
    "a lone surrogate in the currency": call_back(booked__amount__currency=SURROGATE),
    "an amount of 1e400": call_back(booked__amount__amount="1e400"),
    "an amount of 1e400, as a number": call_back(booked__amount__amount=7).replace(b": 7", b": 1e400"),
    "an amount of 1e999999999": call_back(booked__amount__amount="1e999999999"),
    "an amount of NaN": call_back(booked__amount__amount="NaN"),
    "an amount of sNaN": call_back(booked__amount__amount="sNaN"),
    "an amount of infinity": call_back(booked__amount__amount="-Infinity"),
    "an amount in words": call_back(booked__amount__amount="one"),
    "a million digits": call_back(booked__amount__amount="1" * 1_000_000),
    "no currency": call_back(booked__amount__currency="XXX"),
    "a deep nest": b'{"id":' + b"[" * 100_000,
    "nothing": b"",
    "a list": b"[]",
    "not UTF-8": b'{"id": "\xff"}',
}


@pytest.mark.parametrize("body", ODD_CALL_BACKS.values(), ids=ODD_CALL_BACKS)
def test_an_odd_call_back_is_refused_although_it_is_signed(
    anonymous: Any, shop: object, all_rows: Callable[[], object], body: bytes
) -> None:
    before = all_rows()
    response = anonymous.call(Call("POST", "webhooks/payments/sandbox", body, headers=signed(body)))

    assert response.status_code in {400, 422}, response.content
    assert kind_of(response) == ("parse_error" if response.status_code == 400 else "invalid_input")
    assert len(response.content) < 2_000
    assert all_rows() == before


@pytest.mark.parametrize("header", ["\u00ff", "t=1" * 10_000, "t=,v1=", "t=1,v1=\u00ff", "v1=" + "a" * 10_000])
def test_an_odd_signature_is_refused(anonymous: Any, db: None, header: str) -> None:
    body = call_back()
    response = anonymous.call(Call("POST", "webhooks/payments/sandbox", body, headers={"Sandbox-Signature": header}))

    assert (response.status_code, kind_of(response)) == (400, "not_signed")


# --- User names and passwords ---

GRACE = {"username": "grace", "password": PASSWORD, "email": "grace@example.com", "name": "Grace Hopper"}


def login(client: Any, username: str, password: str) -> int:
    return int(client.post(f"{BASE}auth/tokens", {"username": username, "password": password}).status_code)


@pytest.mark.parametrize(
    ("registered", "typed"),
    [("fish", "\ufb01sh"), ("\ufb01sh", "fish"), ("zo\u00eb", "zoe\u0308"), ("zoe\u0308", "zo\u00eb"), ("K", "\u212a")],
)
def test_a_name_and_a_password_may_be_typed_in_another_unicode_form(
    anonymous: Any, db: None, registered: str, typed: str
) -> None:
    body = {**GRACE, "username": registered, "password": f"{registered} battery staple"}
    response = anonymous.post(f"{BASE}customers", body)

    assert response.status_code == 201
    assert response.json()["username"] == unicodedata.normalize("NFKC", registered)
    for username, secret in (registered, registered), (typed, registered), (registered, typed), (typed, typed):
        assert login(anonymous, username, f"{secret} battery staple") == 201
    assert login(anonymous, registered, "another battery staple") == 401


@pytest.mark.parametrize("name", ["username", "password"])
@pytest.mark.parametrize(
    "text", ["\ufdfa" * 100, "\ufdfa" * 150, "x" * 1_000_000, "\u0390\u0390" * 400, "e\u0308" * 200]
)
def test_the_length_is_that_of_the_normalized_text(
    anonymous: Any, db: None, all_rows: Callable[[], object], name: str, text: str
) -> None:
    before = all_rows()
    response = anonymous.post(f"{BASE}customers", {**GRACE, name: text})

    assert (f"#/{name}", "max_length") in errors_of(response)
    assert all_rows() == before
    assert (f"#/{name}", "max_length") in errors_of(
        anonymous.post(f"{BASE}auth/tokens", {"username": "grace", "password": PASSWORD, name: text})
    )


def test_a_decomposed_text_may_have_the_whole_length(anonymous: Any, db: None) -> None:
    name, password = "o\u0308" * 150, "e\u0308" * 100 + " battery staple"
    assert anonymous.post(f"{BASE}customers", {**GRACE, "username": name, "password": password}).status_code == 201
    assert login(anonymous, "\u00f6" * 150, password) == 201


@pytest.mark.parametrize("odd", [SURROGATE, NUL, "a\udc00b"])
@pytest.mark.parametrize("name", ["username", "password"])
@pytest.mark.parametrize("path", ["customers", "auth/tokens"])
def test_credentials_hold_no_text_that_cannot_be_stored(
    anonymous: Any, db: None, path: str, name: str, odd: str
) -> None:
    body = GRACE if path == "customers" else {"username": "grace", "password": PASSWORD}

    response = anonymous.call(Call("POST", path, {**body, name: odd}))
    assert {pointer for pointer, _ in errors_of(response)} == {f"#/{name}"}


def test_a_password_that_was_stored_before_normalization_still_opens(anonymous: Any, db: None) -> None:
    ada = get_user_model().objects.create_user("ada", password="zoe\u0308 battery staple")

    assert login(anonymous, "ada", "zoe\u0308 battery staple") == 201
    assert authenticate(username="ada", password="zoe\u0308 battery staple") == ada
    assert authenticate(username="ada", password="zo\u00eb battery staple") is None
    assert authenticate(username="ada", password="x" * 5_000) is None


# --- Every error is a problem document ---


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api", 404),
        ("GET", "/api/v1", 404),
        ("GET", "/api/v2/orders", 404),
        ("DELETE", "/api/nothing", 404),
        ("POST", "/api/schema", 405),
        ("DELETE", "/api/docs", 405),
        ("PUT", "/healthz", 405),
        ("POST", "/readyz", 405),
        ("GET", "/api/v1/" + "a" * 65_000, 414),
        ("GET", "/api/v1/orders?status=" + "a" * 65_000, 414),
        ("POST", "/api/v1/orders?" + "a" * 65_000, 414),
        ("GET", "/" + "%41" * 65_000, 414),
    ],
)
def test_every_error_of_the_api_is_a_problem_document(
    operator: Any, db: None, method: str, path: str, status: int
) -> None:
    response = operator.generic(method, path)

    assert response.status_code == status
    assert problem_of(response)["title"] != "Error"
    assert response.headers["X-Correlation-Id"]
    if status == 405:
        assert "GET" in response.headers["Allow"]


@pytest.mark.parametrize("accept", ["text/plain", "x", "application/pdf"])
@pytest.mark.parametrize("path", ["/api/schema", "/api/docs"])
def test_a_format_that_the_document_does_not_have_is_a_problem_document(anonymous: Any, path: str, accept: str) -> None:
    response = anonymous.get(path, headers={"Accept": accept})

    assert (response.status_code, kind_of(response)) == (406, "not_acceptable")
