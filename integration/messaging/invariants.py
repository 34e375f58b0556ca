"""Invariants of messages and deliveries, and of the personal data in everything that is published or recorded."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from integration.contracts.contract import contracts
from integration.domain.address import ERASED
from integration.domain.events import domain_events
from integration.domain.personal import personal_fields
from integration.history.append_only import histories
from integration.invariants import always
from integration.messaging.models import ArchivedMessage, Message


@always("events.each_consumer_has_one_delivery")
def each_consumer_has_one_delivery() -> str:
    """Every message has one delivery for each consumer it was addressed to."""
    return """
        SELECT message.name || ' ' || message.id || ': ' || count(delivery.id) || ' deliveries of '
                 || message.addressed_to AS what,
               count(delivery.id) <> message.addressed_to AS bad
        FROM integration_message AS message
        LEFT JOIN integration_delivery AS delivery ON delivery.message_id = message.id
        GROUP BY message.id, message.name, message.addressed_to
    """


@always("events.nothing_personal_is_told")
def no_personal_data_in_events() -> str:
    """Histories and messages hold no personal data; it is in the personal data store, where it can be erased."""
    messages = {kind._meta.db_table: contracts.items() for kind in (Message, ArchivedMessage)}
    selects = (_of_table(table, _personal(kinds)) for table, kinds in (*_of_histories(), *messages.items()))
    return " UNION ALL ".join(filter(None, selects))


def _of_histories() -> Iterable[tuple[str, list[tuple[str, Any]]]]:
    for table in histories():
        context = table.removesuffix("history").replace("_", ".")
        yield table, [(name, event) for name, event in domain_events.items() if name.startswith(context)]


def _personal(kinds: Iterable[tuple[str, Any]]) -> dict[str, Mapping[str, str]]:
    """The personal fields of the events that have any, by wire name."""
    return {name: fields for name, event in kinds if (fields := personal_fields(event))}


def _of_table(table: str, events: Mapping[str, Mapping[str, str]]) -> str:
    """The SELECT over all rows of a table whose event has personal fields; empty if no event has any."""
    if not events:
        return ""
    names = ", ".join(f"'{name}'" for name in events)
    cases = " ".join(f"WHEN '{name}' THEN {_holds_personal_data(fields)}" for name, fields in events.items())
    return f"""
        SELECT '{table}: ' || name || ' ' || CAST(id AS text) || ' holds personal data' AS what,
               CASE name {cases} END AS bad
        FROM {table} WHERE name IN ({names})
    """  # noqa: S608 - names of the code only


def _holds_personal_data(fields: Mapping[str, str]) -> str:
    """SQL condition: at least one of these fields still holds personal data, not only what erasing leaves of it."""
    return " OR ".join(
        f"coalesce({_text(name)}, '') <> ''"
        if left == "nothing"
        else f"coalesce({_text(name, 'street')}, '{ERASED}') <> '{ERASED}'"
        for name, left in fields.items()
    )


def _text(*path: str) -> str:
    """SQL expression for a text value at a path in the JSON column `data`."""
    if connection.vendor == "postgresql":
        return f"data #>> '{{{','.join(path)}}}'"
    return f"json_extract(data, '$.{'.'.join(path)}')"
