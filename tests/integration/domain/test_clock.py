"""There is one clock, and a test can move it."""

from datetime import UTC, datetime, timedelta

import pytest

from integration.domain import clock

HOUR = timedelta(hours=1)


def _offset() -> timedelta:
    """How far the clock is from the real time, to the second."""
    return timedelta(seconds=round((clock.now() - datetime.now(UTC)).total_seconds()))


def test_the_time_is_aware_and_in_utc() -> None:
    assert clock.now().utcoffset() == timedelta()


def test_time_can_be_moved_both_ways_and_moves_add_up() -> None:
    with clock.moved(3 * HOUR):
        assert _offset() == 3 * HOUR
        with clock.moved(-HOUR):
            assert _offset() == 2 * HOUR
        assert _offset() == 3 * HOUR
    assert _offset() == timedelta()


def test_a_test_that_fails_gives_the_time_back() -> None:
    with pytest.raises(ZeroDivisionError), clock.moved(HOUR):
        _ = 1 / 0

    assert _offset() == timedelta()


def test_time_that_stands_passes_only_when_it_is_told_to() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with clock.standing_at(noon):
        assert (clock.now(), clock.now()) == (noon, noon)
        began = clock.stopwatch()
        clock.advance(HOUR)
        with clock.moved(HOUR):
            assert clock.now() == noon + 2 * HOUR
        assert clock.now() == noon + HOUR
        assert clock.stopwatch() - began == HOUR.total_seconds()

    assert _offset() == timedelta()
