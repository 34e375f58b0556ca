"""The operators' guide names lines, buttons and pages that exist, and every kind of work."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import admin

from integration.admin.home.work import all_work

GUIDE = Path(settings.BASE_DIR, "docs", "operators.md")
TEXT = GUIDE.read_text(encoding="utf-8")
SOURCES = [
    path.read_text(encoding="utf-8").lower()
    for folder in ("integration/admin", "config/templates", *(f"{context}/admin" for context in settings.CONTEXTS))
    for path in Path(settings.BASE_DIR, folder).rglob("*")
    if path.suffix in (".py", ".html")
]
NOT_PAGES = {"code", "10,000+", "/admin/", "operator", "make screenshots"}


def _pages() -> set[str]:
    return {str(page.opts.verbose_name_plural).capitalize() for page in admin.site._registry.values()}


def test_lines_of_the_first_page_exist_and_all_are_explained() -> None:
    bold = set(re.findall(r"\*\*([^*]+)\*\*", TEXT)) - {"bold"}
    steps = {each for each in bold if each.endswith(".")}

    assert bold - steps == {each.title for each in all_work()}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"(?<!\*)\*([^*\n]+)\*(?!\*)", TEXT)) - {"slanted"}))
def test_buttons_exist(name: str) -> None:
    word = name.rpartition(": ")[2]
    assert name in _pages() or any(word.lower() in source for source in SOURCES)


def test_pages_of_the_sidebar_exist() -> None:
    named = {name for name in re.findall(r"`([^`]+)`", TEXT) if not name.isupper()} - NOT_PAGES

    assert len(named) > 1
    assert named <= _pages()


def test_pictures_exist() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)

    assert len(pictures) > 3
    assert [name for name in pictures if not (GUIDE.parent / name).is_file()] == []
