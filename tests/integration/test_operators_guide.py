"""The operators' guide names lines, buttons and pages that exist, and every kind of work."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import admin

from integration.admin.home.panels import all_panels
from integration.admin.home.work import all_work

GUIDE = Path(settings.BASE_DIR, "docs", "operators.md")
TEXT = GUIDE.read_text(encoding="utf-8")
WORDS_OF_PAGES = {"Oldest", "As a table"}
NOT_PAGES = {"code", "10,000+", "/admin/", "operator", "make screenshots"}


def _buttons() -> set[str]:
    found = set()
    for page in admin.site._registry.values():
        for name in page.actions or ():
            found.add(str(getattr(getattr(page, str(name), None), "short_description", "")))
    return found


def test_lines_of_the_first_page_exist_and_all_are_explained() -> None:
    bold = set(re.findall(r"\*\*([^*]+)\*\*", TEXT)) - {"bold"}

    assert bold == {each.title for each in all_work()}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", TEXT)) - {"slanted"}))
def test_buttons_exist(name: str) -> None:
    assert name in _buttons() | WORDS_OF_PAGES | {each.title for each in all_panels()}


def test_pages_of_the_sidebar_exist() -> None:
    pages = {str(page.opts.verbose_name_plural).capitalize() for page in admin.site._registry.values()}
    named = set(re.findall(r"`([^`]+)`", TEXT)) - NOT_PAGES

    assert len(named) > 2
    assert named <= pages


def test_pictures_exist() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)

    assert len(pictures) > 3
    assert [name for name in pictures if not (GUIDE.parent / name).is_file()] == []
