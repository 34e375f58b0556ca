"""A buyer can read and change their own profile."""

from collections.abc import Callable
from typing import Any

import pytest
from api_calls import errors_of, kind_of

ME = "/api/v1/me"
ADDRESS = {"recipient": "Ada", "street": "1 Row", "city": "London", "postal_code": "W1A 1AA", "country": "GB"}


def test_the_profile_has_these_fields(buyer: Any) -> None:
    response = buyer.get(ME)

    assert response.status_code == 200
    assert response.json() == {
        "email": "ada@example.com",
        "name": "",
        "default_shipping_address": None,
        "preferences": {"locale": "en", "email_notifications": True},
        "warnings": [],
    }


def test_fields_missing_from_a_patch_are_unchanged(buyer: Any) -> None:
    buyer.patch(ME, {"name": "Ada King", "default_shipping_address": ADDRESS})
    buyer.patch(ME, {"preferences": {"email_notifications": False}})
    buyer.patch(ME, {"preferences": {"locale": "de"}})
    response = buyer.patch(ME, {"email": "countess@example.com"})

    assert response.status_code == 200
    assert response.json() == buyer.get(ME).json()
    assert response.json() == {
        "email": "countess@example.com",
        "name": "Ada King",
        "default_shipping_address": ADDRESS,
        "preferences": {"locale": "de", "email_notifications": False},
        "warnings": [],
    }
    assert buyer.patch(ME, {"default_shipping_address": None}).json()["default_shipping_address"] is None


def test_staff_have_a_profile(operator: Any) -> None:
    assert operator.get(ME).json()["email"] == "olga@example.com"
    assert operator.patch(ME, {"name": "Olga"}).json()["name"] == "Olga"


def test_a_change_with_a_stale_etag_is_refused(buyer: Any) -> None:
    seen = buyer.get(ME).headers["ETag"]
    first = buyer.patch(ME, {"name": "Ada"}, headers={"If-Match": seen})
    second = buyer.patch(ME, {"name": "Bea"}, headers={"If-Match": seen})

    assert (first.status_code, second.status_code) == (200, 412)
    assert kind_of(second) == "stale_version"
    assert first.headers["ETag"] == buyer.get(ME).headers["ETag"] != seen
    assert buyer.get(ME).json()["name"] == "Ada"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"email": "nobody"}, ("#/email", "invalid")),
        ({"name": "x" * 201}, ("#/name", "max_length")),
        ({"preferences": {"email_notifications": "yes"}}, ("#/preferences/email_notifications", "invalid")),
        ({"preferences": {"email_notifications": 1}}, ("#/preferences/email_notifications", "invalid")),
        ({"preferences": {"theme": "dark"}}, ("#/preferences/theme", "unknown_field")),
        ({"preferences": None}, ("#/preferences", "null")),
        (
            {"default_shipping_address": {**ADDRESS, "country": "XX"}},
            ("#/default_shipping_address/country", "unknown_country"),
        ),
        ({"discount_percent": 99}, ("#/discount_percent", "unknown_field")),
        ({"user": 1}, ("#/user", "unknown_field")),
    ],
)
def test_an_invalid_profile_is_refused(
    buyer: Any, all_rows: Callable[[], object], change: dict[str, Any], error: tuple[str, str]
) -> None:
    buyer.get(ME)
    before = all_rows()

    assert errors_of(buyer.patch(ME, change)) == {error}
    assert all_rows() == before


def test_a_patch_without_a_change_records_no_event(buyer: Any, all_rows: Callable[[], object]) -> None:
    buyer.patch(ME, {"default_shipping_address": ADDRESS, "preferences": {"locale": "de"}})
    tag, before = buyer.get(ME).headers["ETag"], all_rows()

    for nothing in ({}, {"preferences": {}}, {"default_shipping_address": ADDRESS, "preferences": {"locale": "de"}}):
        response = buyer.patch(ME, nothing)
        assert (response.status_code, response.headers["ETag"]) == (200, tag)

    assert all_rows() == before
