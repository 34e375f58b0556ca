"""Reading a history misses no event and returns none twice, in whatever order transactions commit."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random

import pytest
from django.db import connection, connections, transaction

from integration.domain.identifiers import Sku
from integration.read_models import history_reader
from integration.read_models.catch_up import catch_up_all
from integration.read_models.history_reader import NumberedEntry, Position, read_on
from integration.read_models.models import ReadModelBuild
from inventory.commands import adjust_stock, receive_stock, stock_up
from inventory.models import History, StockItem, StockOfDay

only_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has one writer, so numbers have no gaps"
)


def entries(*numbers: int) -> list[NumberedEntry]:
    return [NumberedEntry(seq, History()) for seq in numbers]


# --- Positions ---


def test_without_gaps_the_position_is_only_a_mark() -> None:
    assert Position(4).after(entries(5, 6, 7), closed=0) == Position(7)


def test_numbers_beyond_a_gap_are_remembered_as_ahead() -> None:
    assert Position(4).after(entries(5, 7, 8), closed=0) == Position(5, (7, 8))


def test_a_filled_gap_is_removed_from_the_position() -> None:
    assert Position(5, (7, 8), 8, ("3/1",)).after(entries(6, 7, 8, 9), closed=0) == Position(9)


def test_a_gap_that_no_transaction_can_fill_is_closed() -> None:
    assert Position(5, (7, 8), 8, ("3/1",)).after(entries(7, 8, 9), closed=8) == Position(9)


def test_a_gap_seen_later_stays_open() -> None:
    assert Position(5, (7, 8), 8).after(entries(7, 8, 10), closed=8) == Position(8, (10,), 8)


@only_postgres
@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(30))
def test_each_number_is_returned_once_in_any_order_of_commits(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Transactions take a number, then commit or roll back, between and during the reads of a reader."""
    random = Random(seed)
    running: dict[str, int] = {}  # transaction id to the number it has taken
    committed: list[int] = []
    position, returned, numbers = Position(), [], 0

    def change_something() -> None:
        nonlocal numbers
        for _ in range(random.randrange(4)):
            if running and random.random() < 0.5:
                number = running.pop(random.choice(list(running)))
                committed.extend([number] if random.random() < 0.8 else [])
            else:
                numbers += 1
                running[f"3/{numbers}"] = numbers

    def beyond(history: object, mark: int, limit: int) -> list[NumberedEntry]:
        change_something()
        return entries(*sorted(seq for seq in committed if seq > mark)[:limit])

    def writers(history: object) -> set[str]:
        change_something()
        return set(running)

    monkeypatch.setattr(history_reader, "_beyond", beyond)
    monkeypatch.setattr(history_reader, "writers", writers)
    for _ in range(300):
        batch, position = read_on(History, position, 5)
        returned += [each.seq for each in batch]
    monkeypatch.setattr(random, "randrange", lambda end: 0)
    running.clear()
    for _ in range(200):
        batch, position = read_on(History, position, 5)
        returned += [each.seq for each in batch]

    assert sorted(returned) == sorted(committed)
    assert len(committed) > 50
    assert position.mark == max(committed)


# --- With a database ---


@pytest.mark.django_db
def test_a_history_is_read_in_the_order_it_was_written() -> None:
    stock_up([(Sku(sku), 5) for sku in ("MUG", "LAMP")])
    receive_stock(Sku("MUG"), 1)
    position, found = Position(), []
    while True:
        batch, position = read_on(History, position, 2)
        if not batch:
            break
        found += batch

    assert {entry.id for _, entry in found} == set(History.objects.values_list("pk", flat=True))
    of_mug = [entry.version for _, entry in found if entry.stream_id == "MUG"]
    assert of_mug == list(range(1, len(of_mug) + 1)) != []


