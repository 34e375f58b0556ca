"""The garbage collector skips the objects of the start, and runs less often than every 700 objects."""

import gc

from config.garbage import LOOK_AFTER


def test_code_and_registries_are_frozen() -> None:
    assert gc.get_freeze_count() > 50_000
    assert not any(each is gc for each in gc.get_objects())


def test_cycles_are_collected_less_often() -> None:
    assert gc.get_threshold()[0] == LOOK_AFTER > 700


def test_cycles_are_still_collected() -> None:
    class Knot:
        """An object that refers to itself."""

        freed = 0

        def __init__(self) -> None:
            self.self = self

        def __del__(self) -> None:
            Knot.freed += 1

    for _ in range(LOOK_AFTER * 2):
        Knot()
    assert Knot.freed
