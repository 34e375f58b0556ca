"""Guessing passwords: failures are counted for each account and each address, in the API and in the admin alike."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from api_calls import PASSWORD, kind_of
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client as Browser
from django.test import RequestFactory
from rest_framework.exceptions import Throttled

from config.urls import v1
from integration.messaging.routines import routines
from integration.rest.addresses import network_of
from integration.rest.login_attempts import LoginAttempt
from integration.rest.models import LoginCount

TOKENS = "/api/v1/auth/tokens"


@pytest.fixture(params=["embedded", "server"])
def mode(request: pytest.FixtureRequest, settings: Any) -> str:
    settings.EMBEDDED = request.param == "embedded"
    return str(request.param)


@pytest.fixture
def ada(client_of: Callable[..., Any]) -> Any:
    user = client_of("ada", "ordering").user
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def log_in(anonymous: Any, ada: Any) -> Callable[..., Any]:
    def log_in(password: str = PASSWORD, username: str = "ada", address: str = "192.0.2.1", **headers: str) -> Any:
        body = {"username": username, "password": password}
        return anonymous.post(TOKENS, body, REMOTE_ADDR=address, headers=headers)

    return log_in


@pytest.fixture
def log_in_on_page(ada: Any) -> Callable[..., Any]:
    def log_in(password: str = PASSWORD, username: str = "ada", address: str = "192.0.2.1") -> Any:
        body = {"username": username, "password": password}
        return Browser().post("/admin/login/?next=/admin/", body, REMOTE_ADDR=address)

    return log_in


def statuses(log_in: Callable[..., Any], times: int, **attempt: Any) -> list[int]:
    return [log_in("wrong", **attempt).status_code for _ in range(times)]


@pytest.mark.usefixtures("mode")
def test_an_account_is_closed_to_all_unknown_addresses_after_ten_failures(
    log_in: Callable[..., Any], later: Callable[[timedelta], None]
) -> None:
    for i in range(10):
        assert log_in("wrong", address=f"192.0.2.{i}").status_code == 401
    refused = log_in(address="198.51.100.1")
    assert refused.status_code == 429
    assert kind_of(refused) == "throttled"
    assert 0 < int(refused.headers["Retry-After"]) <= 900
    assert log_in(username="ADA", address="198.51.100.2").status_code == 429, "a name in other letters counts as well"
    assert log_in(username="eve", address="198.51.100.3").status_code == 401, "other accounts are open"

    later(timedelta(minutes=16))
    assert log_in(address="198.51.100.1").status_code == 201


@pytest.mark.usefixtures("mode")
def test_attempts_while_it_is_closed_do_not_prolong_that(
    log_in: Callable[..., Any], later: Callable[[timedelta], None]
) -> None:
    statuses(log_in, 11)
    later(timedelta(minutes=10))
    assert set(statuses(log_in, 5)) == {429}
    later(timedelta(minutes=6))
    assert log_in().status_code == 201


@pytest.mark.usefixtures("mode")
def test_an_account_that_does_not_exist_closes_in_the_same_way(log_in: Callable[..., Any]) -> None:
    assert statuses(log_in, 11, username="nobody") == [401] * 10 + [429]


@pytest.mark.usefixtures("mode")
def test_an_attacker_cannot_lock_the_owner_out(log_in: Callable[..., Any]) -> None:
    assert log_in(address="203.0.113.7").status_code == 201
    assert statuses(log_in, 12, address="192.0.2.1")[-1] == 429
    assert log_in(address="203.0.113.7").status_code == 201
    assert statuses(log_in, 11, address="203.0.113.7") == [401] * 10 + [429], "a known address is limited as well"


@pytest.mark.usefixtures("mode")
def test_an_address_is_refused_after_fifty_failures_of_any_accounts(log_in: Callable[..., Any]) -> None:
    codes = [log_in("wrong", username=f"user{i}").status_code for i in range(51)]
    assert codes == [401] * 50 + [429]
    assert set(statuses(log_in, 12)) == {429}
    assert log_in(address="198.51.100.1").status_code == 201, "refused attempts do not close the account to others"


@pytest.mark.usefixtures("mode")
def test_logins_that_succeed_are_not_counted(log_in: Callable[..., Any]) -> None:
    assert {log_in().status_code for _ in range(60)} == {201}
    statuses(log_in, 9)
    assert log_in().status_code == 201


@pytest.mark.usefixtures("mode")
def test_the_admin_and_the_api_share_the_counts(log_in: Callable[..., Any], log_in_on_page: Callable[..., Any]) -> None:
    assert (
        statuses(log_in, 5, address="192.0.2.1") + statuses(log_in_on_page, 5, address="192.0.2.2")
        == [401] * 5 + [200] * 5
    )
    page, response = log_in_on_page(address="192.0.2.3"), log_in(address="192.0.2.4")
    assert (page.status_code, response.status_code) == (429, 429)
    assert 0 < int(page.headers["Retry-After"]) <= 900
    assert page.content.decode().startswith("Too many attempts to log in have failed.")
    assert page.headers["Content-Type"].startswith("text/plain")


def test_the_admin_opens_with_the_right_password(log_in_on_page: Callable[..., Any]) -> None:
    statuses(log_in_on_page, 3)
    assert log_in_on_page().status_code == 302


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_a_client_cannot_invent_its_address(log_in: Callable[..., Any], name: str) -> None:
    codes = [log_in("wrong", f"user{i}", **{name: f"198.51.100.{i}"}).status_code for i in range(51)]
    assert codes[-1] == 429


def test_behind_a_proxy_the_address_that_the_proxy_appends_counts(log_in: Callable[..., Any], settings: Any) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}

    def attempt(i: int, appended: str) -> int:
        return int(log_in("wrong", f"user{i}", **{"X-Forwarded-For": f"198.51.100.{i}, {appended}"}).status_code)

    assert [attempt(i, "203.0.113.7") for i in range(51)][-1] == 429
    assert attempt(60, "203.0.113.8") == 401


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_client_has_a_whole_network_of_ipv6(address: str, network: str) -> None:
    assert network_of(address) == network


def test_the_embedded_mode_writes_nothing_to_the_database(
    log_in: Callable[..., Any], settings: Any, statements: Callable[[], Any]
) -> None:
    settings.EMBEDDED = True
    with statements() as seen:
        statuses(log_in, 12)
    assert seen
    assert [sql for sql in seen if not sql.startswith("SELECT")] == []


def test_a_server_stores_neither_names_nor_addresses_and_forgets(
    log_in: Callable[..., Any], settings: Any, later: Callable[[timedelta], None]
) -> None:
    settings.EMBEDDED = False
    log_in("wrong")
    log_in()
    stored = repr(list(LoginCount.objects.values_list()))
    assert LoginCount.objects.count() == 3
    assert "ada" not in stored
    assert "192.0.2" not in stored

    later(timedelta(minutes=16))
    routines.get("integration.forget-login-attempts").run()
    assert LoginCount.objects.count() == 1, "the known address"
    later(timedelta(days=31))
    routines.get("integration.forget-login-attempts").run()
    assert not LoginCount.objects.exists()


def test_attempts_at_once_are_not_free(for_threads: None, mode: str) -> None:
    def begins(i: int) -> bool:
        try:
            LoginAttempt(RequestFactory().get("/", REMOTE_ADDR=f"192.0.2.{i}"), "ada").begin()
        except Throttled:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(begins, range(40))) == 10, mode


# --- Other pages and routes that take a password ---


@pytest.fixture
def change_password(ada: Any) -> Callable[..., Any]:
    """Change the password on the page of the admin, as Ada, who is logged in."""
    ada.is_staff = True
    ada.save()
    browser = Browser()
    browser.force_login(ada)

    def change(old: str = PASSWORD, new: str = "another-pass-phrase-7", address: str = "192.0.2.1") -> Any:
        body = {"old_password": old, "new_password1": new, "new_password2": new}
        return browser.post("/admin/password_change/", body, REMOTE_ADDR=address)

    return change


@pytest.mark.usefixtures("mode")
def test_who_took_over_a_session_cannot_guess_the_old_password(
    change_password: Callable[..., Any], log_in: Callable[..., Any]
) -> None:
    assert [change_password("wrong").status_code for _ in range(10)] == [200] * 10
    closed = change_password()
    assert closed.status_code == 429
    assert int(float(closed.headers["Retry-After"])) > 0
    assert log_in().status_code == 429, "the account has one count for all pages"


@pytest.mark.usefixtures("mode")
def test_the_right_old_password_counts_as_no_failure(change_password: Callable[..., Any]) -> None:
    for _ in range(20):
        assert change_password(new="1").status_code == 200  # the new one is too weak
    assert change_password().status_code == 302


@pytest.mark.usefixtures("mode")
def test_the_page_of_the_own_password_is_for_staff_only_and_counts_nobody_else(ada: Any) -> None:
    browser = Browser()
    for _ in range(12):
        assert browser.post("/admin/password_change/", {"old_password": "wrong"}).status_code == 302
    assert browser.get("/admin/password_change/").status_code == 302


def test_every_route_that_takes_a_password_is_limited() -> None:
    """A new one must be limited, too: as a login, or as a registration, which compares no password."""
    taking = {}
    for pattern in v1:
        view = pattern.callback.view_class  # type: ignore[attr-defined]
        if "password" in getattr(getattr(view, "serializer_class", None), "_declared_fields", {}):
            taking[pattern.name] = view
    assert set(taking) == {"tokens", "customers"}
    pages = {name for name in admin.site.urls[0] if "password" in str(name.pattern)}
    named = {page.name for page in pages} | {
        each.name
        for model in (get_user_model(),)
        for each in admin.site._registry[model].urls
        if "password" in str(each)
    }
    # The last one sets the password of another user, and compares none.
    assert named == {"password_change", "password_change_done", "auth_user_password_change"}


def test_an_attempt_that_is_refused_is_not_counted(log_in: Callable[..., Any], settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_ACCOUNT = 2
    statuses(log_in, 2)
    counts = sorted(LoginCount.objects.values_list("attempts", flat=True))

    assert statuses(log_in, 3) == [429, 429, 429]
    assert sorted(LoginCount.objects.values_list("attempts", flat=True)) == counts