@contextmanager
def other_connection() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Run functions one by one in a transaction of another thread and wait for each; commits at the end."""
    todo: list[Callable[[], None]] = []
    go, done, over = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def work() -> None:
        with transaction.atomic():
            while go.acquire() and not over.is_set():
                todo.pop()()
                done.release()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()

    def run(function: Callable[[], None]) -> None:
        todo.append(function)
        go.release()
        assert done.acquire(timeout=120)

    try:
        yield run
    finally:
        over.set()
        go.release()
        thread.join(120)


class TestWithConcurrentTransactions:
    """Two real connections: one transaction begins earlier and commits later."""

    pytestmark = [only_postgres, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

    def test_an_event_whose_transaction_commits_late_is_not_missed(self) -> None:
        stock_up([(Sku("MUG"), 1), (Sku("LAMP"), 20)])
        settle()
        with other_connection() as in_other_connection:
            in_other_connection(lambda: receive_stock(Sku("MUG"), 10) and None)
            receive_stock(Sku("LAMP"), 5)
            catch_up_all()

            assert shown() == {"MUG": 1, "LAMP": 25}  # committed events beyond the gap are shown at once
            assert len(ahead()) == 1
            for _ in range(3):  # later reads do not close the gap either
                receive_stock(Sku("LAMP"), 1)
                catch_up_all()
            assert shown() == {"MUG": 1, "LAMP": 28}
        catch_up_all()

        assert shown() == {"MUG": 11, "LAMP": 28}
        receive_stock(Sku("MUG"), 1)
        catch_up_all()
        assert ahead() == []

    def test_a_rolled_back_transaction_does_not_block_the_reader(self) -> None:
        stock_up([(Sku("MUG"), 1)])
        settle()
        with transaction.atomic():
            receive_stock(Sku("MUG"), 10)
            transaction.set_rollback(True)
        receive_stock(Sku("MUG"), 5)
        catch_up_all()
        assert ahead() != []
        receive_stock(Sku("MUG"), 1)
        catch_up_all()

        assert shown() == {"MUG": 7}
        assert ahead() == []

    def test_concurrent_writers_and_readers_miss_and_repeat_no_event(self) -> None:
        skus = [Sku(f"S-{n}") for n in range(4)]
        stock_up([(sku, 1) for sku in skus])
        over = threading.Event()

        def write(seed: int) -> None:
            random = Random(seed)
            for _ in range(40):
                with transaction.atomic():
                    receive_stock(random.choice(skus), random.randint(1, 9))
                    if random.random() < 0.3:
                        threading.Event().wait(0.005)
            connections.close_all()

        def catch_up() -> None:
            while not over.is_set():
                catch_up_all()
            connections.close_all()

        readers = [threading.Thread(target=catch_up) for _ in range(3)]
        writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
        for thread in [*readers, *writers]:
            thread.start()
        for thread in writers:
            thread.join(120)
        over.set()
        for thread in readers:
            thread.join(120)
        catch_up_all()

        assert shown() == {item.sku: item.on_hand for item in StockItem.objects.all()}
        assert sum(row.received for row in StockOfDay.objects.all()) == sum(shown().values())

    def test_the_number_of_events_returned_beyond_a_gap_is_limited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stock_up([(Sku("MUG"), 1), (Sku("LAMP"), 20)])
        settle()
        monkeypatch.setattr("integration.read_models.history_reader.MOST_AHEAD", 3)
        with other_connection() as in_other_connection:
            in_other_connection(lambda: receive_stock(Sku("MUG"), 10) and None)
            for _ in range(5):
                receive_stock(Sku("LAMP"), 1)
                catch_up_all()
            assert shown()["LAMP"] == 23
        for _ in range(5):
            catch_up_all()

        assert shown() == {"MUG": 11, "LAMP": 25}


def settle() -> None:
    """Catch up past the gap that earlier tests left, because a sequence never returns a number twice."""
    for _ in range(3):
        catch_up_all()
        receive_stock(Sku("MUG"), 1)
    adjust_stock(Sku("MUG"), -3, "counted")
    catch_up_all()
    assert ahead() == []


def ahead() -> list[int]:
    return ReadModelBuild.objects.get(read_model=StockOfDay.read_model).ahead


def shown() -> dict[str, int]:
    return {row.sku: row.on_hand for row in StockOfDay.objects.filter(latest=True)}


@pytest.mark.django_db
def test_a_day_begins_with_the_stock_of_the_day_before(later: Callable[[timedelta], None]) -> None:
    stock_up([(Sku("MUG"), 5)])
    catch_up_all()
    later(timedelta(days=2))
    receive_stock(Sku("MUG"), 3)
    catch_up_all()
    first, second = StockOfDay.objects.order_by("day")

    assert (first.on_hand, first.received, first.latest) == (5, 5, False)
    assert (second.on_hand, second.received, second.latest) == (8, 3, True)
    assert (second.day - first.day).days == 2
