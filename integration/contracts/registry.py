"""Every version of every event has a committed JSON Schema, and the code must stay compatible with it.

As long as a change is compatible, the schema of the newest version is updated from the code. Schemas of older versions
never change. Each schema contains an example of what code of that version stored, and today's code must be able to read
it.
"""

import json
from collections.abc import Iterator
from inspect import Parameter, signature
from pathlib import Path
from typing import NamedTuple

import msgspec
from django.conf import settings

from integration.contracts.compatibility import Schema, changes, plain, unmarked
from integration.contracts.contract import IntegrationEvent, contracts
from integration.contracts.examples import example_of
from integration.domain.events import domain_events
from integration.domain.versions import Versioned, from_data

WRITE_IT = "run `manage.py contracts write`"


class Verdict(NamedTuple):
    """The result of comparing an event with its committed schemas.

    Args:
        name: the event's wire name.
        wrong: incompatible changes, as sentences that include the remedy.
        news: compatible changes that are not committed yet, as sentences.
    """

    name: str
    wrong: list[str]
    news: list[str]


class BrokenPromise(Exception):
    """A change is incompatible with the committed schemas; nothing was written. Run `manage.py contracts check`."""


def events() -> list[type[Versioned]]:
    """Return all contracts and then all domain events, each sorted by wire name."""
    return [event for names in (contracts, domain_events) for _, event in names.items()]


def context_of(name: str) -> str:
    """Return the context of the event with this wire name."""
    return name.partition(".")[0]


def meaning_of(event: type[Versioned]) -> str:
    """Return the meaning of an event: its docstring, or its wire name as words."""
    words = event.__doc__ or event.wire_name.partition(".")[2].replace("_", " ").capitalize() + "."
    return " ".join(words.split())


def schema_id(name: str, version: int) -> str:
    """Return the identifier of the schema of one version of an event."""
    return f"urn:waybill:event:{name}:{version}"


def schema_of(event: type[Versioned]) -> Schema:
    """Return the JSON Schema that the code defines for an event."""
    definitions = json.loads(json.dumps(msgspec.json.schema(event)["$defs"]))  # an empty tuple as a default is a list
    root = {**definitions.pop(event.__name__), "title": event.wire_name, "description": meaning_of(event)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_id(event.wire_name, event.schema_version),
        **root,
        **({"$defs": definitions} if definitions else {}),
    }


def committed(event: type[Versioned]) -> dict[int, Schema]:
    """Return the committed schemas of an event, by version."""
    paths = _folder(event).glob(f"{event.wire_name}.v*.json")
    return {int(path.stem.rpartition(".v")[2]): json.loads(path.read_text()) for path in paths}


def verdicts() -> Iterator[Verdict]:
    """Compare every event with its committed schemas, including events that no longer exist in the code."""
    for event in events():
        yield judge(event)
    yield from _gone()


def judge(event: type[Versioned]) -> Verdict:
    """Compare one event with its committed schemas."""
    schemas, version = committed(event), event.schema_version
    wrong, news = list(_positional(event)), []
    newest = max(schemas, default=0)
    if version < newest:
        wrong.append(
            f"version {newest} was published, but the code has version {version}: restore version {newest}, or publish "
            f"version {newest + 1} with an upcaster from {newest}"
        )
    elif version > newest:
        news.append(f"version {version} is new: {WRITE_IT}")
    for change in changes(plain(schemas[version]), plain(schema_of(event))) if version in schemas else []:
        if change.remedy:
            wrong.append(
                f"{change.what}: publish version {version + 1} with an upcaster from {version}, or {change.remedy}"
            )
        else:
            news.append(f"{change.what}: {WRITE_IT}")
    # Also from one version to the next: the values in the history stay personal.
    for field in unmarked(schemas[min(version, newest)], schema_of(event)) if min(version, newest) in schemas else []:
        wrong.append(
            f"`{field}` lost its mark as personal: its values would be stored in the history, where nobody can erase "
            "them: mark it again"
        )
    wrong = wrong or list(_unreadable(event, schemas))
    if not news and not wrong and _path(event).read_text() != _text(event):
        news.append(f"its description changed: {WRITE_IT}")
    return Verdict(event.wire_name, wrong, news)


def write() -> list[Path]:
    """Write the schemas of all compatible changes, and return the files written.

    Raises:
        BrokenPromise: when there is an incompatible change; then nothing is written.
    """
    judged = list(verdicts())
    if any(verdict.wrong for verdict in judged):
        raise BrokenPromise(BrokenPromise.__doc__)
    unwritten = {verdict.name for verdict in judged if verdict.news}
    written = [event for event in events() if event.wire_name in unwritten]
    for event in written:
        _folder(event).mkdir(exist_ok=True)
        _path(event).write_text(_text(event))
    return [_path(event) for event in written]


def _positional(event: type[Versioned]) -> Iterator[str]:
    if any(field.kind is not Parameter.KEYWORD_ONLY for field in signature(event).parameters.values()):
        yield f"it can be made without the names of its fields: write `class {event.__name__}(…, kw_only=True)`"


def _unreadable(event: type[Versioned], schemas: dict[int, Schema]) -> Iterator[str]:
    for version, schema in sorted(schemas.items()):
        for example in schema["examples"]:
            try:
                from_data(event, example, version)
            except Exception as error:  # any error of an upcaster is reported
                yield (
                    f"events stored in version {version} cannot be read any more ({type(error).__name__}: {error}): "
                    f"correct the upcasters from version {version} on"
                )


def _gone() -> Iterator[Verdict]:
    """Yield a verdict about each committed event that no longer exists in the code."""
    known = {event.wire_name for event in events()}
    contexts = [Path(settings.BASE_DIR) / context / "schemas" for context in settings.CONTEXTS]
    for folder in (_contracts_folder(), *contexts):
        for name in sorted({path.name.rpartition(".v")[0] for path in folder.glob("*.v*.json")} - known):
            if folder == _contracts_folder():
                remedy = (
                    "register its class under this wire name (the class itself may be renamed), or, once no message of "
                    f"it is pending anywhere, delete its schemas in {folder.relative_to(settings.BASE_DIR)}"
                )
            else:
                remedy = (
                    "register its class under this wire name (the class itself may be renamed): the events in the "
                    "history are permanent"
                )
            yield Verdict(name, [f"no event has this wire name any more, but stored events have it: {remedy}"], [])


def _contracts_folder() -> Path:
    return Path(settings.BASE_DIR) / "integration" / "contracts" / "schemas"


def _folder(event: type[Versioned]) -> Path:
    """Return the folder of an event's schemas. A contract's is in `integration`, a domain event's in its context."""
    if issubclass(event, IntegrationEvent):
        return _contracts_folder()
    return Path(settings.BASE_DIR) / context_of(event.wire_name) / "schemas"


def _path(event: type[Versioned]) -> Path:
    return _folder(event) / f"{event.wire_name}.v{event.schema_version}.json"


def _text(event: type[Versioned]) -> str:
    """Return the schema of an event's newest version as text. An example that was committed before stays."""
    examples = committed(event).get(event.schema_version, {}).get("examples") or [example_of(event)]
    return json.dumps({**schema_of(event), "examples": examples}, indent=2, ensure_ascii=False) + "\n"
