"""What a process begins with is not looked through for garbage, nor is all that a batch makes every 700 objects."""

import gc

from config.garbage import LOOK_AFTER


def test_code_and_registries_are_kept_for_good() -> None:
    assert gc.get_freeze_count() > 50_000
    assert not any(kept is gc for kept in gc.get_objects())


def test_cycles_are_looked_for_less_often() -> None:
    assert gc.get_threshold()[0] == LOOK_AFTER > 700


def test_cycles_are_still_found() -> None:
    class Knot:
        """Something that holds itself."""

        freed = 0

        def __init__(self) -> None:
            self.self = self

        def __del__(self) -> None:
            Knot.freed += 1

    for _ in range(LOOK_AFTER * 2):
        Knot()
    assert Knot.freed
