"""Whoever reads a history on misses nothing and gets nothing twice, in whatever order transactions commit."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random

import pytest
from django.db import connection, connections, transaction

from integration.domain.identifiers import Sku
from integration.read_models import history_reader as feed
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


# --- The position alone ---


def test_without_gaps_only_the_mark_is_kept() -> None:
    assert Position(4).after(entries(5, 6, 7), closed=0) == Position(7)


def test_what_lies_beyond_a_gap_is_remembered() -> None:
    assert Position(4).after(entries(5, 7, 8), closed=0) == Position(5, (7, 8))


def test_a_gap_that_is_filled_is_forgotten() -> None:
    assert Position(5, (7, 8), 8, ("3/1",)).after(entries(6, 7, 8, 9), closed=0) == Position(9)


def test_a_gap_that_nobody_can_fill_any_more_is_passed() -> None:
    assert Position(5, (7, 8), 8, ("3/1",)).after(entries(7, 8, 9), closed=8) == Position(9)


def test_a_gap_seen_later_is_not_passed_with_it() -> None:
    assert Position(5, (7, 8), 8).after(entries(7, 8, 10), closed=8) == Position(8, (10,), 8)


@only_postgres
@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(30))
def test_whatever_the_order_of_commits_each_number_is_handed_out_once(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Transactions take a number, and commit or roll back; between them, and within a reading too, somebody reads."""
    random = Random(seed)
    running: dict[str, int] = {}  # by transaction: the number it holds
    committed: list[int] = []
    position, handed_out, numbers = Position(), [], 0

    def happen() -> None:
        nonlocal numbers
        for _ in range(random.randrange(4)):
            if running and random.random() < 0.5:
                number = running.pop(random.choice(list(running)))
                committed.extend([number] if random.random() < 0.8 else [])
            else:
                numbers += 1
                running[f"3/{numbers}"] = numbers

    def beyond(history: object, mark: int, limit: int) -> list[NumberedEntry]:
        happen()
        return entries(*sorted(seq for seq in committed if seq > mark)[:limit])

    def writers(history: object) -> set[str]:
        happen()
        return set(running)

    monkeypatch.setattr(feed, "_beyond", beyond)
    monkeypatch.setattr(feed, "writers", writers)
    for _ in range(300):
        some, position = read_on(History, position, 5)
        handed_out += [each.seq for each in some]
    monkeypatch.setattr(random, "randrange", lambda end: 0)
    running.clear()
    for _ in range(200):
        some, position = read_on(History, position, 5)
        handed_out += [each.seq for each in some]

    assert sorted(handed_out) == sorted(committed)
    assert len(committed) > 50
    assert position.mark == max(committed)


# --- With a database ---


@pytest.mark.django_db
def test_a_history_is_read_in_the_order_it_was_written() -> None:
    stock_up([(Sku(sku), 5) for sku in ("MUG", "LAMP")])
    receive_stock(Sku("MUG"), 1)
    position, found = Position(), []
    while True:
        some, position = read_on(History, position, 2)
        if not some:
            break
        found += some

    assert {entry.id for _, entry in found} == set(History.objects.values_list("pk", flat=True))
    of_mug = [entry.version for _, entry in found if entry.stream_id == "MUG"]
    assert of_mug == list(range(1, len(of_mug) + 1)) != []


@contextmanager
def elsewhere() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Run functions one after the other in one other thread, each waited for; its connection is closed at the end."""
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
        assert done.acquire(timeout=20)

    try:
        yield run
    finally:
        over.set()
        go.release()
        thread.join(20)


class TestWithConcurrentTransactions:
    """Real connections: one begins earlier and commits later."""

    pytestmark = [only_postgres, pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

    def test_an_event_whose_transaction_commits_late_is_not_missed(self) -> None:
        stock_up([(Sku("MUG"), 1), (Sku("LAMP"), 20)])
        settle()
        with elsewhere() as early:
            early(lambda: receive_stock(Sku("MUG"), 10) and None)
            receive_stock(Sku("LAMP"), 5)
            catch_up_all()

            assert shown() == {"MUG": 1, "LAMP": 25}  # what is committed is shown at once, beyond the gap
            assert len(ahead()) == 1
            for _ in range(3):  # and whoever looks again does not pass the gap
                receive_stock(Sku("LAMP"), 1)
                catch_up_all()
            assert shown() == {"MUG": 1, "LAMP": 28}
        catch_up_all()

        assert shown() == {"MUG": 11, "LAMP": 28}
        receive_stock(Sku("MUG"), 1)
        catch_up_all()
        assert ahead() == []

    def test_a_transaction_that_rolled_back_holds_nobody_up(self) -> None:
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

    def test_writers_and_followers_at_once_miss_nothing_and_double_nothing(self) -> None:
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

        builds_to_lock = [threading.Thread(target=catch_up) for _ in range(3)]
        writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
        for thread in [*builds_to_lock, *writers]:
            thread.start()
        for thread in writers:
            thread.join(60)
        over.set()
        for thread in builds_to_lock:
            thread.join(60)
        catch_up_all()

        assert shown() == {item.sku: item.on_hand for item in StockItem.objects.all()}
        assert sum(row.received for row in StockOfDay.objects.all()) == sum(shown().values())

    def test_no_more_than_so_many_are_handed_out_beyond_a_gap(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stock_up([(Sku("MUG"), 1), (Sku("LAMP"), 20)])
        settle()
        monkeypatch.setattr("integration.read_models.history_reader.MOST_AHEAD", 3)
        with elsewhere() as early:
            early(lambda: receive_stock(Sku("MUG"), 10) and None)
            for _ in range(5):
                receive_stock(Sku("LAMP"), 1)
                catch_up_all()
            assert shown()["LAMP"] == 23
        for _ in range(5):
            catch_up_all()

        assert shown() == {"MUG": 11, "LAMP": 25}


def settle() -> None:
    """Follow past the gap that the tests before have left: numbers are not given out again."""
    for _ in range(3):
        catch_up_all()
        receive_stock(Sku("MUG"), 1)
    adjust_stock(Sku("MUG"), -3, "counted")
    catch_up_all()
    assert ahead() == []


def ahead() -> list[int]:
    return ReadModelBuild.objects.get(read_model=StockOfDay.read_model, live=True).ahead


def shown() -> dict[str, int]:
    return {row.sku: row.on_hand for row in StockOfDay.objects.filter(latest=True)}


@pytest.mark.django_db
def test_a_day_begins_with_what_was_left_of_the_one_before(later: Callable[[timedelta], None]) -> None:
    stock_up([(Sku("MUG"), 5)])
    catch_up_all()
    later(timedelta(days=2))
    receive_stock(Sku("MUG"), 3)
    catch_up_all()
    first, second = StockOfDay.objects.order_by("day")

    assert (first.on_hand, first.received, first.latest) == (5, 5, False)
    assert (second.on_hand, second.received, second.latest) == (8, 3, True)
    assert (second.day - first.day).days == 2
