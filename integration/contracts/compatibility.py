"""A schema may change without a new version only by adding optional fields.

Then every event that was stored before has all the required fields, and the fields keep their meaning.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

Schema = dict[str, Any]

DESCRIPTIVE_KEYS = {"$schema", "$id", "$defs", "title", "description", "examples"}
"""Keys that describe a schema to people and do not affect validation. The same is true of keys that start with `x-`."""


class Change(NamedTuple):
    """One difference between two schemas.

    Args:
        what: a clause, such as "`lines[].quantity` was removed".
        remedy: an alternative to publishing a new version; empty if the change is compatible.
    """

    what: str
    remedy: str = ""


def changes(old: Schema, new: Schema) -> list[Change]:
    """Return the differences between two schemas, both made by `plain`."""
    return list(_compare("", old, new))


def unmarked(old: Schema, new: Schema) -> list[str]:
    """Return the names of the fields that are marked as personal in the old schema, and exist without it in the new."""

    def marked(schema: Schema) -> set[str]:
        return {name for name, field in schema.get("properties", {}).items() if field.get("x-personal")}

    return sorted((marked(old) - marked(new)) & new.get("properties", {}).keys())


def plain(schema: Schema) -> Schema:
    """Return the schema with its references resolved and its descriptions removed.

    Raises:
        RecursionError: when the schema contains itself.
    """
    return _plain(schema, schema.get("$defs", {}))


def _plain(schema: Any, definitions: dict[str, Schema]) -> Any:
    match schema:
        case {"$ref": str(reference)}:
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            return _plain({**definitions[reference.rpartition("/")[2]], **rest}, definitions)
        case {"properties": dict(properties)}:
            fields = {name: _plain(field, definitions) for name, field in properties.items()}
            rest = {key: value for key, value in schema.items() if key != "properties"}
            return {**_plain(rest, definitions), "properties": fields}
        case dict():
            validating = {key for key in schema if key not in DESCRIPTIVE_KEYS and not key.startswith("x-")}
            return {key: _plain(value, definitions) for key, value in schema.items() if key in validating}
        case list():
            return [_plain(each, definitions) for each in schema]
        case _:
            return schema


def _compare(path: str, old: Any, new: Any) -> Iterator[Change]:
    match old, new:
        case {"properties": dict()}, {"properties": dict()}:
            yield from _compare_fields(path, old, new)
        case {"items": dict()}, {"items": dict()}:
            yield from _compare(f"{path}[]", old["items"], new["items"])
        case {"anyOf": list()}, {"anyOf": list()} if len(old["anyOf"]) == len(new["anyOf"]):
            for each, other in zip(old["anyOf"], new["anyOf"], strict=True):
                yield from _compare(path, each, other)
        case {"additionalProperties": dict()}, {"additionalProperties": dict()}:
            yield from _compare(f"{path}{{}}", old["additionalProperties"], new["additionalProperties"])
        case {"prefixItems": list()}, {"prefixItems": list()} if len(old["prefixItems"]) == len(new["prefixItems"]):
            for place, (each, other) in enumerate(zip(old["prefixItems"], new["prefixItems"], strict=True)):
                yield from _compare(f"{path}[{place}]", each, other)
    parts = {"required", *(part for part in PARTS if not isinstance(old.get(part), bool))}
    compared = parts if _alike(old, new) else set()
    before, after = ({key: value for key, value in side.items() if key not in compared} for side in (old, new))
    if before != after:
        was, becomes = _brief(before), _brief(after)
        subject = f"`{path}`" if path else "the event"
        yield Change(f"{subject} changed from {was} to {becomes}", RESTORE)


RESTORE = "restore it"


PARTS = ["properties", "items", "prefixItems", "anyOf", "additionalProperties"]
"""The keys whose values are schemas of their own."""


def _alike(old: Schema, new: Schema) -> bool:
    """Return whether two schemas have the same structure, so that their parts have been compared one by one."""
    for part in ("anyOf", "prefixItems"):
        if part in old and part in new and len(old[part]) != len(new[part]):
            return False
    return all(isinstance(old.get(part), type(new.get(part))) for part in PARTS)


def _compare_fields(path: str, old: Schema, new: Schema) -> Iterator[Change]:
    before, after = old["properties"], new["properties"]
    needed_before, needed_now = set(old.get("required", ())), set(new.get("required", ()))
    for name in sorted(before.keys() | after.keys()):
        field = f"{path}.{name}".lstrip(".")
        if name not in after:
            yield Change(f"`{field}` was removed", RESTORE)
        elif name not in before:
            yield (
                Change(f"`{field}` is new, and required", "give it a default")
                if name in needed_now
                else Change(f"`{field}` is new, and optional")
            )
        else:
            if (name in needed_before) != (name in needed_now):
                yield Change(f"`{field}` is {'required now' if name in needed_now else 'optional now'}", RESTORE)
            yield from _compare(field, before[name], after[name])


def _brief(schema: Schema) -> str:
    """Return a short description of what a schema allows."""
    if set(schema) <= {"type", "format"} and schema:
        return " ".join(map(str, (schema.get("format"), schema.get("type")) if "format" in schema else schema.values()))
    return str(schema)
