"""The states that admin pages show as badges."""

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Field
from django.test import RequestFactory

from integration.admin.badges import TONES, badge, has_tone, status_badge, tone_of, with_badges
from integration.messaging.models import Delivery, Status


def _states() -> Iterator[Field]:
    for model in apps.get_models():
        yield from (field for field in model._meta.concrete_fields if field.choices and field.name.endswith("status"))


def test_every_state_has_one_tone() -> None:
    words = [word for words in TONES.values() for word in words.split()]
    states = {value for field in _states() for value, _ in field.flatchoices}

    assert {"dead", "lost", "delivered"} <= states
    assert sorted(words) == sorted({*words})
    assert {state for state in states if not has_tone(state)} == set()


@pytest.mark.parametrize(("state", "tone"), [("dead", "bad"), ("done", "good"), ("skipped", "quiet"), ("new", "quiet")])
def test_the_tone_says_whether_a_person_must_look(state: str, tone: str) -> None:
    assert tone_of(state) == tone


def test_a_badge_escapes_its_text() -> None:
    assert badge("<b>", "bad") == '<span class="badge bad">&lt;b&gt;</span>'


def test_a_state_is_shown_in_the_words_of_its_choices() -> None:
    assert status_badge(Delivery(status=Status.DEAD)) == '<span class="badge bad">Dead</span>'
    assert status_badge(Delivery(status="")) == "–"


def test_lists_and_pages_show_states_as_badges_under_their_own_name() -> None:
    page = admin.site._registry[Delivery]

    shown = [each for each in page.get_list_display(RequestFactory().get("/")) if callable(each)]

    [status] = [each for each in shown if each.__name__ == "status"]
    assert status(Delivery(status=Status.DONE)) == '<span class="badge good">Done</span>'
    assert with_badges(Delivery, ("id", ("status", "due_at"))) == ["id", [status, "due_at"]]
