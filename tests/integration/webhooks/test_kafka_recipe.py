"""The recipe for Kafka in docs/operations.md: its SQL runs, and the columns that it names hold what it says."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection

from integration.messaging.models import Message
from tests.integration.webhooks.conftest import example

PAGE = (Path(__file__).resolve().parents[3] / "docs/operations.md").read_text()

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="Debezium reads PostgreSQL")


def test_the_sql_of_the_recipe(db: None, publish_all: Callable[..., None]) -> None:
    (sql,) = re.findall(r"```sql\n(CREATE ROLE debezium.*?)```", PAGE, re.DOTALL)
    (properties,) = re.findall(r"```properties\n(.*?)```", PAGE, re.DOTALL)
    given = dict(line.split("=", 1) for line in properties.splitlines())
    outbox = {name.rpartition(".")[2]: value for name, value in given.items() if ".table.field." in name}
    more = given["transforms.outbox.table.fields.additional.placement"]
    columns = {*outbox.values(), given["transforms.outbox.route.by.field"], *re.findall(r"(\w+):header", more)}
    assert columns <= {field.column for field in Message._meta.concrete_fields}

    with connection.cursor() as cursor:
        cursor.execute(sql)  # rolled back with the test
        cursor.execute(
            "SELECT pubname, tablename, attnames FROM pg_publication_tables WHERE pubname = %s",
            [given["publication.name"]],
        )
        ((_, table, published),) = cursor.fetchall()
        assert given["table.include.list"] == f"public.{table}"
        assert columns <= set(published)
        cursor.execute("SELECT pubinsert, pubupdate, pubdelete FROM pg_publication WHERE pubname = 'waybill_events'")
        assert cursor.fetchone() == (True, False, False)
        event = example("ordering.shipping-requested")
        publish_all(event)
        cursor.execute(f"SELECT {outbox['id']}, {outbox['key']}, {outbox['payload']}::text FROM {table}")  # noqa: S608
        ((id, story, payload),) = cursor.fetchall()
    message = Message.objects.get()
    assert (id, story) == (message.id, message.correlation_id)
    assert "Ada Byron" not in payload, "the log of the database holds no personal data of messages"
    topic = re.sub(given["transforms.outbox.route.topic.regex"], r"\1", message.name)
    assert given["transforms.outbox.route.topic.replacement"].replace("$1", topic) == "waybill.ordering"
