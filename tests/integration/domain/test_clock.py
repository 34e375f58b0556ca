"""There is one clock, and a test can move it or stop it."""

from datetime import UTC, datetime, timedelta

import pytest

from integration.domain import clock

HOUR = timedelta(hours=1)


def _offset() -> timedelta:
    """How far the clock is ahead of real time, rounded to seconds."""
    return timedelta(seconds=round((clock.now() - datetime.now(UTC)).total_seconds()))


def test_now_is_aware_and_in_utc() -> None:
    assert clock.now().utcoffset() == timedelta()


def test_the_clock_can_be_moved_both_ways_and_moves_add_up() -> None:
    with clock.moved(3 * HOUR):
        assert _offset() == 3 * HOUR
        with clock.moved(-HOUR):
            assert _offset() == 2 * HOUR
        assert _offset() == 3 * HOUR
    assert _offset() == timedelta()


def test_the_clock_is_restored_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), clock.moved(HOUR):
        _ = 1 / 0

    assert _offset() == timedelta()


def test_a_stopped_clock_changes_only_when_it_is_moved() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with clock.standing_at(noon):
        assert (clock.now(), clock.now()) == (noon, noon)
        started = clock.stopwatch()
        clock.advance(HOUR)
        with clock.moved(HOUR):
            assert clock.now() == noon + 2 * HOUR
        assert clock.now() == noon + HOUR
        assert clock.stopwatch() - started == HOUR.total_seconds()

    assert _offset() == timedelta()
