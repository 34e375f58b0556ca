"""Rows are stored as Django would store them, in one statement on PostgreSQL, and read as Django would read them."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, DataError, IntegrityError, connection, transaction
from django.utils.safestring import SafeString

from billing.gateways.sandbox.models import Transaction
from integration.domain import clock
from integration.history.personal_data import PersonalData
from integration.messaging.models import Delivery, Message
from integration.storage.reading import read, read_at_once
from integration.storage.rows import blank, columns_of, values_of
from integration.storage.writing import Insert, RowGone, Update, _constant, write
from inventory.models import StockItem, StockOfDay
from ordering.models import Order

pytestmark = pytest.mark.django_db

AWKWARD = ["", "'", '"', "\\", "%s", "%", "\n", "€", "null", "🚚", "{}", " x ", "\\u0041", "given.name"]


def message(**others: Any) -> dict[str, Any]:
    return {
        **blank(Message),
        "id": uuid4(),
        "name": "billing.payment_succeeded",
        "version": 1,
        "data": {"order": "R-1"},
        "occurred_at": clock.now(),
        "correlation_id": uuid4(),
        "actor": "system",
        "addressed_to": 0,
        **others,
    }


def stock_item(sku: str, **others: Any) -> dict[str, Any]:
    return {**blank(StockItem), "sku": sku, "created_at": clock.now(), "updated_at": clock.now(), **others}


@pytest.mark.parametrize("text", AWKWARD)
def test_a_text_is_stored_unchanged(text: str) -> None:
    row = message(actor=text, data={"text": text, "nested": [{text: None}]})
    write({Insert(Message): [row]})
    stored = Message.objects.get(actor=text)
    assert (stored.actor, stored.data) == (text, row["data"])


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        datetime(2026, 1, 2, tzinfo=UTC),
        datetime(1, 1, 2, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_every_column_is_stored_as_the_orm_stores_it(moment: datetime) -> None:
    written_here, written_by_django = (
        message(occurred_at=moment, causation_id=uuid4(), traceparent="00-1-2-01") for _ in range(2)
    )
    write({Insert(Message): [written_here]})
    Message.objects.create(**written_by_django)
    for row in (written_here, written_by_django):
        stored = Message.objects.get(occurred_at=moment, pk=row["id"])
        assert values_of(stored) == row
    with connection.cursor() as cursor:
        cursor.execute("SELECT occurred_at, length(data) FROM integration_message" if _is_sqlite() else _SAME_COLUMNS)
        assert len(set(cursor.fetchall())) == 1, "the two are stored differently"


_SAME_COLUMNS = "SELECT occurred_at, data FROM integration_message"


def _is_sqlite() -> bool:
    return connection.vendor == "sqlite"


def test_large_whole_numbers_are_exact() -> None:
    write({Insert(StockItem): [stock_item("MANY", on_hand=2**63 - 1)]})
    assert StockItem.objects.get().on_hand == 2**63 - 1


def test_an_instance_of_a_string_subclass_is_stored_as_text() -> None:
    write({Insert(Message): [message(actor=SafeString("user:1"))]})
    assert Message.objects.get().actor == "user:1"


def test_a_value_that_is_not_json_is_refused() -> None:
    with pytest.raises((TypeError, ValueError)), transaction.atomic():
        write({Insert(Message): [message(data={"set": object()})]})


def test_postgresql_refuses_nul_characters() -> None:
    if _is_sqlite():
        return  # SQLite stores NUL, also through Django
    with pytest.raises((DatabaseError, ValueError)), transaction.atomic():
        write({Insert(Message): [message(actor="a\0b")]})


def test_all_tables_are_written_in_one_statement(statements: Callable[[], Any]) -> None:
    messages = [message() for _ in range(3)]
    write({Insert(StockItem): [stock_item("OLD")]})
    with statements() as seen:
        write(
            {
                Insert(Message): messages,
                Insert(Delivery): [
                    {
                        **blank(Delivery),
                        "message_id": each["id"],
                        "consumer": "a",
                        "context": "a",
                        "due_at": clock.now(),
                    }
                    for each in messages
                ],
                Insert(StockItem): [stock_item("NEW")],
                Update(StockItem, columns_of(StockItem)): [stock_item("OLD", on_hand=7, version=2)],
            }
        )
    assert len(seen) == 1
    assert (Message.objects.count(), Delivery.objects.count()) == (3, 3)
    assert dict(StockItem.objects.values_list("sku", "on_hand")) == {"OLD": 7, "NEW": 0}


def test_without_rows_no_statement_is_executed(statements: Callable[[], Any]) -> None:
    with statements() as seen:
        write({})
    assert seen == []


def test_an_update_writes_its_columns_and_no_others() -> None:
    write({Insert(StockItem): [stock_item("A", on_hand=5), stock_item("B", on_hand=5)]})
    write({Update(StockItem, ("on_hand",)): [{"sku": "A", "on_hand": 6, "reserved": 3}]})
    assert list(StockItem.objects.values_list("sku", "on_hand", "reserved")) == [("A", 6, 0), ("B", 5, 0)]


def test_an_update_of_a_missing_row_raises_row_gone() -> None:
    write({Insert(StockItem): [stock_item("A")]})
    with pytest.raises(RowGone):
        write({Update(StockItem, columns_of(StockItem)): [stock_item("A"), stock_item("GONE")]})


def test_columns_without_values_get_their_blank_value() -> None:
    complete = message()
    write({Insert(Message): [complete]})
    given = {"message_id": complete["id"], "consumer": "a", "context": "a", "external": True, "due_at": clock.now()}
    write({Insert(Delivery, tuple(given)): [given, {**given, "consumer": "b"}]})
    expected = {**blank(Delivery), **given}
    for delivery in Delivery.objects.all():
        assert values_of(delivery) == {**expected, "id": delivery.pk, "consumer": delivery.consumer}
    assert {delivery.consumer for delivery in Delivery.objects.all()} == {"a", "b"}


def test_a_column_without_a_simple_default_cannot_be_left_out() -> None:
    with pytest.raises(TypeError, match="cannot be written as an SQL constant"):
        write({Insert(Order, ("number",)): [{"number": "R-1"}]})


def test_an_update_sets_constants_in_all_its_rows() -> None:
    write({Insert(StockItem): [stock_item(sku, on_hand=5, reorder_point=1) for sku in "ABC"]})
    hold = Update(StockItem, ("reserved",), and_set="reorder_point = 4, on_hand = 6")
    write({hold: [{"sku": "A", "reserved": 1}, {"sku": "B", "reserved": 2}]})
    stored = StockItem.objects.order_by("sku").values_list("reserved", "reorder_point", "on_hand")
    assert list(stored) == [(1, 4, 6), (2, 4, 6), (0, 1, 5)]


def test_a_row_that_fails_the_condition_raises_the_error_of_the_update() -> None:
    class Sold(RuntimeError):
        """The last one is sold."""

    write({Insert(StockItem): [stock_item("A", on_hand=1), stock_item("B", on_hand=0)]})
    take = Update(StockItem, ("reserved",), only_if="inventory_stockitem.on_hand > 0", otherwise=Sold)
    with pytest.raises(Sold, match="The last one is sold"), transaction.atomic():
        write({take: [{"sku": "A", "reserved": 1}, {"sku": "B", "reserved": 0}]})
    assert list(StockItem.objects.values_list("reserved", flat=True)) == [0, 0]
    write({take: [{"sku": "A", "reserved": 1}]})


def test_constraints_of_the_database_are_enforced() -> None:
    write({Insert(StockItem): [stock_item("A")]})
    for wrong in (stock_item("A"), stock_item("B", reserved=1), stock_item("C", on_hand=None)):
        with pytest.raises(IntegrityError), transaction.atomic():
            write({Insert(StockItem): [wrong]})


def test_a_text_that_is_too_long_is_refused() -> None:
    if _is_sqlite():
        return  # SQLite does not limit the length, also not through Django
    with pytest.raises(DataError), transaction.atomic():
        write({Insert(Message): [message(actor="a" * 81)]})


def test_a_columns_name_may_differ_from_its_attribute() -> None:
    column_of = {field.attname: field.column for field in Delivery._meta.concrete_fields}
    assert (column_of["external"], column_of["in_flight"]) == ("outside", "in_hand")

    sent = message()
    write({Insert(Message): [sent]})
    row = {**blank(Delivery), "message_id": sent["id"], "consumer": "a", "context": "a", "due_at": clock.now()}
    write({Insert(Delivery): [{**row, "external": True, "in_flight": True}]})
    stored = Delivery.objects.get()
    assert (stored.external, stored.in_flight) == (True, True)

    write({Update(Delivery, ("in_flight",)): [{"id": stored.pk, "in_flight": False}]})
    (changed,) = read(Delivery, "in_flight", [False], external=True)
    assert (changed.pk, changed.external, changed.in_flight) == (stored.pk, True, False)


def test_a_foreign_key_to_a_missing_row_is_refused_at_commit_at_the_latest() -> None:
    orphan = {**blank(Delivery), "message_id": uuid4(), "consumer": "a", "context": "a", "due_at": clock.now()}

    def write_and_check() -> None:
        write({Insert(Delivery): [orphan]})
        connection.check_constraints()

    with pytest.raises(IntegrityError), transaction.atomic():
        write_and_check()


def test_personal_data_is_written_like_any_other_row() -> None:
    id, values = uuid4(), {"name": "Ada", "address": {"city": "London"}}
    write({Insert(PersonalData): [{"id": id, "event_id": id, "values": values}]})
    assert PersonalData.objects.get(pk=id).values == values


# --- Reading ---


def test_rows_are_equal_to_djangos_and_ordered_by_key() -> None:
    rows = [message(data={"nested": [1, 2.5, None, "€", {"deep": True}]}, traceparent=None) for _ in range(3)]
    write({Insert(Message): rows})
    wanted = [row["id"] for row in reversed(rows)]

    found = read(Message, "id", [*wanted, *wanted, uuid4()])

    assert [row.pk for row in found] == sorted(wanted)
    assert [values_of(row) for row in found] == [values_of(row) for row in Message.objects.order_by("pk")]
    assert not any(row._state.adding for row in found)


def test_a_column_may_be_named_key() -> None:
    moment = {"currency": "USD", "amount_minor": 1, "created_at": clock.now()}
    entries = [{**blank(Transaction), "key": key, "reference": f"ch_{key}", **moment} for key in ("a", "b", "c")]
    write({Insert(Transaction): entries})

    assert [entry.key for entry in read(Transaction, "key", ["b"])] == ["b"]


def test_rows_are_found_by_several_attributes() -> None:
    messages = [message(name=name, version=version) for name in ("a", "b", "order") for version in (1, 2)]
    write({Insert(Message): messages})

    found = read(Message, ("name", "version"), {("a", 1), ("order", 2), ("b", 3)}, addressed_to=0)

    assert sorted((row.name, row.version) for row in found) == [("a", 1), ("order", 2)]
    assert read(Message, ("name", "version"), {("a", 1)}, addressed_to=1) == []
    assert [row.name for row in read(Message, ("id",), {(messages[2]["id"],)})] == ["b"]
    others = {"correlation_id": messages[3]["correlation_id"], "occurred_at": messages[3]["occurred_at"]}
    assert [row.version for row in read(Message, "name", ["b"], **others)] == [2]


def test_rows_are_found_by_any_text_and_by_dates() -> None:
    day = date(2026, 1, 2)
    rows = [StockOfDay(build=1, sku=sku, day=day, latest=False, version=1) for sku in AWKWARD]
    StockOfDay.of_all_builds.bulk_create(rows)

    for sku in AWKWARD:
        (found,) = read(StockOfDay, ("sku", "day"), [(sku, day)], build=1, latest=False)
        assert values_of(found) == values_of(StockOfDay.of_all_builds.get(sku=sku))


def test_rows_of_several_tables_are_read_in_one_query(
    statements: Callable[[], Any],
) -> None:
    now, day = clock.now(), date(2026, 1, 2)
    write({Insert(StockItem): [stock_item("MUG", on_hand=3), stock_item("LAMP")]})
    stored_message = message(occurred_at=now)
    write({Insert(Message): [stored_message]})
    shown = StockOfDay.of_all_builds.create(build=1, sku="MUG", day=day, latest=True, version=1)
    wanted: dict[Any, Any] = {
        Message: [stored_message["id"], uuid4()],
        StockItem: ["LAMP", "MUG", "NO-SUCH"],
        StockOfDay: [shown.pk],
        PersonalData: [uuid4()],
    }

    with statements() as seen:
        found = [*read_at_once(wanted)]

    assert len(seen) == 1
    expected = [Message.objects.get(), *StockItem.objects.all(), shown]
    assert {(type(each), each.pk): values_of(each) for each in found} == {
        (type(each), each.pk): values_of(each) for each in expected
    }
    assert len(found) == len(expected)


def test_without_tables_no_query_is_executed(statements: Callable[[], Any]) -> None:
    with statements() as seen:
        assert [*read_at_once({})] == []
    assert not seen


def test_a_referenced_row_is_read_in_the_same_query(statements: Callable[[], Any]) -> None:
    messages = [message(name=name) for name in "ab"]
    deliveries = [
        {**blank(Delivery), "message_id": each["id"], "consumer": "a", "context": "a", "due_at": clock.now()}
        for each in messages
    ]
    write({Insert(Message): messages, Insert(Delivery): deliveries})

    with statements() as seen:
        found = read(Delivery, "consumer", ["a"], along="message", context="a")
        assert [(row.message.pk, row.message.name) for row in found] == [(row["id"], row["name"]) for row in messages]
    assert len(seen) == 1


def test_without_keys_no_query_is_executed(statements: Callable[[], Any]) -> None:
    with statements() as seen:
        assert read(Message, "id", []) == []
    assert seen == []


@pytest.mark.parametrize(
    ("value", "text"), [(None, "NULL"), (True, "TRUE"), (7, "7"), ("", "''"), ("plain", "'plain'")]
)
def test_simple_values_are_constants_of_a_statement(value: object, text: str) -> None:
    assert _constant(value) == text


@pytest.mark.parametrize("value", ["it's", "100%", "a\\b", 1.5, b"x"])
def test_other_values_are_no_constants(value: object) -> None:
    with pytest.raises(TypeError):
        _constant(value)
