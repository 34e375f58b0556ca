"""A buyer's profile is theirs to read and to change."""

from collections.abc import Callable
from typing import Any

import pytest
from api_calls import errors_of, kind_of

ME = "/api/v1/me"
ADDRESS = {"recipient": "Ada", "street": "1 Row", "city": "London", "postal_code": "W1", "country": "GB"}


def test_the_profile_has_these_fields(buyer: Any) -> None:
    answer = buyer.get(ME)

    assert answer.status_code == 200
    assert answer.json() == {
        "email": "ada@example.com",
        "name": "",
        "default_shipping_address": None,
        "preferences": {"locale": "en", "email_notifications": True},
    }


def test_what_is_not_named_stays(buyer: Any) -> None:
    buyer.patch(ME, {"name": "Ada King", "default_shipping_address": ADDRESS})
    buyer.patch(ME, {"preferences": {"email_notifications": False}})
    buyer.patch(ME, {"preferences": {"locale": "de"}})
    answer = buyer.patch(ME, {"email": "countess@example.com"})

    assert answer.status_code == 200
    assert answer.json() == buyer.get(ME).json()
    assert answer.json() == {
        "email": "countess@example.com",
        "name": "Ada King",
        "default_shipping_address": ADDRESS,
        "preferences": {"locale": "de", "email_notifications": False},
    }
    assert buyer.patch(ME, {"default_shipping_address": None}).json()["default_shipping_address"] is None


def test_staff_have_a_profile_too(operator: Any) -> None:
    assert operator.get(ME).json()["email"] == "olga@example.com"
    assert operator.patch(ME, {"name": "Olga"}).json()["name"] == "Olga"


def test_a_change_of_what_somebody_else_changed_since_is_refused(buyer: Any) -> None:
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
def test_what_a_profile_cannot_be(
    buyer: Any, photograph: Callable[[], object], change: dict[str, Any], error: tuple[str, str]
) -> None:
    buyer.get(ME)
    before = photograph()

    assert errors_of(buyer.patch(ME, change)) == {error}
    assert photograph() == before


def test_a_change_that_changes_nothing_is_no_event(buyer: Any, photograph: Callable[[], object]) -> None:
    buyer.patch(ME, {"default_shipping_address": ADDRESS, "preferences": {"locale": "de"}})
    tag, before = buyer.get(ME).headers["ETag"], photograph()

    for nothing in ({}, {"preferences": {}}, {"default_shipping_address": ADDRESS, "preferences": {"locale": "de"}}):
        answer = buyer.patch(ME, nothing)
        assert (answer.status_code, answer.headers["ETag"]) == (200, tag)

    assert photograph() == before
