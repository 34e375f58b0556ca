"""Customers can register and log in, and a token alone identifies its user."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from api_calls import PASSWORD, errors_of, kind_of, problem_of
from django.contrib.auth import get_user_model
from django.test import override_settings
from knox.models import get_token_model
from rest_framework.settings import api_settings

from integration.domain import clock
from integration.messaging.routines import routines

CUSTOMERS, TOKENS = "/api/v1/customers", "/api/v1/auth/tokens"
GRACE = {"username": "grace", "password": PASSWORD, "email": "grace@example.com", "name": "Grace Hopper"}


def test_a_customer_can_register_and_log_in(anonymous: Any, db: None) -> None:
    registered = anonymous.post(CUSTOMERS, GRACE)
    token = anonymous.post(TOKENS, {"username": "grace", "password": PASSWORD})
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {token.json()['token']}")
    known = anonymous.get("/api/v1/me")

    assert (registered.status_code, token.status_code, known.status_code) == (201, 201, 200)
    assert set(registered.json()) == {"id", "username", "email", "name"}
    assert registered.json()["username"] == "grace"
    assert list(token.json()) == ["token"]
    assert token.headers["Cache-Control"] == "no-store"
    assert (known.json()["name"], known.json()["email"]) == ("Grace Hopper", "grace@example.com")


def test_a_new_customer_is_not_staff_and_their_password_is_not_stored(anonymous: Any, db: None) -> None:
    response = anonymous.post(CUSTOMERS, GRACE)

    grace = get_user_model().objects.get(username="grace")
    assert not grace.is_staff
    assert not grace.is_superuser
    assert PASSWORD not in response.content.decode() + grace.password


def test_a_username_can_be_registered_once(anonymous: Any, db: None) -> None:
    anonymous.post(CUSTOMERS, GRACE)
    again = anonymous.post(CUSTOMERS, GRACE)

    assert again.status_code == 409
    assert kind_of(again) == "username_taken"


def test_usernames_are_compared_in_their_unicode_normal_form(anonymous: Any, db: None) -> None:
    """Django normalizes usernames to Unicode's form NFKC."""
    first = anonymous.post(CUSTOMERS, {**GRACE, "username": "fish"})
    ligature = anonymous.post(CUSTOMERS, {**GRACE, "username": "\ufb01sh"})

    assert (first.status_code, ligature.status_code) == (201, 409)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"username": 12}, ("#/username", "invalid")),
        ({"username": "two words"}, ("#/username", "invalid")),
        ({"username": "x" * 151}, ("#/username", "max_length")),
        ({"email": "nobody"}, ("#/email", "invalid")),
        ({"email": ["a@example.com"]}, ("#/email", "invalid")),
        ({"name": ""}, ("#/name", "blank")),
        ({"name": None}, ("#/name", "null")),
        ({"password": "123"}, ("#/password", "weak_password")),
        ({"password": "password"}, ("#/password", "weak_password")),
        ({"password": "grace123"}, ("#/password", "weak_password")),
        ({"password": "GraceHopper"}, ("#/password", "weak_password")),
        ({"password": "rehopper", "name": "Admiral Hopper"}, ("#/password", "weak_password")),
        ({"password": "fxgloves", "email": "foxgloves@example.com"}, ("#/password", "weak_password")),
        ({"password": " " * 12}, ("#/password", "weak_password")),
        ({"password": "\u00a0\u2003" * 6}, ("#/password", "weak_password")),
        ({"password": "\u200b\u2060" * 6}, ("#/password", "weak_password")),
        ({"is_staff": True}, ("#/is_staff", "unknown_field")),
    ],
)
def test_an_invalid_customer_is_refused(
    anonymous: Any, db: None, all_rows: Callable[[], object], change: dict[str, Any], error: tuple[str, str]
) -> None:
    before = all_rows()
    response = anonymous.post(CUSTOMERS, {**GRACE, **change})

    assert errors_of(response) == {error}
    assert all_rows() == before


