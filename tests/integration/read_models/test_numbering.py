"""A history that was numbered in the order of its pages is repaired, and an old one is numbered by time and version."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from config.verification import verify
from integration.domain.identifiers import OrderNumber
from integration.history.append_only import changeable
from integration.read_models.catch_up import catch_up_all
from integration.read_models.lag import lag
from integration.read_models.models import ReadModelBuild
from integration.read_models.numbering import NotTheOwner, misnumbered, number_history, renumber
from integration.read_models.rebuild import differences
from integration.read_models.registry import read_models
from ordering.models import History, Order, OrderBoard

Place = Callable[..., OrderNumber]
Drain = Callable[..., int]

TABLE = "ordering_history"
CHECK = "read_models.numbers_increase_with_versions"

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite numbers rows itself, in the order of commits"),
]


@pytest.fixture
def orders(placed: Place, drain: Drain) -> list[OrderNumber]:
    orders = [placed(), placed(method="pm_card_chargeDeclined"), placed({"MUG": 1}, buyer="B-2")]
    drain()
    return orders


def execute(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def reverse_numbers() -> None:
    """Number each aggregate's events from the last to the first."""
    with changeable(TABLE):
        execute(
            """
            WITH placed AS (
                SELECT id, stream, stream_id, seq,
                    row_number() OVER (PARTITION BY stream, stream_id ORDER BY seq) AS nth,
                    row_number() OVER (PARTITION BY stream, stream_id ORDER BY seq DESC) AS reverse
                FROM ordering_history
            )
            UPDATE ordering_history AS history SET seq = -other.seq FROM placed AS own JOIN placed AS other
                ON (own.stream, own.stream_id, own.reverse) = (other.stream, other.stream_id, other.nth)
            WHERE history.id = own.id
            """,
            "UPDATE ordering_history SET seq = -seq",
        )


def numbers() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq FROM ordering_history ORDER BY seq")
        return [seq for (seq,) in cursor.fetchall()]


def test_a_history_that_is_numbered_wrongly_is_named_and_rebuild_repairs_it(orders: list[OrderNumber]) -> None:
    before = numbers()
    reverse_numbers()
    catch_up_all()
    assert OrderBoard.objects.count() < len(orders)
    assert {each.error != "" for each in lag() if each.read_model == OrderBoard.read_model} == {True}
    assert verify([CHECK])[CHECK].offenders
    with pytest.raises(CommandError, match="differences"):
        call_command("rebuild", all=True, check=True, stdout=StringIO(), stderr=StringIO())

    call_command("rebuild", all=True, stdout=StringIO(), stderr=StringIO())
    assert verify([CHECK])[CHECK].offenders == []
    assert numbers() == before
    assert OrderBoard.objects.count() == len(orders) == Order.objects.count()
    assert [found for _, model in read_models.items() for found in differences(model)] == []


def test_only_rows_that_are_numbered_wrongly_change_and_the_history_stays_append_only(
    orders: list[OrderNumber],
) -> None:
    assert renumber("ordering") == 0
    rows = list(History.objects.values())
    reverse_numbers()
    changed = renumber("ordering")
    assert 0 < changed < len(rows)
    assert misnumbered(TABLE) == []
    assert list(History.objects.values()) == rows
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        execute("UPDATE ordering_history SET seq = -seq")


def test_what_has_read_wrong_numbers_is_built_anew(orders: list[OrderNumber]) -> None:
    catch_up_all()
    before = {each.read_model: each.build for each in lag()}
    reverse_numbers()
    renumber("ordering")
    assert {each.read_model: each.build for each in lag()} == before  # they are read until the new ones are ready
    assert {name for name, code in ReadModelBuild.objects.values_list("read_model", "code") if not code} == {
        name for name in before if name.startswith("ordering.")
    }
    catch_up_all()
    assert {each.read_model for each in lag() if each.build == before[each.read_model]} == {
        name for name in before if not name.startswith("ordering.")
    }
    assert [found for _, model in read_models.items() for found in differences(model)] == []


def test_a_role_that_may_not_repair_the_numbers_says_so(orders: list[OrderNumber]) -> None:
    reverse_numbers()
    execute(
        "CREATE ROLE test_not_the_owner",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO test_not_the_owner",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO test_not_the_owner",
        "SET LOCAL ROLE test_not_the_owner",
    )
    with pytest.raises(NotTheOwner):
        renumber("ordering")
    with pytest.raises(CommandError, match="only the owner of its table can repair it"):
        call_command("rebuild", "ordering.order-board", stdout=StringIO(), stderr=StringIO())
    execute("RESET ROLE")


def test_an_old_history_is_numbered_by_time_and_version(orders: list[OrderNumber]) -> None:
    operation = number_history("ordering")
    with connection.schema_editor() as editor:
        operation.reverse_code(None, editor)
    # Rewriting a row moves it to the end of the table, as when several processes write to several pages.
    with changeable(TABLE):
        execute("UPDATE ordering_history SET actor = actor WHERE version = 1")
        # The clock of one machine was an hour ahead when it recorded the first version.
        execute(
            "UPDATE ordering_history SET occurred_at = occurred_at + interval '1 hour' "
            "WHERE version = 1 AND stream = 'order'",
        )
    with connection.schema_editor() as editor:
        operation.code(None, editor)

    assert numbers() == list(range(1, History.objects.count() + 1))
    assert misnumbered(TABLE) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT stream, seq FROM ordering_history WHERE version = 1 ORDER BY seq")
        streams = [stream for stream, _ in cursor.fetchall()]
    assert streams == sorted(streams, key=lambda stream: stream == "order")
    last = numbers()[-1]
    catch_up_all()
    assert OrderBoard.objects.count() == len(orders)
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('ordering_history', 'seq'))")
        assert cursor.fetchone() == (last + 1,)
