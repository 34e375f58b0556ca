"""The forms in which SQLite stores what it has no type for: UUIDs, moments, dates, JSON.

They are Django's own forms, so that rows written here and rows written by Django are the same.
"""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from django.db import models

from integration.domain.identifiers import uuid_of


def as_stored(value: Any) -> Any:
    stored = STORED.get(type(value))
    return stored(value) if stored else value


def key_as_stored(key: Any) -> Any:
    return [*map(as_stored, key)] if isinstance(key, tuple) else as_stored(key)


@lru_cache(maxsize=4_096)
def _moment_as_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(" ").removesuffix("+00:00")


@lru_cache(maxsize=4_096)
def _uuid_by(digits: str) -> UUID:
    return uuid_of(int(digits, 16))


# As Django has SQLite store them; and what is left to do of what it reads, moments without a zone and dates being read
# as such by the driver. The same moments and stories are met again and again in the rows of an order.
STORED: dict[type, Callable[[Any], Any]] = {
    UUID: lambda uuid: uuid.int.to_bytes(16).hex(),
    datetime: _moment_as_text,
    date: str,
}
STORED_IN: dict[type, Callable[[Any], Any]] = {
    models.UUIDField: STORED[UUID],
    models.DateTimeField: STORED[datetime],
    models.DateField: STORED[date],
    models.JSONField: json.dumps,
}
UNDERSTOOD: dict[type, Callable[[Any], Any]] = {
    models.UUIDField: _uuid_by,
    models.DateTimeField: lambda moment: moment.replace(tzinfo=UTC),
    models.JSONField: msgspec.json.decode,
}


def final_target(field: Any) -> Any:
    """The field itself, or the one that it refers to in the end."""
    return final_target(field.target_field) if field.remote_field else field
