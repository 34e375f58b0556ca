"""A struct within a dict or within a tuple may get an optional field without a new version, and nothing else."""

from typing import Annotated, Any

import msgspec
import pytest

from integration.contracts.compatibility import _brief, changes, plain
from integration.contracts.registry import schema_of
from integration.domain.versions import Versioned


class Line(msgspec.Struct, frozen=True):
    quantity: int


class LineWithNote(msgspec.Struct, frozen=True):
    quantity: int
    note: str = ""


class LineInWords(msgspec.Struct, frozen=True):
    quantity: str


class StrictLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    quantity: int


def sentences(old: Any, new: Any) -> list[tuple[str, bool]]:
    """What differs between an event with a field of the one type and of the other, and whether that is allowed."""
    schemas = []
    for kind in (old, new):
        event = msgspec.defstruct("Happened", [("fact", kind)], bases=(Versioned,), frozen=True)
        event.wire_name = "ordering.happened"  # type: ignore[attr-defined]
        schemas.append(plain(schema_of(event)))
    return [(change.what, not change.remedy) for change in changes(*schemas)]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (dict[str, Line], dict[str, LineWithNote], "fact{}.note"),
        (tuple[int, Line], tuple[int, LineWithNote], "fact[1].note"),
        (tuple[Line, ...], tuple[LineWithNote, ...], "fact[].note"),
        (Line | None, LineWithNote | None, "fact.note"),
        (dict[str, tuple[str, Line]], dict[str, tuple[str, LineWithNote]], "fact{}[1].note"),
    ],
)
def test_a_new_optional_field_within_is_allowed(old: Any, new: Any, path: str) -> None:
    assert sentences(old, new) == [(f"`{path}` is new, and optional", True)]
    assert sentences(new, old) == [(f"`{path}` was removed", False)]


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (dict[str, Line], dict[str, LineInWords], "fact{}.quantity"),
        (tuple[int, Line], tuple[int, LineInWords], "fact[1].quantity"),
        (dict[str, int], dict[str, str], "fact{}"),
        (tuple[int, str], tuple[int, str, str], "fact"),
        (tuple[int, str], tuple[int, ...], "fact"),
        (dict[str, int], Line, "fact"),
        (Line, StrictLine, "fact"),
    ],
)
def test_any_other_change_within_is_refused(old: Any, new: Any, path: str) -> None:
    for found in (sentences(old, new), sentences(new, old)):
        assert [allowed for _, allowed in found] == [False]
        assert found[0][0].startswith(f"`{path}` changed from ")


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (int, str, "integer to string"),
        (Annotated[int, msgspec.Meta(ge=1)], str, "{'type': 'integer', 'minimum': 1} to string"),
    ],
)
def test_a_change_says_what_was_allowed_and_what_is_now(old: Any, new: Any, what: str) -> None:
    assert sentences(old, new) == [(f"`fact` changed from {what}", False)]


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date"}, "date string"),
        ({}, "{}"),
        ({"type": "string", "maxLength": 3}, "{'type': 'string', 'maxLength': 3}"),
    ],
)
def test_a_schema_is_named_by_its_type_only_if_that_says_all(schema: dict[str, Any], text: str) -> None:
    assert _brief(schema) == text
