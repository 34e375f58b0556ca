"""A new event is a class with its wire name, its fields and its meaning, in its context's events or contracts."""

import re
from collections.abc import Sequence

from django.conf import settings

from config.scaffold.writing import CannotStart, append, manage, tidy
from integration.contracts.contract import contracts
from integration.domain import identifiers
from integration.domain.events import domain_events

IMPORTS = {
    **{name: kind.__module__ for name, kind in vars(identifiers).items() if hasattr(kind, "__supertype__")},
    "Address": "integration.domain.address",
    "Money": "integration.domain.money",
    "datetime": "datetime",
}
PLAIN = {"bool", "int", "str"}

CLASS = '''
@{decorator}("{name}")
class {class_name}({base}):
    """{meaning}"""

{fields}
'''


def start_event(name: str, fields: Sequence[str], meaning: str) -> str:
    """Write a new event and its schema; returns what was written, as a sentence.

    Args:
        name: `context.what_happened` for a domain event, `context.what-happened` for a contract.
        fields: `name:Type` each.
        meaning: one sentence.

    Raises:
        CannotStart: for a name or a type that will not do.
    """
    context, _, what = name.partition(".")
    if context not in settings.CONTEXTS:
        raise CannotStart(f"{context!r} is none of the contexts {', '.join(settings.CONTEXTS)}")
    if name in contracts or name in domain_events:
        raise CannotStart(f"there is an event named {name!r}")
    if re.fullmatch(r"[a-z]+(_[a-z]+)+", what):
        path, base, decorator = f"{context}/events.py", "DomainEvent", "domain_event"
        home = "integration.domain.events"
    elif re.fullmatch(r"[a-z]+(-[a-z]+)+", what):
        path, base, decorator = f"integration/contracts/{context}.py", "IntegrationEvent", "contract"
        home = "integration.contracts.contract"
    else:
        raise CannotStart(
            f"{what!r} is no name for an event: write {context}.what_happened for a domain event, "
            f"{context}.what-happened for a contract"
        )
    types = dict(_field(field) for field in fields)
    if not types:
        raise CannotStart("an event without fields says nothing about anything: add some, such as order:OrderNumber")
    class_name = "".join(word.capitalize() for word in re.split("[-_]", what))
    imports = [f"from {home} import {word}" for word in (base, decorator)]
    imports += [f"from {IMPORTS[kind]} import {kind}" for kind in sorted(set(types.values()) - PLAIN)]
    code = CLASS.format(
        decorator=decorator,
        name=name,
        class_name=class_name,
        base=base,
        meaning=f"{meaning.strip().removesuffix('.')}.",
        fields="\n".join(f"    {field}: {kind}" for field, kind in types.items()),
    )
    tidy([append(path, code, imports)])
    manage("contracts", "write")
    manage("document")
    return f"{class_name} is in {path}, and its schema is committed."


def _field(text: str) -> tuple[str, str]:
    name, _, kind = text.partition(":")
    if not kind or not re.fullmatch(r"[a-z]+(_[a-z]+)*", name):
        raise CannotStart(f"{text!r}: write fields as name:Type, such as order:OrderNumber")
    if kind not in PLAIN | IMPORTS.keys():
        raise CannotStart(f"{text!r}: the types are {', '.join(sorted(PLAIN | IMPORTS.keys()))}")
    return name, kind
