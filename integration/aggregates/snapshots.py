"""A snapshot is what an aggregate was at one version, so that its past is rebuilt out of a bounded number of rows.

It is a cache of the history and nothing else: one is made at every 200th version of a stream, those of other code than
today's are passed over, and without any the answers are the same.
"""

from functools import lru_cache
from hashlib import sha256
from inspect import getmro, isfunction
from types import CodeType
from typing import Any, ClassVar, TypeVar

import msgspec
from django.db import models

from integration.aggregates.aggregate import Aggregate, relation_of
from integration.domain.versions import upcasters_of
from integration.storage.writing import Upsert

A = TypeVar("A", bound=Aggregate)

EVERY = 200
"""Between two snapshots of a stream lie so many versions: what a look at the past reads at most, besides a snapshot."""


class Snapshot(models.Model):
    """What an aggregate was after one version of its stream, by the code whose `shape` it has."""

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
        """The aggregate as it is now."""
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
        """Those of a kind of aggregate that today's code would make as well."""
        return cls.objects.filter(stream=model.stream, shape=shape_of(model))


KEEP = Upsert(Snapshot, ("stream", "stream_id", "version"))
"""Written in the place of those there are."""


def state_of(aggregate: Aggregate) -> dict[str, Any]:
    """All that is stored of an aggregate as JSON knows it: its columns by name, and its parts as lists of theirs."""
    state = _columns_of(aggregate)
    for name in aggregate.parts:
        state[name] = [_columns_of(part, but=part._meta.pk) for part in getattr(aggregate, name)]
    return state


def restore(model: type[A], state: dict[str, Any]) -> A:
    """The aggregate whose `state_of` this is."""
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
    """A fingerprint of the code that decides what a state is: columns, methods, events and upcasters, parts as well.

    It is made of what was loaded, not of files that a deployment may have replaced since. It says nothing of code that
    these call elsewhere, such as `Money`: should that ever tell an old event differently, `verify` names the snapshots
    that are wrong.
    """
    parts = [relation_of(model, accessor).related_model for accessor in model.parts.values()]
    rows = [
        (field.attname, field.get_internal_type(), repr(field.default))
        for kind in [model, *parts]
        for field in kind._meta.concrete_fields
    ]
    methods = [_methods(kind) for row in [model, *parts] for kind in getmro(row) if _is_ours(kind)]
    events = sorted(
        (event.wire_name, repr(event.__annotations__), repr([_meaning(up.__code__) for up in upcasters_of(event)]))
        for event in model._appliers
    )
    return sha256(repr([rows, methods, events]).encode()).hexdigest()[:32]


def _is_ours(kind: type) -> bool:
    return issubclass(kind, models.Model) and kind is not models.Model


def _methods(kind: type) -> list[Any]:
    """What a class's own methods do, to the letter; where they stand and their comments say nothing."""
    own = {name: getattr(it, "fget", None) or getattr(it, "__func__", it) for name, it in vars(kind).items()}
    return [(name, _meaning(method.__code__)) for name, method in sorted(own.items()) if isfunction(method)]


def _meaning(constant: Any) -> Any:
    """A constant of some code, or code itself, as something that reads the same in every process."""
    match constant:
        case CodeType():
            return [constant.co_code, constant.co_names, *map(_meaning, constant.co_consts)]
        case tuple():
            return [*map(_meaning, constant)]
        case frozenset():
            return sorted(map(repr, constant))
    return repr(constant)


def _columns_of(row: models.Model, but: Any = None) -> dict[str, Any]:
    fields = [field for field in row._meta.concrete_fields if field is not but]
    return {field.attname: msgspec.to_builtins(field.to_python(field.value_from_object(row))) for field in fields}


def _fill(row: models.Model, state: dict[str, Any]) -> None:
    for field in row._meta.concrete_fields:
        if field.attname in state:
            setattr(row, field.attname, field.to_python(state[field.attname]))
