"""Invariants of endpoints: each message that an endpoint is owed has a row."""

from integration.invariants import Check, always
from integration.storage.sql import is_postgresql
from integration.webhooks.models import ERASURE, EVERYTHING


@always("webhooks.each_message_has_its_rows")
def each_message_has_its_rows() -> Check:
    """Every message that was shared out has a row for each enabled endpoint that it is owed to."""
    wants = " OR ".join(
        [
            _contains("endpoint.events", f"'{EVERYTHING}'"),
            _contains("endpoint.events", "message.name"),
            f"(message.name = '{ERASURE}' AND {_length('endpoint.personal_data')} > 0)",
        ]
    )
    return Check(
        rows=f"""
            integration_feedposition AS placed
            JOIN integration_message AS message ON message.id = placed.message
            JOIN integration_webhookendpoint AS endpoint
              ON endpoint.status = 'enabled' AND placed.number > endpoint.after AND ({wants})
              AND placed.number <= (SELECT number FROM integration_sharedout)
            LEFT JOIN integration_endpointdelivery AS mine
              ON mine.endpoint_id = endpoint.id AND mine.message_id = message.id
        """,  # noqa: S608 - names of the code only
        what="message.name || ' ' || CAST(message.id AS text) || ' for the endpoint ' || CAST(endpoint.id AS text)",
        never={"it has no row": "mine.id IS NULL"},
    )


def _contains(column: str, name: str) -> str:
    if is_postgresql():
        return f"{column} @> to_jsonb(CAST({name} AS text))"
    return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value = {name})"  # noqa: S608 - names of the code only


def _length(column: str) -> str:
    return f"{'jsonb' if is_postgresql() else 'json'}_array_length({column})"
