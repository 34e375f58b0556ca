"""The second factor: with the setting no page of the admin and no token of staff is had with a password alone."""

from typing import Any

import pytest
from django.conf import settings as project
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

PASSWORD = "a-password-of-tests"
CODE_PAGE = "/admin/second-factor/"
TOKENS = "/api/v1/auth/tokens"


@pytest.fixture(autouse=True)
def second_factor(settings: Any) -> None:
    settings.SECOND_FACTOR = True
    cache.clear()


@pytest.fixture
def grace(db: None) -> Any:
    return get_user_model().objects.create_superuser("grace", password=PASSWORD)


@pytest.fixture
def device(grace: Any) -> TOTPDevice:
    """A device of Grace, and two recovery codes."""
    recovery = StaticDevice.objects.create(user=grace)
    StaticToken.objects.bulk_create([StaticToken(device=recovery, token=code) for code in ("abcdefgh", "ijklmnop")])
    return TOTPDevice.objects.create(user=grace)


def code_of(device: TOTPDevice) -> str:
    return f"{TOTP(device.bin_key).token():06}"


def logged_in() -> Client:
    """A browser that has sent the password."""
    client = Client()
    client.post("/admin/login/", {"username": "grace", "password": PASSWORD})
    return client


def test_it_is_off_by_default() -> None:
    from config.environment import Environment

    assert Environment({}).flag("SECOND_FACTOR") is False


def test_without_the_setting_the_password_is_enough(grace: Any, device: TOTPDevice, settings: Any) -> None:
    settings.SECOND_FACTOR = False
    assert logged_in().get("/admin/").status_code == 200
    assert Client().post(TOKENS, {"username": "grace", "password": PASSWORD}, "application/json").status_code == 201


def test_no_page_opens_with_a_password_alone(grace: Any, device: TOTPDevice, subtests: pytest.Subtests) -> None:
    client = logged_in()
    lists = [f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry]
    for path in [
        reverse("admin:index"),
        reverse("admin:integration_events"),
        "/admin/password_change/",
        *map(reverse, lists),
    ]:
        with subtests.test(path):
            assert client.get(path).headers["Location"] == f"{CODE_PAGE}?next={path}"
            assert client.post(path, {}).headers["Location"] == f"{CODE_PAGE}?next={path}"


def test_a_code_of_the_device_opens_the_page_that_was_wanted(grace: Any, device: TOTPDevice) -> None:
    client = logged_in()
    wanted = client.get("/admin/integration/delivery/").headers["Location"]
    assert "authenticator app" in client.get(wanted).content.decode()

    entered = client.post(CODE_PAGE, {"code": code_of(device), "next": "/admin/integration/delivery/"})
    assert entered.headers["Location"] == "/admin/integration/delivery/"
    assert client.get("/admin/integration/delivery/").status_code == 200


def test_a_code_is_accepted_once(grace: Any, device: TOTPDevice) -> None:
    code = code_of(device)
    assert logged_in().post(CODE_PAGE, {"code": code}).status_code == 302
    assert "was used before" in logged_in().post(CODE_PAGE, {"code": code}).content.decode()


def test_a_recovery_code_is_accepted_once(grace: Any, device: TOTPDevice) -> None:
    first = logged_in()
    assert first.post(CODE_PAGE, {"code": "ABCD EFGH"}).status_code == 302
    assert first.get("/admin/").status_code == 200
    assert logged_in().post(CODE_PAGE, {"code": "abcdefgh"}).status_code == 200
    assert StaticToken.objects.count() == 1


def test_wrong_codes_close_the_account_for_a_while(grace: Any, device: TOTPDevice, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_ACCOUNT = 3
    client = logged_in()
    statuses = [client.post(CODE_PAGE, {"code": "000000x"}).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    closed = client.post(CODE_PAGE, {"code": code_of(device)})
    assert closed.status_code == 429
    assert int(closed.headers["Retry-After"]) > 0


def test_another_persons_code_is_wrong(grace: Any, device: TOTPDevice) -> None:
    other = get_user_model().objects.create_superuser("ada", password=PASSWORD)
    of_other = TOTPDevice.objects.create(user=other)
    assert logged_in().post(CODE_PAGE, {"code": code_of(of_other)}).status_code == 200


def test_who_has_no_device_sets_one_up_and_gets_recovery_codes(grace: Any) -> None:
    client = logged_in()
    shown = client.get(CODE_PAGE)
    device = TOTPDevice.objects.get()
    assert not device.confirmed
    assert "<svg" in shown.content.decode()
    assert shown.headers["Cache-Control"] == "no-store"
    assert client.get(CODE_PAGE).context["key"] == shown.context["key"]
    assert client.post(CODE_PAGE, {"code": "1"}).status_code == 200
    TOTPDevice.objects.update(throttling_failure_count=0)

    codes = client.post(CODE_PAGE, {"code": code_of(device)}).context["codes"]
    assert len({*codes}) == 10
    assert client.get("/admin/").status_code == 200
    assert logged_in().post(CODE_PAGE, {"code": codes[3]}).status_code == 302


def test_the_next_page_is_one_of_ours(grace: Any, device: TOTPDevice) -> None:
    entered = logged_in().post(CODE_PAGE, {"code": code_of(device), "next": "https://elsewhere.example/"})
    assert entered.headers["Location"] == "/admin/"


def test_staff_get_a_token_with_a_code_only(grace: Any, device: TOTPDevice) -> None:
    client, credentials = Client(), {"username": "grace", "password": PASSWORD}
    assert client.post(TOKENS, credentials, "application/json").status_code == 401
    assert client.post(TOKENS, {**credentials, "code": "1"}, "application/json").status_code == 401
    TOTPDevice.objects.update(throttling_failure_count=0)
    assert client.post(TOKENS, {**credentials, "code": code_of(device)}, "application/json").status_code == 201


def test_buyers_need_none(db: None) -> None:
    get_user_model().objects.create_user("robin", password=PASSWORD)
    assert Client().post(TOKENS, {"username": "robin", "password": PASSWORD}, "application/json").status_code == 201


def test_nobody_reads_the_keys_of_devices_in_the_admin() -> None:
    assert project.OTP_ADMIN_HIDE_SENSITIVE_DATA is True