@pytest.mark.parametrize(("username", "password"), [("ada", "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_password_and_an_unknown_username_get_the_same_response(
    client_of: Callable[..., Any], anonymous: Any, username: str, password: str
) -> None:
    ada = client_of("ada").user
    ada.set_password(PASSWORD)
    ada.save()
    response = anonymous.post(TOKENS, {"username": username, "password": password})

    assert response.status_code == 401
    assert problem_of(response)["detail"] == "There is no user with this username and password."
    assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer x", "Bearer a b", "Bearer \xff\xfe", "Bearer a\0b", "Basic YTpi", "Token x"],
)
def test_an_invalid_token_is_a_401_with_a_challenge(anonymous: Any, db: None, header: str) -> None:
    response = anonymous.get("/api/v1/orders", headers={"Authorization": header})

    assert response.status_code == 401
    assert kind_of(response) in {"not_authenticated", "authentication_failed"}
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_expires_after_thirty_days(buyer: Any) -> None:
    token = get_token_model().objects.get(user=buyer.user)
    assert timedelta(days=29, hours=23) < token.expiry - token.created < timedelta(days=30, hours=1)
    token.expiry = token.created
    token.save()

    assert buyer.get("/api/v1/orders").status_code == 401


def test_only_expired_tokens_are_deleted(buyer: Any) -> None:
    model = get_token_model()
    expired, _ = model.objects.create(buyer.user, expiry=timedelta(days=-1))
    model.objects.create(buyer.user, expiry=None)

    routines.get("integration.forget-expired-tokens").run()

    assert model.objects.filter(user=buyer.user).count() == 2
    assert not model.objects.filter(pk=expired.pk).exists()


def test_the_number_of_statements_does_not_depend_on_the_number_of_tokens(
    buyer: Any, statements: Callable[[], Any]
) -> None:
    def count_statements() -> int:
        with statements() as seen:
            assert buyer.get("/api/v1/me").status_code == 200
        return len(seen)

    count_statements()  # The first request registers the buyer.
    few = count_statements()
    for _ in range(5):
        get_token_model().objects.create(buyer.user, expiry=timedelta(days=-1))

    assert count_statements() == few


def test_the_token_of_an_inactive_user_is_refused(buyer: Any) -> None:
    buyer.user.is_active = False
    buyer.user.save()

    assert buyer.get("/api/v1/orders").status_code == 401


@pytest.mark.parametrize("path", [TOKENS, CUSTOMERS])
def test_repeated_attempts_are_throttled(anonymous: Any, db: None, path: str) -> None:
    """120 requests a minute are allowed, whatever the `X-Forwarded-For` header says."""
    responses = [anonymous.post(path, {}, headers={"X-Forwarded-For": f"10.0.0.{i % 250}"}) for i in range(121)]

    assert {response.status_code for response in responses[:-1]} == {422}
    assert responses[-1].status_code == 429
    assert kind_of(responses[-1]) == "throttled"
    assert 0 < int(responses[-1].headers["Retry-After"]) <= 60


def test_throttling_ends_after_a_minute_although_the_machines_clock_was_set_back(
    anonymous: Any, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clock.standing_at(clock.now()):
        for _ in range(121):
            response = anonymous.post(TOKENS, {})
        assert response.status_code == 429
        right = time.time
        monkeypatch.setattr(time, "time", lambda: right() - 3600)
        clock.advance(timedelta(minutes=1))

        assert anonymous.post(TOKENS, {}).status_code == 422


def test_clients_behind_a_proxy_are_throttled_separately(anonymous: Any, db: None) -> None:
    with override_settings(REST_FRAMEWORK={**api_settings.user_settings, "NUM_PROXIES": 1}):
        responses = [anonymous.post(TOKENS, {}, headers={"X-Forwarded-For": f"10.0.0.{i}"}) for i in range(121)]

    assert {response.status_code for response in responses} == {422}


def test_a_caller_can_delete_the_token_of_the_request_or_all_of_theirs(
    buyer: Any, stranger: Any, anonymous: Any, client_of: Callable[..., Any]
) -> None:
    model = get_token_model()
    _, phone = model.objects.create(buyer.user)

    assert buyer.delete(f"{TOKENS}/current").status_code == 204
    assert buyer.get("/api/v1/me").status_code == 401
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {phone}")
    assert anonymous.get("/api/v1/me").status_code == 200

    model.objects.create(buyer.user)
    assert anonymous.delete(TOKENS).status_code == 204
    assert not model.objects.filter(user=buyer.user).exists()
    assert anonymous.get("/api/v1/me").status_code == 401
    assert anonymous.delete(TOKENS).status_code == 401
    assert stranger.get("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    ("kind", "method", "path"),
    [("read", "get", "/api/v1/products"), ("read", "get", "/api/v1/orders"), ("write", "patch", "/api/v1/me")],
)
def test_each_kind_of_request_has_a_limit_of_its_own_for_each_caller(
    buyer: Any, stranger: Any, settings: Any, kind: str, method: str, path: str
) -> None:
    settings.THROTTLES = {**settings.THROTTLES, kind: 3}

    def ask(client: Any) -> Any:
        return getattr(client, method)(path, {} if method == "patch" else None)

    assert {ask(buyer).status_code for _ in range(3)} == {200}
    refused = ask(buyer)
    assert refused.status_code == 429
    assert kind_of(refused) == "throttled"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert ask(stranger).status_code == 200
    other = buyer.get("/api/v1/products") if kind == "write" else buyer.patch("/api/v1/me", {})
    assert other.status_code == 200
