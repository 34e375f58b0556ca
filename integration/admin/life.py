"""The "Through time" page of an aggregate: its state after each of its events, and what each event changed."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import models

from integration.admin.causes import by
from integration.admin.columns import NOTHING, Shown, exact_moment, link, preformatted, sentence_of
from integration.aggregates.aggregate import Aggregate, relation_of
from integration.aggregates.biography import CHANGED_BY_EVERY_EVENT, Step, life
from integration.domain.address import ERASED
from integration.domain.money import Money
from integration.history.entries import history_of
from integration.history.personal_data import load_personal
from integration.history.shown import erased_fields
from integration.storage.columns import MinorUnitsField

NEIGHBOURS = 8
"""The number of events that are listed before the shown event, and after it."""
MOST_PARTS = 200
"""The number of parts of one kind that are shown."""


def page_of_life(row: Aggregate, requested: str) -> dict[str, Any]:
    """The template context of the page.

    Args:
        requested: the version to show. A number out of range gives the nearest version, any other text the last one.

    Raises:
        UnknownName: when this code has no class for one of the events.
        msgspec.ValidationError: when the data of an event does not match its class.
    """
    in_digits = requested.isdecimal() and len(requested) < 10
    version = min(max(int(requested), 1), row.version) if in_digits else row.version
    model, key = type(row), str(row.pk)
    [step] = life(model, key, version, version)
    return {
        "title": f"{str(row)[:1].upper()}{str(row)[1:]} through time",
        "row": link(model, key, str(row)),
        "version": version,
        "last": row.version,
        "event": link(type(step.entry), step.entry.id, sentence_of(step.entry)),
        "name": step.entry.name,
        "at": exact_moment(step.entry.occurred_at, "milliseconds"),
        "by": by(step.entry),
        "fields": [
            {"label": _label(field), "before": before, "after": after, "changed": before != after}
            for field, before, after in _fields(model, step)
        ],
        "parts": [_parts(model, name, step) for name in model.parts],
        "neighbours": _neighbours(model, key, version),
    }


def _fields(model: type[models.Model], step: Step) -> Iterator[tuple[Any, Shown, Shown]]:
    before, after = (
        {name: ERASED if value == "" and name in gone else value for name, value in state.items()}
        for state, gone in (
            (step.before, erased_fields(step.entry, step.entry.version - 1)),
            (step.after, erased_fields(step.entry, step.entry.version)),
        )
    )
    for field in model._meta.concrete_fields:
        if field.attname not in CHANGED_BY_EVERY_EVENT:
            yield field, _shown(field, before), _shown(field, after)


def _parts(model: type[Aggregate], name: str, step: Step) -> dict[str, Any]:
    relation = relation_of(model, model.parts[name])
    hidden = {relation.field.attname, relation.related_model._meta.pk.attname}
    fields = [field for field in relation.related_model._meta.concrete_fields if field.attname not in hidden]
    before, after = step.before.get(name, []), step.after[name]
    return {
        "name": name,
        "labels": [_label(field) for field in fields],
        "rows": [
            [{"after": _shown(field, part), "changed": _shown(field, part) != _shown(field, was)} for field in fields]
            for part, was in zip(after[:MOST_PARTS], _padded(before, len(after)), strict=False)
        ],
        "left_out": max(0, len(after) - MOST_PARTS),
    }


def _padded(parts: Sequence[dict[str, Any]], length: int) -> list[dict[str, Any]]:
    return [*parts, *({} for _ in range(length - len(parts)))]


def _neighbours(model: type[Aggregate], key: str, version: int) -> list[dict[str, Any]]:
    history = history_of(model._meta.app_label).objects.filter(stream=model.stream, stream_id=key)
    near = history.filter(version__gte=version - NEIGHBOURS, version__lte=version + NEIGHBOURS)
    return [
        {"version": entry.version, "what": sentence_of(entry), "at": exact_moment(entry.occurred_at)}
        for entry in load_personal(near.order_by("version"))
    ]


def _label(field: Any) -> str:
    return str(field.verbose_name).removesuffix(" minor")


def _shown(field: Any, state: dict[str, Any]) -> Shown:
    """A column's value as text for people; a dash where the row did not exist yet."""
    value = state.get(field.attname)
    if value is None or value == "":
        return NOTHING
    if isinstance(field, MinorUnitsField):
        if not state["currency"]:
            return NOTHING
        return str(Money.of_minor(value, state["currency"]))
    if isinstance(field, models.DateTimeField):
        return exact_moment(field.to_python(value))
    if isinstance(field, models.JSONField):
        return preformatted(json.dumps(value, indent=2, ensure_ascii=False)) if value else NOTHING
    if isinstance(field, models.BooleanField):
        return "yes" if value else "no"
    return str(dict(field.flatchoices).get(value, value))
