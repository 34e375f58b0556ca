"""Rows are found by parts of names and e-mail addresses, and no longer once the person is erased."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import DatabaseError, connection

from fulfillment.commands import deliver_shipment, dispatch_shipment, shipment_of
from fulfillment.models import ShipmentText
from integration.domain.address import Address
from integration.domain.identifiers import BuyerId, PaymentMethodId, Sku
from integration.read_models.catch_up import catch_up_all
from integration.read_models.texts import find, text_of
from integration.storage.text_indexes import _make_on_sqlite, has_index, make_text_indexes, name_of
from ordering.commands import change_profile, erase_buyer, place_order, register_buyer_if_new
from ordering.models import BuyerText, OrderText

PEOPLE = {
    "B-1": ("Jürgen Müller-Lüdenscheid", "juergen@example.com"),
    "B-2": ("Лев Толстой", "lev.tolstoy@example.ru"),
    "B-3": ("王伟", "wei@example.cn"),
    "B-4": ("Li Wei", "li_100%@example.com"),
    "B-5": ("", "someone@elsewhere.org"),
    "B-6": ("", ""),
}


@pytest.mark.django_db(transaction=True)
def test_migrate_makes_an_index_that_is_missing_and_keeps_it_like_the_rows() -> None:
    table, index = BuyerText._meta.db_table, name_of(BuyerText._meta.db_table)
    parts = ["inserted", "deleted", "updated"] if connection.vendor == "sqlite" else []
    with connection.cursor() as cursor:
        for part in parts:
            cursor.execute(f'DROP TRIGGER "{index}_{part}"')
        cursor.execute(f'DROP TABLE "{index}"' if parts else f'DROP INDEX "{index}"')
    assert not has_index(table)

    make_text_indexes(apps.get_app_config("ordering"), "default", plan=[])

    assert has_index(table)
    with connection.cursor() as cursor:
        for part in parts:
            cursor.execute("SELECT count(*) FROM sqlite_master WHERE name = %s", [f"{index}_{part}"])
            assert cursor.fetchone() == (1,)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL chooses its index by itself")
def test_sqlite_is_asked_for_trigrams(people: None, statements: Callable[..., Any]) -> None:
    with statements() as seen:
        find(BuyerText, "muller")

    assert any("MATCH" in sql for sql in seen)


def test_a_server_without_trigrams_is_searched_without_an_index(caplog: pytest.LogCaptureFixture) -> None:
    class Refusing:
        """A database that refuses every statement but questions."""

        vendor = "sqlite"

        def cursor(self) -> "Refusing":
            return self

        def __enter__(self) -> "Refusing":
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def execute(self, sql: str, parameters: object = None) -> None:
            if not sql.startswith("SELECT"):
                raise DatabaseError("no such tokenizer: trigram")

        def fetchall(self) -> list[tuple[str]]:
            return []

    _make_on_sqlite(Refusing(), "ordering_buyertext")

    assert "names are searched without an index" in caplog.text


@pytest.fixture
def people(db: None) -> None:
    for id, (name, email) in PEOPLE.items():
        register_buyer_if_new(BuyerId(id))
        change_profile(BuyerId(id), {"name": name, "email": email})
    catch_up_all()


@pytest.mark.parametrize(
    ("term", "ids"),
    [
        ("MULLER", ["B-1"]),
        ("juergen müll", ["B-1"]),
        ("lüden", ["B-1"]),
        ("толст лев", ["B-2"]),
        ("lev.tol", ["B-2"]),
        ("王伟", ["B-3"]),
        ("Li", ["B-4"]),
        ("li w", ["B-4"]),
        ("li_1", ["B-4"]),
        ("i%100", []),
        ("100%", ["B-4"]),
        ('"li" OR', []),
        ("example.com", ["B-4", "B-1"]),
        ("nobody", []),
        ("w", []),
        ("", []),
    ],
)
def test_a_buyer_is_found_by_parts_of_words(people: None, term: str, ids: list[str]) -> None:
    assert find(BuyerText, term) == (ids, False)


def test_it_is_found_without_an_index_as_well(people: None) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f'DROP INDEX "{name_of("ordering_buyertext")}"')
        else:
            for event in ("inserted", "deleted", "updated"):
                cursor.execute(f'DROP TRIGGER "{name_of("ordering_buyertext")}_{event}"')
            cursor.execute(f'DROP TABLE "{name_of("ordering_buyertext")}"')
    assert not has_index("ordering_buyertext")

    assert find(BuyerText, "juergen müll").keys == ["B-1"]
    assert find(BuyerText, "Li").keys == ["B-4"]


def test_a_buyer_without_a_name_takes_no_row(people: None) -> None:
    assert not BuyerText.objects.filter(buyer="B-6").exists()
    assert text_of(" Ada  Lovelace", "", "ada@example.com") == " ada lovelace ada@example.com"


def test_who_is_erased_is_found_no_more(shop: object, drain: Callable[..., int]) -> None:
    change = {"name": "Zebedee Quux", "email": "zebedee@example.com"}
    register_buyer_if_new(BuyerId("B-9"))
    change_profile(BuyerId("B-9"), change)
    home = Address("Zebedee Quux", "1 Row", "London", "W1A 1AA", "GB", company="Quuxworks")
    number = place_order(BuyerId("B-9"), [(Sku("MUG"), 1)], home, PaymentMethodId("pm_card_visa")).number
    drain()
    catch_up_all()
    assert find(BuyerText, "zebedee").keys == ["B-9"]
    assert find(OrderText, "quux zebedee").keys == [number]
    assert find(OrderText, "quuxworks").keys == [number]
    assert len(find(ShipmentText, "zebedee").keys) == 1

    shipment = shipment_of(number)
    dispatch_shipment(shipment, "DHL", "JD014600003RU")
    deliver_shipment(shipment)
    drain()
    erase_buyer(BuyerId("B-9"))
    drain()
    catch_up_all()

    for rows in (BuyerText, OrderText, ShipmentText):
        assert find(rows, "zebedee").keys == find(rows, "erased").keys == []
        assert not rows.of_all_builds.exists()
        assert not _trigrams(rows._meta.db_table) & {"zeb", "ebe", "uux"}


def _trigrams(table: str) -> set[str]:
    """The entries of SQLite's index; PostgreSQL removes those of deleted rows when it vacuums."""
    if connection.vendor == "postgresql" or not has_index(table):
        return set()
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE VIRTUAL TABLE temp.entries USING fts5vocab(main, "{name_of(table)}", row)')
        cursor.execute("SELECT term FROM temp.entries")
        found = {term for (term,) in cursor.fetchall()}
        cursor.execute("DROP TABLE temp.entries")
    return found


@pytest.mark.skipif(connection.vendor != "postgresql", reason="asks PostgreSQL for its plan")
def test_the_search_reads_the_index_of_trigrams(people: None, statements: Callable[..., object]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
        cursor.execute("EXPLAIN SELECT id FROM ordering_buyertext WHERE text LIKE %s LIMIT 9", ["%müller%"])
        plan = " ".join(line for (line,) in cursor.fetchall())
    assert name_of("ordering_buyertext") in plan


@pytest.mark.django_db(transaction=True)
def test_migrate_makes_an_index_that_is_missing() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f'DROP INDEX "{name_of("ordering_ordertext")}"')
        else:
            cursor.execute(f'DROP TRIGGER "{name_of("ordering_ordertext")}_deleted"')
            cursor.execute(f'DROP TABLE "{name_of("ordering_ordertext")}"')
    call_command("migrate", verbosity=0)
    assert has_index("ordering_ordertext")
