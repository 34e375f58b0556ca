"""A snapshot stores the state of an aggregate at one version, which limits how many events a past state needs.

Snapshots are only a cache of the history. One is stored at every 200th version of a stream. Snapshots that other code
made are ignored. Without any snapshot, every result is the same but takes longer.
"""

from functools import lru_cache
from inspect import getmro
from typing import Any, ClassVar, TypeVar

import msgspec
from django.db import models

from integration.aggregates.aggregate import Aggregate, relation_of
from integration.domain.fingerprints import fingerprint, meaning_of, methods_of
from integration.domain.versions import upcasters_of
from integration.storage.writing import Upsert

A = TypeVar("A", bound=Aggregate)

EVERY = 200
"""The number of versions between two snapshots of a stream. A past state needs at most this many events."""


class Snapshot(models.Model):
    """The state of an aggregate after one version of its stream. `shape` identifies the code that made it."""

    stream = models.CharField(max_length=40)
    stream_id = models.CharField(max_length=64)
    version = models.PositiveIntegerField()
    moment = models.DateTimeField()
    shape = models.CharField(max_length=32)
    state = models.JSONField()

    objects: ClassVar[models.Manager[Any]]

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["stream", "stream_id", "version"], name="one_snapshot_a_version")
        ]
        indexes: ClassVar = [
            models.Index(fields=["stream", "stream_id", "moment", "version"], name="snapshots_by_moment")
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.stream_id} at version {self.version}"

    @classmethod
    def of(cls, aggregate: Aggregate) -> "Snapshot":
        """Return an unsaved snapshot of the aggregate in its current state."""
        return cls(
            stream=aggregate.stream,
            stream_id=str(aggregate.pk),
            version=aggregate.version,
            moment=aggregate.updated_at,
            shape=shape_of(type(aggregate)),
            state=state_of(aggregate),
        )

    @classmethod
    def usable(cls, model: type[Aggregate]) -> "models.QuerySet[Snapshot]":
        """Return the snapshots of this kind of aggregate that today's code would make in the same way."""
        return cls.objects.filter(stream=model.stream, shape=shape_of(model))


SNAPSHOT_UPSERT = Upsert(Snapshot, ("stream", "stream_id", "version"))
"""Writes snapshots, replacing those of the same version."""


def state_of(aggregate: Aggregate) -> dict[str, Any]:
    """Return the stored state of an aggregate as JSON-compatible values: columns by name, and parts as lists."""
    state = _columns_of(aggregate)
    for name in aggregate.parts:
        state[name] = [_columns_of(part, but=part._meta.pk) for part in getattr(aggregate, name)]
    return state


def restore(model: type[A], state: dict[str, Any]) -> A:
    """Return the aggregate of which `state_of` returned this state."""
    aggregate = model()
    _fill(aggregate, state)
    for name, accessor in model.parts.items():
        relation = relation_of(model, accessor)
        parts = [relation.related_model(**{relation.field.name: aggregate}) for _ in state[name]]
        for part, columns in zip(parts, state[name], strict=True):
            _fill(part, columns)
        setattr(aggregate, name, parts)
    return aggregate


@lru_cache
def shape_of(model: type[Aggregate]) -> str:
    """Return a fingerprint of the code that determines an aggregate's state: columns, methods, events and upcasters.

    Parts are included, and so are the defaults and closures of methods. The fingerprint does not cover code that the
    methods call, such as `Money`. If a change there alters the meaning of an old event, `verify` reports the snapshots
    that differ.
    """
    parts = [relation_of(model, accessor).related_model for accessor in model.parts.values()]
    rows = [
        (field.attname, field.get_internal_type(), repr(field.default))
        for kind in [model, *parts]
        for field in kind._meta.concrete_fields
    ]
    methods = [methods_of(kind) for row in [model, *parts] for kind in getmro(row) if _is_ours(kind)]
    events = sorted(
        (event.wire_name, repr(event.__annotations__), repr([meaning_of(up) for up in upcasters_of(event)]))
        for event in model._appliers
    )
    return fingerprint(rows, methods, events)


def _is_ours(kind: type) -> bool:
    return issubclass(kind, models.Model) and kind is not models.Model


def _columns_of(row: models.Model, but: Any = None) -> dict[str, Any]:
    fields = [field for field in row._meta.concrete_fields if field is not but]
    return {field.attname: msgspec.to_builtins(field.to_python(field.value_from_object(row))) for field in fields}


def _fill(row: models.Model, state: dict[str, Any]) -> None:
    for field in row._meta.concrete_fields:
        if field.attname in state:
            setattr(row, field.attname, field.to_python(state[field.attname]))
