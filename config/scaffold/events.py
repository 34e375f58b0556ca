"""A new event is a class with a wire name, fields and a meaning, in the events or the contracts of its context."""

import re
from collections.abc import Sequence
from keyword import iskeyword

from django.conf import settings

from config.scaffold.field_types import imports_of
from config.scaffold.writing import CannotStart, Edits, manage, root, sentence
from integration.contracts.contract import contracts
from integration.contracts.registry import verdicts
from integration.domain.events import domain_events

CLASS = '''
@{decorator}("{name}"{says})
class {class_name}({base}, kw_only=True):
    """{meaning}"""

{fields}
'''


SHOWN = {
    *("amount", "delta", "paid", "price", "quantities", "quantity", "refunded", "shortages", "spend", "total"),
    *("carrier", "reason", "sku", "tracking_number"),
}
"""The fields that the sentence of a new event mentions, if it has them."""


def start_event(name: str, fields: Sequence[str], meaning: str) -> str:
    """Write a new event, its JSON Schema and the documents.

    Args:
        name: `context.what_happened` for a domain event, `context.what-happened` for a contract.
        fields: `name:Type` each.
        meaning: one sentence.

    Returns:
        What was written, as a sentence.

    Raises:
        CannotStart: for a name, a meaning or a type that cannot be used, and while `contracts check` reports another
            event. No file is changed then.
    """
    context, _, what = name.partition(".")
    if context not in settings.CONTEXTS:
        raise CannotStart(
            f"{context!r} is none of the contexts {', '.join(settings.CONTEXTS)}: write context.what_happened"
        )
    if name in contracts or name in domain_events:
        raise CannotStart(f"an event named {name!r} exists already")
    if re.fullmatch(r"[a-z]+(_[a-z]+)+", what):
        path = f"{context}/events/__init__.py" if (root() / context / "events").is_dir() else f"{context}/events.py"
        base, decorator = "DomainEvent", "domain_event"
        home, schemas = "integration.domain.events", f"{context}/schemas"
    elif re.fullmatch(r"[a-z]+(-[a-z]+)+", what):
        path, base, decorator = f"integration/contracts/{context}.py", "IntegrationEvent", "contract"
        home, schemas = "integration.contracts.contract", "integration/contracts/schemas"
    else:
        raise CannotStart(
            f"{what!r} is no name for an event: write {context}.what_happened for a domain event, "
            f"{context}.what-happened for a contract, two or more words of the letters a to z"
        )
    types = dict(map(_field, fields))
    if not types:
        raise CannotStart("an event needs a field that says what it is about, such as order:OrderNumber")
    module = path.removesuffix(".py").replace("/", ".")
    class_name = "".join(word.capitalize() for word in re.split("[-_]", what))
    imports = {f"from {home} import {base}", f"from {home} import {decorator}"}
    code = CLASS.format(
        decorator=decorator,
        name=name,
        says=f', says="{_sentence(what, types)}"' if base == "DomainEvent" else "",
        class_name=class_name,
        base=base,
        meaning=sentence(meaning),
        fields="\n".join(f"    {field}: {kind}" for field, kind in types.items()),
    )
    edits = Edits()
    edits.append(path, code, sorted(imports.union(*(imports_of(kind, module) for kind in types.values()))))
    _refuse_broken_promises()
    with edits.written(f"{schemas}/{name}.v1.json"):
        manage("contracts", "write")
        manage("document")
    return f"{class_name} is in {path}, and its schema is in {schemas}/."


def _sentence(what: str, types: dict[str, str]) -> str:
    """What a domain event says until its author writes something better: its name, its key, and the fields that pages
    should show."""
    shown = [field for field, kind in types.items() if field in SHOWN and "Personal" not in kind]
    facts = "".join(f", {field.replace('_', ' ')} {{{field}}}" for field in shown)
    return f"{what.replace('_', ' ')}: {{key}}{facts}"


def _field(text: str) -> tuple[str, str]:
    name, _, kind = (part.strip() for part in text.partition(":"))
    if not kind or iskeyword(name) or not re.fullmatch(r"[a-z]+(_[a-z]+)*", name):
        raise CannotStart(f"{text!r}: write fields as name:Type, such as order:OrderNumber")
    return name, kind


def _refuse_broken_promises() -> None:
    """Refuse while another event breaks its schema: `contracts write` would write no schema at all."""
    wrong = [f"{verdict.name}: {sentence}" for verdict in verdicts() for sentence in verdict.wrong]
    if wrong:
        raise CannotStart("mend first what `contracts check` reports:\n" + "\n".join(wrong))
