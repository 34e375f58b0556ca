"""There is one clock, which may be synchronized with another one, and a test can move it or stop it."""

from datetime import UTC, datetime, timedelta

import pytest

from integration.domain import clock

HOUR = timedelta(hours=1)


class Machine:
    """The clocks of a machine, instead of the module `time`."""

    def __init__(self) -> None:
        self.wall, self.steady = 5_000.0, 70.0
        self.slept = list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def spend(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def synchronize(self, theirs: float, round_trip: float = 0.0) -> float:
        """Synchronize with a clock that says `theirs` when the request has arrived, halfway through the round trip."""

        def read() -> float:
            self.spend(round_trip)
            return theirs

        return clock.synchronize(read)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine whose clock was never synchronized."""
    machine = Machine()
    monkeypatch.setattr(clock, "time", machine)
    monkeypatch.setattr(clock, "_synchronized", None)
    return machine


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


# --- A reference clock ---


def seconds() -> float:
    return clock.now().timestamp()


def test_without_a_reference_clock_the_machines_own_is_the_clock(machine: Machine) -> None:
    assert seconds() == 5_000
    machine.wall += 10
    assert seconds() == 5_010


@pytest.mark.parametrize("jump", [-3600, 3600])
def test_a_synchronized_clock_goes_on_although_the_machines_own_is_set(machine: Machine, jump: float) -> None:
    assert machine.synchronize(9_000) == pytest.approx(-4_000)
    machine.spend(2)
    machine.wall += jump
    assert seconds() == 9_002


def test_the_reference_clock_is_assumed_to_be_read_halfway(machine: Machine) -> None:
    machine.synchronize(9_000, round_trip=4)
    assert seconds() == 9_002


@pytest.mark.parametrize("theirs", [9_000.1, 9_001, 9_003.9])
def test_a_slow_reading_does_not_replace_a_better_one_that_it_does_not_contradict(
    machine: Machine, theirs: float
) -> None:
    machine.synchronize(9_000)
    machine.synchronize(theirs, round_trip=4)  # two seconds later, give or take 2
    assert seconds() == 9_004


def test_a_reading_that_contradicts_the_last_one_replaces_it(machine: Machine) -> None:
    machine.synchronize(9_000)
    machine.synchronize(8_000, round_trip=4)
    assert seconds() == 8_002


def test_a_synchronized_clock_can_be_moved_and_stopped(machine: Machine) -> None:
    machine.synchronize(9_000)
    with clock.moved(HOUR):
        assert seconds() == 12_600
    with clock.standing_at(datetime.fromtimestamp(1, UTC)):
        machine.spend(5)
        assert seconds() == 1


def test_the_clock_must_be_synchronized_at_first_again_later_and_after_a_jump(machine: Machine) -> None:
    assert clock.must_be_synchronized()
    machine.synchronize(9_000)
    machine.spend(clock.SYNCHRONIZED_FOR)
    assert not clock.must_be_synchronized()
    machine.spend(0.1)
    assert clock.must_be_synchronized()

    for jump in (-2, 3_602, -3_600):
        machine.synchronize(9_000)
        assert not clock.must_be_synchronized()
        machine.wall += jump
        assert clock.must_be_synchronized()


def test_a_pause_lasts_while_the_clock_runs_and_ends_at_once_while_it_is_stopped(machine: Machine) -> None:
    clock.pause(3)
    clock.pause(-1)
    with clock.standing_at(datetime(2026, 11, 28, tzinfo=UTC)):
        clock.pause(5)
    assert machine.slept == [3, 0]
