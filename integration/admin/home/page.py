"""What the operators' first page shows."""

from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.http import HttpRequest

from integration.admin.home.panels import panels
from integration.admin.home.work import work_to_do
from integration.domain import clock


def page_of_home(request: HttpRequest) -> dict[str, Any]:
    """The template context of the page: work by group, and the panels, as far as the viewer may see them."""
    counted = list(work_to_do())
    first_place: dict[str, int] = {}
    for each in counted:
        first_place.setdefault(each.work.group, each.work.place)
    by_group = sorted(counted, key=lambda each: (first_place[each.work.group], each.work.place))
    now = clock.now()
    return {
        "groups": [
            (group, [(each, age_of(each.oldest, now)) for each in works])
            for group, works in groupby(by_group, key=lambda each: each.work.group)
        ],
        "is_all_done": bool(counted) and not any(each.count for each in counted),
        "panels": panels(),
    }


def age_of(moment: datetime | None, now: datetime) -> str:
    """How long ago a moment was, in the largest unit that says enough, such as `3 h`; empty without a moment."""
    if moment is None:
        return ""
    passed = max(now - moment, timedelta())
    for unit, name in ((timedelta(days=1), "days"), (timedelta(hours=1), "h"), (timedelta(minutes=1), "min")):
        if number := passed // unit:
            return "1 day" if (number, name) == (1, "days") else f"{number} {name}"
    return "< 1 min"
