"""What a worker or a web process begins with is not looked through for garbage."""

import gc
from collections.abc import Iterator

import pytest
from celery.signals import worker_init

from config import garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class TestAWorkerThatBegins:
    def test_keeps_what_is_there_for_good(self) -> None:
        gc.unfreeze()

        worker_init.send(sender=object())

        assert gc.get_freeze_count() > 0
        assert len(gc.get_objects()) < gc.get_freeze_count()

    def test_looks_for_cycles_less_often(self) -> None:
        worker_init.send(sender=object())

        assert gc.get_threshold()[0] == garbage.LOOK_AFTER > 700
