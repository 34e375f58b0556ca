"""`docs/events.md`: the event catalogue, for people who read the code."""

import json
from collections.abc import Iterable, Iterator

from integration.documents.catalogue import Entry, Field, all_contracts, all_domain_events

INTRODUCTION = """\
# Events

Written by `manage.py document` from the code and its committed schemas; do not edit.

*Contracts* are what the contexts tell each other: they are stored with a delivery for each consumer, and promised, with
a JSON Schema in `integration/contracts/schemas/` for every version. *Domain events* are what happens inside a context:
they are its history, and their schemas are in the context's `schemas/`. [asyncapi.json](asyncapi.json) describes the
contracts for machines, in the form they have outside of the house: [CloudEvents](https://cloudevents.io) 1.0.

What is *personal* is kept beside the log and goes when its person is erased: then a text is empty, and of an address
only the country is left.

![Context map](pictures/context-map.svg)
"""


def events_page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([INTRODUCTION, "## Contracts", "", *_contracts(), "## Domain events", "", *_domain_events()])


def _contracts() -> Iterator[str]:
    for entry in all_contracts():
        yield f"### {entry.name}\n\n{entry.meaning}\n"
        yield f"* Published by {entry.publisher}; {_versions(entry)}"
        yield f"* Consumers: {_listed(entry.consumers)}\n"
        yield "| field | is |\n|---|---|"
        yield from (f"| `{field.name}` | {_kind(field)} |" for field in entry.fields)
        yield f"\n```json\n{json.dumps(entry.example, indent=2, ensure_ascii=False)}\n```\n"


def _domain_events() -> Iterator[str]:
    publisher = ""
    for entry in all_domain_events():
        if entry.publisher != publisher:
            publisher = entry.publisher
            yield f"### In {publisher}\n\n| event | meaning | facts | reactions |\n|---|---|---|---|"
        facts = ", ".join(f"`{field.name}`: {_kind(field)}" for field in entry.fields)
        version = f" ({_versions(entry)})" if len(entry.versions) > 1 else ""
        yield f"| `{entry.name}`{version} | {entry.meaning} | {facts} | {_listed(entry.consumers)} |"


def _versions(entry: Entry) -> str:
    return f"version {', '.join(map(str, entry.versions))}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nobody"


def _kind(field: Field) -> str:
    return f"{field.kind}{', optional' if field.optional else ''}{', personal' if field.personal else ''}"
