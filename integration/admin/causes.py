"""Who or what caused something: a person, or for an automatic step the event or the time that was its reason."""

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from django.utils.html import format_html

from integration.admin.columns import (
    Column,
    Shown,
    actor_link,
    column,
    exact_moment,
    link,
    link_to_story,
    sentence_of,
)
from integration.admin.viewer import name_users
from integration.history.entries import HistoryEntry
from integration.history.shown import entries_by_id


def look_up_causes(rows: Iterable[Any], known: Iterable[HistoryEntry] = ()) -> None:
    """Find the causes and the users of many rows at once, before `by` needs them one by one.

    Args:
        rows: domain events or messages.
        known: events that need not be looked up.
    """
    rows = list(rows)
    causes = {entry.id: entry for entry in known}
    causes.update(entries_by_id(row.causation_id for row in rows if row.causation_id not in causes))
    for row in rows:
        row.cause_entry = causes.get(row.causation_id)
    name_users(row.actor for row in rows)


def by(row: Any) -> Shown:
    """Who did something, or why it was done automatically.

    Args:
        row: a domain event or a message.
    """
    if row.causation_id:
        entry = _cause(row)
        reason = link(type(entry), entry.id, _reason(entry)) if entry else f"of event {row.causation_id}"
        return format_html('<span class="sentence">automatically, because {}</span>', reason)
    if row.actor == "system":
        return format_html("automatically, because its time had come: {}", exact_moment(row.occurred_at))
    return actor_link(row.actor)


def by_column(path: str = "") -> Column:
    """A column that says by whom or why something was done.

    Args:
        path: the attribute that holds the event or message; the row itself by default.
    """

    @column("by")
    def shown(row: Any) -> Shown:
        return by(attrgetter(path)(row) if path else row)

    return shown


def cause_column(path: str = "") -> Column:
    """A column of links to the event that caused something, at its place on the story's page.

    Args:
        path: the attribute that holds the effect; the row itself by default.
    """

    @column("caused by")
    def shown(row: Any) -> Shown:
        effect = attrgetter(path)(row) if path else row
        if not effect.causation_id:
            return "none: the first in its story"
        entry = _cause(effect)
        text = sentence_of(entry) if entry else f"event {effect.causation_id}"
        return link_to_story(effect.correlation_id, text, effect.causation_id)

    return shown


def _cause(row: Any) -> HistoryEntry | None:
    if "cause_entry" not in vars(row):
        look_up_causes([row])
    return row.cause_entry


def _reason(entry: HistoryEntry) -> str:
    text = sentence_of(entry)
    return text[:1].lower() + text[1:]
