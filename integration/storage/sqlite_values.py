"""How SQLite stores values that it has no type for: UUIDs, datetimes, dates and JSON.

The formats are Django's own, so rows written here are equal to rows written by Django.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec
from django.db import models

from integration.domain.identifiers import uuid_of
from integration.storage.strict_json import json_text


def as_stored(value: Any) -> Any:
    """Return the value as a query parameter, in the format in which SQLite stores it."""
    encode = ENCODERS.get(type(value))
    return encode(value) if encode else value


def key_as_stored(key: Any) -> Any:
    """Return a key, or a tuple of several attributes' values, as `as_stored` does."""
    return [*map(as_stored, key)] if isinstance(key, tuple) else as_stored(key)


@lru_cache(maxsize=4_096)
def _moment_as_text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(" ").removesuffix("+00:00")


@lru_cache(maxsize=4_096)
def _uuid_from_hex(digits: str) -> UUID:
    return uuid_of(int(digits, 16))


# The encoders write Django's formats. The driver already converts dates and datetimes when it reads them, so the
# decoders only do the rest, such as adding the time zone. Texts of datetimes and decoded UUIDs are cached, because the
# rows of an order repeat the same ones.
ENCODERS: dict[type, Callable[[Any], Any]] = {
    UUID: lambda uuid: uuid.int.to_bytes(16).hex(),
    datetime: _moment_as_text,
    date: str,
}
FIELD_ENCODERS: dict[type, Callable[[Any], Any]] = {
    models.UUIDField: ENCODERS[UUID],
    models.DateTimeField: ENCODERS[datetime],
    models.DateField: ENCODERS[date],
    models.JSONField: json_text,
}
FIELD_DECODERS: dict[type, Callable[[Any], Any]] = {
    models.UUIDField: _uuid_from_hex,
    models.DateTimeField: lambda moment: moment.replace(tzinfo=UTC),
    models.JSONField: msgspec.json.decode,
}


def final_target(field: Any) -> Any:
    """Return the field, or for a foreign key the field that it refers to in the end."""
    return final_target(field.target_field) if field.remote_field else field
