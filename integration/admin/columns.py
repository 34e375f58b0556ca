"""How a value is shown, the same on all pages: a moment to the second, money with its currency, a key as a link."""

import json
from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from integration.history.entries import HistoryEntry

NOTHING = "–"

Shown = SafeString | str
Column = Any
"""A function of a row, standing in `list_display`, `fieldsets` or `fields`; Django's types know of names there only."""


def column(label: str, ordering: Any = None) -> Callable[[Callable[[Any], Any]], Column]:
    """Make a function of a row a column."""
    return admin.display(description=label, ordering=ordering)


def link(model: type[Model], key: Any, text: str = "") -> Shown:
    """A link to a row's page; only its text where there is no such page."""
    if not key or not admin.site.is_registered(model):
        return text or str(key or NOTHING)
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    return format_html('<a href="{}">{}</a>', reverse(name, args=[quote(key)]), text or key)


def list_url(model: type[Model], query: dict[str, Any]) -> str:
    """The address of the list of those rows that the query chooses."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=query)


def story_url(correlation_id: UUID, event: UUID | None = None) -> str:
    """The address of a story, at one of its events."""
    return reverse("admin:integration_story", args=[correlation_id]) + (f"#{event}" if event else "")


def exact_moment(at: datetime | None, timespec: str = "seconds") -> Shown:
    """A moment, to the second or finer."""
    if not at:
        return NOTHING
    local = localtime(at)
    time = local.time().isoformat(timespec)
    return format_html('<span class="nowrap">{}</span> <span class="nowrap">{}</span>', local.date(), time)


def preformatted(text: str) -> Shown:
    """Text whose lines and spaces matter."""
    style = "margin: 0; white-space: pre-wrap; overflow-wrap: anywhere"
    return format_html('<pre style="{}">{}</pre>', style, text) if text else NOTHING


def moment(field: str, label: str = "") -> Column:
    """A column of moments."""

    @column(label or field.removesuffix("_at"), field)
    def shown(row: Any) -> Shown:
        return exact_moment(getattr(row, field))

    return shown


def figure(name: str, label: str = "", ordering: Any = None) -> Column:
    """A column of figures: right-aligned, so that they compare at a glance."""

    @column(label or name.replace("_", " "), ordering or name)
    def shown(row: Any) -> Shown:
        return format_html('<div class="nowrap" style="text-align: right">{}</div>', getattr(row, name))

    return shown


def amount(name: str, label: str = "") -> Column:
    """A column of money."""
    return figure(name, label, ordering=f"{name}_minor")


def linked(model: type[Model], key: str, label: str, text: str = "") -> Column:
    """A column of links to other rows.

    Args:
        key: the attribute that holds the other row's key.
        text: the attribute to show instead of the key.
    """

    @column(label, key)
    def shown(row: Any) -> Shown:
        return link(model, getattr(row, key), str(attrgetter(text)(row)) if text else "")

    return shown


def facts(name: str, label: str = "") -> Column:
    """A column of JSON, for people."""

    @column(label or name)
    def shown(row: Any) -> Shown:
        return preformatted(json.dumps(attrgetter(name)(row), indent=2, ensure_ascii=False))

    return shown


def address(name: str) -> Column:
    """A column of postal addresses, as on an envelope."""

    @column(name.replace("_", " "))
    def shown(row: Any) -> str:
        parts = getattr(row, name) or {}
        town = " ".join(filter(None, [parts.get("postal_code"), parts.get("city")]))
        lines = [parts.get("recipient"), parts.get("street"), town, parts.get("country")]
        return "\n".join(filter(None, lines)) or NOTHING

    return shown


def story_column(path: str = "correlation_id", text: str = "") -> Column:
    """A column of links to the whole story.

    Args:
        path: the attribute that holds the story's id.
        text: the attribute to show, such as the order that the story is about.
    """

    @column(text or "story", text or None)
    def shown(row: Any) -> Shown:
        return format_html('<a href="{}">{}</a>', story_url(attrgetter(path)(row)), getattr(row, text or "", "story"))

    return shown


def cause_column(path: str = "") -> Column:
    """A column of links to the event that was the cause, at its place in the story; `path` leads to the effect."""

    @column("caused by")
    def shown(row: Any) -> Shown:
        effect = attrgetter(path)(row) if path else row
        if not effect.causation_id:
            return "nothing: a story begins here"
        url = story_url(effect.correlation_id, effect.causation_id)
        return format_html('<a href="{}">event {}</a>', url, effect.causation_id)

    return shown


def actor_column(path: str = "actor") -> Column:
    """A column of those who began it; `path` leads to how they are named."""

    @column("by")
    def shown(row: Any) -> Shown:
        return actor_link(attrgetter(path)(row))

    return shown


def actor_link(actor: str) -> Shown:
    """Who began it: a link, if it was a user of this shop."""
    kind, _, key = actor.partition(":")
    return link(get_user_model(), key, actor) if kind == "user" and key.isdecimal() else actor


@column("what happened")
def what_happened(entry: HistoryEntry) -> str:
    """The fact as a sentence; its bare name where its facts do not fit."""
    try:
        return entry.summary
    except msgspec.ValidationError:
        return entry.name
