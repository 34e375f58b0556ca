"""The facts of stored events as people may see them.

The log holds placeholders for personal values, the same for a value that is in the personal data store and for one that
was erased. A reader must see which is which.
"""

from collections.abc import Callable, Iterable
from typing import Any

from django.apps import apps

from integration.domain.address import ERASED
from integration.domain.events import domain_events
from integration.domain.personal import personal_fields
from integration.domain.versions import Facts
from integration.history.entries import HistoryEntry
from integration.history.personal_data import PersonalData, WithPersonalData, load_personal

PERSONAL = "(personal)"
"""What stands for a value that the reader may not see."""


def shown_facts(row: WithPersonalData, *, may_see: bool, is_erased: bool) -> Facts:
    """Return the facts of a row of the log for a reader.

    Args:
        may_see: whether the reader may see personal values. Others see `(personal)`.
        is_erased: whether the row's aggregate was erased later. Then `(erased)` stands for each personal value.
    """
    stored = row.personal if row.name in row.kinds else _values_of_unknown(row)
    fields = {*stored, *(personal_fields(row.kinds.get(row.name)) if row.name in row.kinds else ())}
    return {
        name: _shown(name, value, stored, may_see, is_erased) if name in fields else value
        for name, value in row.data.items()
    }


def _values_of_unknown(row: WithPersonalData) -> Facts:
    return PersonalData.objects.filter(pk=row.id).values_list("values", flat=True).first() or {}


def _shown(name: str, placeholder: Any, stored: Facts, may_see: bool, is_erased: bool) -> Any:
    if name in stored:
        return stored[name] if may_see else _put(PERSONAL, placeholder)
    if not is_erased and placeholder == "":
        return "" if may_see else PERSONAL  # no value was given, which is as personal as a value
    return _put(ERASED, placeholder) if is_erased else placeholder


def _put(text: str, placeholder: Any) -> Any:
    """Replace what stands for a personal value in the log by another text; the country of an address stays."""
    if isinstance(placeholder, dict):
        return {name: _put(text, value) for name, value in placeholder.items()}
    return text if placeholder in ("", ERASED) else placeholder


def shown_facts_of_message(message: Any, may_see: Callable[[HistoryEntry], bool]) -> Facts:
    """Return the facts of a message for a reader. Its personal values belong to the event that it was published for.

    Args:
        may_see: whether the reader may see the personal values of that event.
    """
    entry = entries_by_id([message.causation_id]).get(message.causation_id)
    if entry is None:
        return shown_facts(message, may_see=False, is_erased=False)
    return shown_facts(message, may_see=may_see(entry), is_erased=is_erased(entry))


def entries_by_id(ids: Iterable[Any]) -> dict[Any, HistoryEntry]:
    """Return domain events of all contexts by their ids, with their personal data.

    This takes one query per context, and one for personal data.
    """
    wanted = [id for id in set(ids) if id]
    if not wanted:
        return {}
    found = [entry for table in _histories() for entry in table.objects.filter(pk__in=wanted)]
    return {entry.id: entry for entry in load_personal(found)}


def is_erased(entry: HistoryEntry) -> bool:
    """Return whether the entry's aggregate was erased after this event; one query."""
    return entry.version < last_erasure(type(entry), entry.stream, entry.stream_id)


def last_erasure(history: type[HistoryEntry], stream: str, key: str) -> int:
    """Return the version of the last event with which an aggregate was erased; 0 if it was never erased."""
    erasing = [name for name, event in domain_events.items() if event.erases]
    found = history.objects.filter(stream=stream, stream_id=key, name__in=erasing).order_by("-version")
    return found.values_list("version", flat=True).first() or 0


def erased_fields(entry: HistoryEntry, version: int) -> set[str]:
    """Return the personal fields of the entry's aggregate whose values at a version were erased, then or later.

    This takes one query, and another one if the aggregate was erased.
    """
    history = type(entry)
    last = last_erasure(history, entry.stream, entry.stream_id)
    if not last:
        return set()
    erased: set[str] = set()
    until = history.objects.filter(stream=entry.stream, stream_id=entry.stream_id, version__lte=version)
    for number, name in until.order_by("version").values_list("version", "name"):
        fields = personal_fields(domain_events.get(name)).keys()
        erased = erased | fields if number <= last else erased - fields
    return erased


def _histories() -> list[type[HistoryEntry]]:
    return [model for model in apps.get_models() if issubclass(model, HistoryEntry)]
