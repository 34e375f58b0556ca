"""Invariants of messages and deliveries, and of the personal data in everything that is published or recorded."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from integration.contracts.contract import contracts
from integration.domain import clock
from integration.domain.address import ERASED, LONGEST, LONGEST_OPTIONAL
from integration.domain.events import domain_events
from integration.domain.personal import personal_fields
from integration.history.append_only import histories
from integration.invariants import Check, always, json_elements, json_text
from integration.messaging.models import ArchivedMessage, Message
from integration.storage.sql import is_postgresql


@always("events.each_consumer_has_one_delivery")
def each_consumer_has_one_delivery() -> Check:
    """Every message has one delivery for each consumer it was addressed to."""
    return Check(
        rows="""
            (
                SELECT message.name, message.id, message.addressed_to, count(delivery.id) AS deliveries
                FROM integration_message AS message
                LEFT JOIN integration_delivery AS delivery ON delivery.message_id = message.id
                GROUP BY message.id, message.name, message.addressed_to
            ) AS message
        """,
        what="""
            message.name || ' ' || CAST(message.id AS text) || ': ' || message.deliveries || ' deliveries of '
              || message.addressed_to
        """,
        never={
            "deliveries are missing": "message.deliveries < message.addressed_to",
            "there are too many deliveries": "message.deliveries > message.addressed_to",
        },
    )


@always("events.each_archived_message_is_whole")
def each_archived_message_is_whole() -> Check:
    """An archived message has all its deliveries, each of them settled, and is in no other table."""
    length = "jsonb_array_length" if is_postgresql() else "json_array_length"
    status = json_text("delivery.value", "status")
    unsettled = f"""
        SELECT archived.id FROM integration_archivedmessage AS archived
        {json_elements("archived.deliveries", "delivery")} WHERE ({status}) NOT IN ('done', 'skipped')
    """  # noqa: S608 - names of the code only
    return Check(
        rows="integration_archivedmessage AS message",
        what=f"""
            message.name || ' ' || CAST(message.id AS text) || ': ' || {length}(message.deliveries)
              || ' archived deliveries of ' || message.addressed_to
        """,
        never={
            "deliveries are missing": f"{length}(message.deliveries) < message.addressed_to",
            "there are too many deliveries": f"{length}(message.deliveries) > message.addressed_to",
            "a delivery is not settled": f"message.id IN ({unsettled})",
            "it is also among the current messages": """
                EXISTS (SELECT 1 FROM integration_message AS current WHERE current.id = message.id)
            """,
        },
    )


@always("events.each_message_is_in_the_feed")
def each_message_is_in_the_feed() -> Check:
    """Every message, archived or not, has a place in the feed; older code that publishes without one has an hour."""
    hour_ago = f"'{(clock.now() - timedelta(hours=1)):%Y-%m-%d %H:%M:%S}'"
    return Check(
        rows="""
            (
                SELECT message.name, message.id, message.occurred_at, placed.number FROM (
                    SELECT name, id, occurred_at FROM integration_message
                    UNION ALL SELECT name, id, occurred_at FROM integration_archivedmessage
                ) AS message LEFT JOIN integration_feedposition AS placed ON placed.message = message.id
            ) AS message
        """,
        what="message.name || ' ' || CAST(message.id AS text) || ' has no place in the feed'",
        never={"it is in no feed": f"message.number IS NULL AND message.occurred_at < {hour_ago}"},
    )


@always("events.nothing_personal_is_told")
def no_personal_data_in_events() -> Check:
    """Histories and messages hold no personal data; it is in the personal data store, where it can be erased."""
    messages = {kind._meta.db_table: contracts.items() for kind in (Message, ArchivedMessage)}
    selects = (_of_table(table, _personal(kinds)) for table, kinds in (*_of_histories(), *messages.items()))
    return Check(
        rows=f"({' UNION ALL '.join(filter(None, selects))}) AS logged",
        what="logged.place || ': ' || logged.name || ' ' || CAST(logged.id AS text) || ' holds personal data'",
        never={"it holds personal data": "logged.holds"},
    )


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
        SELECT '{table}' AS place, name, id, CASE name {cases} END AS holds FROM {table} WHERE name IN ({names})
    """  # noqa: S608 - names of the code only


def _holds_personal_data(fields: Mapping[str, str]) -> str:
    """SQL condition: at least one of these fields still holds personal data, not only what erasing leaves of it."""
    return " OR ".join(
        f"coalesce({part}, '{erased}') <> '{erased}'"
        for name, left in fields.items()
        for part, erased in _parts(name, left)
    )


def _parts(name: str, left: str) -> Iterator[tuple[str, str]]:
    """The texts in a personal field, as SQL expressions, and for each what erasing leaves of it."""
    if left == "nothing":
        yield json_text("data", name), ""
    else:
        yield from ((json_text("data", name, part), ERASED) for part in LONGEST)
        yield from ((json_text("data", name, part), "") for part in LONGEST_OPTIONAL)
