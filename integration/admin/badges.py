"""Badges: a short word about the state of something, in a colour that says whether a person must look at it.

The colour only repeats the word, so nothing is lost to people who do not see it.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from integration.admin.columns import NOTHING, Column, Shown, column

Tone = Literal["good", "info", "warn", "bad", "quiet"]

TONES: dict[Tone, str] = {
    "good": "active captured checked_out committed delivered done enabled issued numbered paid received redeemed "
    "succeeded won",
    "info": "approved arranged authorized confirmed dispatched draft held in_transit open partly_refunded "
    "partly_shipped payment_pending pending requested running shipped",
    "warn": "action action_required blocked disputed funds_withdrawn lapsed on_hold opened paused proposed returned "
    "unknown",
    "bad": "dead failed lost",
    "quiet": "abandoned cancelled closed disabled expired merged none refunded refused released removed settled "
    "skipped stopped too_late void voided",
}
"""The stored words of all states, by the tone in which they are shown."""

_tones: dict[str, Tone] = {word: tone for tone, words in TONES.items() for word in words.split()}


def tone_of(status: str) -> Tone:
    """The tone of a stored state; `quiet` for one that has none."""
    return _tones.get(status, "quiet")


def has_tone(status: str) -> bool:
    """Whether a stored state has a tone of its own."""
    return status in _tones


def badge(text: object, tone: Tone = "quiet") -> SafeString:
    """A badge with a text."""
    return format_html('<span class="badge {}">{}</span>', tone, text)


def status_badge(row: Model, name: str = "status") -> Shown:
    """The badge of a row's state, in the words of the field's choices; a dash if the state is empty."""
    status = getattr(row, name)
    return badge(getattr(row, f"get_{name}_display")(), tone_of(status)) if status else NOTHING


def with_badges(model: type[Model], columns: Iterable[Any]) -> list[Any]:
    """The columns of a list or the fields of a page, where each state among them is shown as a badge."""
    return [with_badges(model, each) if isinstance(each, (list, tuple)) else _as_badge(model, each) for each in columns]


def _as_badge(model: type[Model], each: Any) -> Any:
    return _column_of(model, each) if isinstance(each, str) and each.endswith("status") else each


@cache  # because Django compares the functions among the fields of a page with those that cannot be edited
def _column_of(model: type[Model], name: str) -> Column:
    """The column of a state as a badge, or its name if it is not a field with choices."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return name
    if not getattr(field, "choices", None):
        return name

    @column(str(getattr(field, "verbose_name", name)), name)
    def shown(row: Any) -> Shown:
        return status_badge(row, name)

    shown.__name__ = name  # The admin makes the cell's class of it.
    return shown


class BadgedAdmin(admin.ModelAdmin):
    """Pages that show states as badges."""

    def get_list_display(self, request: HttpRequest) -> Any:
        return with_badges(self.model, super().get_list_display(request))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return [
            (name, {**options, "fields": with_badges(self.model, options["fields"])}) for name, options in fieldsets
        ]
