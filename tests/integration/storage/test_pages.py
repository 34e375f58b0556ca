"""Pages hold each row once, in order, and need no cursor on the server."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group

from integration.storage.pages import pages

pytestmark = pytest.mark.django_db


@pytest.fixture
def groups() -> list[Group]:
    Group.objects.all().delete()
    return [Group.objects.create(name=f"group {n}") for n in range(7)]


@pytest.mark.parametrize("size", [1, 3, 7, 8])
@pytest.mark.parametrize("by", ["pk", "name"])
def test_each_row_is_on_one_page(groups: list[Group], size: int, by: str) -> None:
    found = list(pages(Group.objects.order_by("-name"), by, size))

    assert [group for page in found for group in page] == groups
    assert max(map(len, found)) <= size


def test_the_last_page_ends_the_reading(groups: list[Group], statements: Callable[[], Any]) -> None:
    with statements() as seen:
        assert list(map(len, pages(Group.objects.all(), size=5))) == [5, 2]
    assert len(seen) == 2


def test_rows_that_change_meanwhile_are_no_trap(groups: list[Group]) -> None:
    seen = []
    for page in pages(Group.objects.all(), size=2):
        seen += page
        Group.objects.filter(pk__in=[group.pk for group in page]).delete()
    assert len(seen) == 7
