"""Every event there is, and what was promised of it: one committed JSON Schema for each version ever published.

The schema of the newest version follows the code as long as the change is compatible; those of older versions are never
touched again. Each carries an example, as code of that version stored it, and today's code must be able to read it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from django.conf import settings

from integration.contracts.compatibility import Schema, changes, plain
from integration.contracts.contract import IntegrationEvent, contracts
from integration.contracts.examples import example_of
from integration.domain.events import domain_events
from integration.domain.versions import Versioned, from_data

WRITE_IT = "run `manage.py contracts write`"


class Verdict(NamedTuple):
    """How the code stands to what was promised of an event.

    Args:
        name: the event's wire name.
        wrong: sentences that say what breaks the promise, and what to do.
        news: sentences that say what is allowed, and not committed yet.
    """

    name: str
    wrong: list[str]
    news: list[str]


class BrokenPromise(Exception):
    """Something was changed that others rely upon; nothing was written. Run `manage.py contracts check`."""


def events() -> list[type[Versioned]]:
    """All contracts, then all domain events, each by wire name."""
    return [event for names in (contracts, domain_events) for _, event in names.items()]


def context_of(name: str) -> str:
    """The context whose event it is."""
    return name.partition(".")[0]


def meaning_of(event: type[Versioned]) -> str:
    """What the event says, as its docstring puts it, or else its name."""
    words = event.__doc__ or event.wire_name.partition(".")[2].replace("_", " ").capitalize() + "."
    return " ".join(words.split())


def schema_id(name: str, version: int) -> str:
    """What the schema of a version is called by whoever refers to it."""
    return f"urn:waybill:event:{name}:{version}"


def schema_of(event: type[Versioned]) -> Schema:
    """The JSON Schema of the event as the code has it."""
    definitions = dict(msgspec.json.schema(event)["$defs"])
    root = {**definitions.pop(event.__name__), "title": event.wire_name, "description": meaning_of(event)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_id(event.wire_name, event.schema_version),
        **root,
        **({"$defs": definitions} if definitions else {}),
    }


def committed(event: type[Versioned]) -> dict[int, Schema]:
    """The committed schemas of an event, by version."""
    paths = _folder(event).glob(f"{event.wire_name}.v*.json")
    return {int(path.stem.rpartition(".v")[2]): json.loads(path.read_text()) for path in paths}


def verdicts() -> Iterator[Verdict]:
    """How the code stands to every event it has, and to every one it no longer has."""
    for event in events():
        yield judge(event)
    yield from _gone()


def judge(event: type[Versioned]) -> Verdict:
    """How the code stands to one event."""
    promised, version = committed(event), event.schema_version
    wrong, news = [], []
    newest = max(promised, default=0)
    if version < newest:
        wrong.append(
            f"version {newest} was published, and the code is back at {version}: put version {newest} back, or publish "
            f"version {newest + 1} with an upcaster from {newest}"
        )
    elif version > newest:
        news.append(f"version {version} is new: {WRITE_IT}")
    for change in changes(plain(promised[version]), plain(schema_of(event))) if version in promised else []:
        if change.remedy:
            wrong.append(
                f"{change.what}: publish version {version + 1} with an upcaster from {version}, or {change.remedy}"
            )
        else:
            news.append(f"{change.what}: {WRITE_IT}")
    wrong = wrong or list(_unreadable(event, promised))
    if not news and not wrong and _path(event).read_text() != _text(event):
        news.append(f"its words changed: {WRITE_IT}")
    return Verdict(event.wire_name, wrong, news)


def write() -> list[Path]:
    """Commit to what the code has become, where that is allowed; returns the files that were written.

    Raises:
        BrokenPromise: when something else was changed, too.
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


def _unreadable(event: type[Versioned], promised: dict[int, Schema]) -> Iterator[str]:
    for version, schema in sorted(promised.items()):
        for example in schema["examples"]:
            try:
                from_data(event, example, version)
            except Exception as error:  # whatever an upcaster of ours raises is told
                yield (
                    f"what version {version} stored cannot be read any more ({type(error).__name__}: {error}): "
                    f"mend the upcasters from version {version} on"
                )


def _gone() -> Iterator[Verdict]:
    """What was promised once, and stands for nothing in the code."""
    known = {event.wire_name for event in events()}
    contexts = [Path(settings.BASE_DIR) / context / "schemas" for context in settings.CONTEXTS]
    for folder in (_contracts_folder(), *contexts):
        for name in sorted({path.name.rpartition(".v")[0] for path in folder.glob("*.v*.json")} - known):
            if folder == _contracts_folder():
                remedy = (
                    "give its class the name back (the class may be called anything), or, once no message of it is "
                    f"pending anywhere, delete its schemas in {folder.relative_to(settings.BASE_DIR)}"
                )
            else:
                remedy = "give its class the name back (the class may be called anything): history is kept for good"
            yield Verdict(name, [f"no event has this name any more, and what is stored has it: {remedy}"], [])


def _contracts_folder() -> Path:
    return Path(settings.BASE_DIR) / "integration" / "contracts" / "schemas"


def _folder(event: type[Versioned]) -> Path:
    """A contract's schemas are with the contracts, a domain event's in its context."""
    if issubclass(event, IntegrationEvent):
        return _contracts_folder()
    return Path(settings.BASE_DIR) / context_of(event.wire_name) / "schemas"


def _path(event: type[Versioned]) -> Path:
    return _folder(event) / f"{event.wire_name}.v{event.schema_version}.json"


def _text(event: type[Versioned]) -> str:
    """The committed form of an event's newest schema; an example once written stays."""
    examples = committed(event).get(event.schema_version, {}).get("examples") or [example_of(event)]
    return json.dumps({**schema_of(event), "examples": examples}, indent=2, ensure_ascii=False) + "\n"
