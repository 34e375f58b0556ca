"""Columns and links that all pages share, so that times, money, addresses and keys look the same everywhere."""

import json
from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from integration.admin.viewer import may_open, may_view, name_of, user_key
from integration.history.entries import HistoryEntry

NOTHING = "–"

Shown = SafeString | str
Column = Any
"""A function of a row for `list_display`, `fieldsets` or `fields`; Django's type stubs allow only names there."""


def column(label: str, ordering: Any = None) -> Callable[[Callable[[Any], Any]], Column]:
    """Decorator that turns a function of a row into a column.

    Args:
        label: the heading.
        ordering: the field or expression that the list sorts by; None makes the column unsortable.
    """
    return admin.display(description=label, ordering=ordering)


def link(model: type[Model], key: Any, text: str = "") -> Shown:
    """A link to a row's page, or only its text if the model has no page that the viewer may view.

    Args:
        key: the row's primary key; an empty one gives a dash.
        text: the text of the link; the key by default.
    """
    if not key or not may_view(model):
        return text or str(key or NOTHING)
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    return format_html('<a href="{}">{}</a>', reverse(name, args=[quote(key)]), text or key)


def list_url(model: type[Model], query: dict[str, Any]) -> str:
    """The URL of a model's list, filtered by the query parameters."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist", query=query)


def story_url(correlation_id: UUID, event: UUID | None = None) -> str:
    """The URL of a story's page, with one of its events as the fragment."""
    return reverse("admin:integration_story", args=[correlation_id]) + (f"#{event}" if event else "")


def exact_moment(at: datetime | None, timespec: str = "seconds") -> Shown:
    """A date and time in local time, or a dash.

    Args:
        timespec: the precision, as in `datetime.time.isoformat`.
    """
    if not at:
        return NOTHING
    local = localtime(at)
    time = local.time().isoformat(timespec)
    return format_html('<span class="nowrap">{}</span> <span class="nowrap">{}</span>', local.date(), time)


def preformatted(text: str) -> Shown:
    """Text with its line breaks and spaces preserved, or a dash."""
    return format_html("<pre>{}</pre>", text) if text else NOTHING


def moment(field: str, label: str = "") -> Column:
    """A column of dates and times; the default label is the field's name without `_at`."""

    @column(label or field.removesuffix("_at"), field)
    def shown(row: Any) -> Shown:
        return exact_moment(getattr(row, field))

    return shown


def figure(name: str, label: str = "", ordering: Any = None) -> Column:
    """A column of numbers, right-aligned so that they are easy to compare."""

    @column(label or name.replace("_", " "), ordering or name)
    def shown(row: Any) -> Shown:
        return format_html('<div class="figure">{}</div>', getattr(row, name))

    return shown


def amount(name: str, label: str = "") -> Column:
    """A column of money, sorted by its minor units."""
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
    """A column of JSON, indented."""

    @column(label or name)
    def shown(row: Any) -> Shown:
        return preformatted(json.dumps(attrgetter(name)(row), indent=2, ensure_ascii=False))

    return shown


def address(name: str) -> Column:
    """A column of postal addresses, laid out as on an envelope."""

    @column(name.replace("_", " "))
    def shown(row: Any) -> str:
        parts = getattr(row, name) or {}
        town = " ".join(filter(None, [parts.get("postal_code"), parts.get("city")]))
        names = ("recipient", "company", "street", "street2")
        lines = [*map(parts.get, names), town, parts.get("region"), parts.get("country"), parts.get("phone")]
        return "\n".join(filter(None, lines)) or NOTHING

    return shown


def link_to(url: str, text: Any) -> Shown:
    """A link to a page of the admin, or only its text if the viewer may not view the page."""
    return format_html('<a href="{}">{}</a>', url, text) if may_open(url) else str(text)


def link_to_story(correlation_id: UUID, text: Any, event: UUID | None = None) -> Shown:
    """A link to a story's page, or only its text if the viewer may not view messages, which the page shows."""
    message = apps.get_model("integration", "Message")
    return format_html('<a href="{}">{}</a>', story_url(correlation_id, event), text) if may_view(message) else text


def story_column(path: str = "correlation_id", text: str = "") -> Column:
    """A column of links to the page of the row's story.

    Args:
        path: the attribute that holds the correlation id.
        text: the attribute to show as the link's text, such as an order's number; "story" by default.
    """

    @column(text or "story", text or None)
    def shown(row: Any) -> Shown:
        return link_to_story(attrgetter(path)(row), getattr(row, text or "", "story"))

    return shown


def actor_link(actor: str) -> Shown:
    """The actor's name, as a link if it is a user of this shop whose page the viewer may view."""
    key = user_key(actor)
    return link(get_user_model(), key, name_of(actor)) if key else name_of(actor)


def sentence_of(entry: HistoryEntry) -> str:
    """The event as a sentence, or its name if its stored data does not match its class."""
    try:
        return entry.summary
    except msgspec.ValidationError:
        return entry.name


@column("what happened")
def what_happened(entry: HistoryEntry) -> str:
    """The event as a sentence."""
    return sentence_of(entry)
