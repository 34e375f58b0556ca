"""Waiting requests are let go when something new is there, one after the other, and while a thread is free."""

import time

import pytest

from config import waiting
from config.waiting import WaitingList
from integration.rest.feed import Waits


class Feed:
    """A feed of types, a free thread, and the connections that were served again."""

    def __init__(self) -> None:
        self.types: dict[str, int] = {}
        self.served: list[str] = []
        self.is_free = True
        self.waiting_list = WaitingList(3, self.types_since, self.served.append, lambda: self.is_free)

    def types_since(self, after: int) -> dict[str, int]:
        return {name: number for name, number in self.types.items() if number > after}

    def enter(self, connection: str, *types: str, after: int = 5, seconds: float = 20, is_ready: bool = False) -> None:
        waits = Waits(int(seconds), after, frozenset(types), is_ready)
        self.waiting_list.enter(connection, waits, time.monotonic() + seconds)

    def step(self) -> list[str]:
        """Look once, and let one go; returns all that were served."""
        self.waiting_list._look(time.monotonic())
        self.waiting_list._let_one_go()
        return self.served


@pytest.fixture
def feed() -> Feed:
    return Feed()


def test_readers_go_when_their_types_are_new_one_at_a_time(feed: Feed) -> None:
    feed.enter("all"), feed.enter("a", "a"), feed.enter("b", "b")
    assert not feed.waiting_list.has_place()
    assert feed.step() == []
    feed.types["a"] = 6
    assert feed.step() == ["all"]
    assert feed.step() == ["all", "a"]
    assert feed.step() == ["all", "a"]
    feed.types["b"] = 7
    assert feed.step() == ["all", "a", "b"]
    assert len(feed.waiting_list) == 0


def test_an_event_between_a_reader_s_look_and_its_entering_is_found(feed: Feed) -> None:
    feed.enter("first", after=5)
    feed.types["a"] = 6
    assert feed.step() == ["first"]
    feed.enter("second", after=5)  # it looked before 6 was there, and came after this thread's look
    assert feed.step() == ["first", "second"]
    feed.enter("third", after=6)
    assert feed.step() == ["first", "second"]


def test_a_reader_goes_when_its_time_is_over_or_it_only_waits_for_its_turn(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed.enter("late", seconds=-1)
    feed.enter("turn", is_ready=True)
    assert feed.waiting_list.holds("late")
    assert feed.waiting_list.holds("turn")
    feed.is_free = False
    assert feed.step() == []
    feed.is_free = True
    assert feed.step() == ["turn"]
    feed.is_free = False
    monkeypatch.setattr(waiting, "LONGEST_DELAY", -1)
    assert feed.step() == ["turn", "late"]


def test_who_leaves_is_forgotten_and_all_go_when_the_process_stops(feed: Feed) -> None:
    feed.enter("gone"), feed.enter("there"), feed.enter("ready", is_ready=True)
    feed.waiting_list.leave("gone")
    feed.waiting_list.close()
    assert feed.served == ["there", "ready"]
    assert not feed.waiting_list.is_open()


def test_the_thread_lets_go_what_is_due(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_EVERY", 0)
    feed.waiting_list.start()
    feed.types["a"] = 6
    feed.enter("all")
    deadline = time.monotonic() + 10
    while not feed.served and time.monotonic() < deadline:
        time.sleep(0.01)
    assert feed.served == ["all"]
    feed.waiting_list.close()
