"""The test suite's `drain` shows why a handler failed, so that a failing test does not end in a bare assertion."""

from collections.abc import Callable

import pytest

from integration.contracts.inventory import StockRanOut
from integration.domain.errors import NotYet

pytestmark = pytest.mark.django_db


def test_drain_prints_the_traceback_of_a_handler_that_fails_once(
    listen: Callable[..., None],
    run_out: Callable[..., None],
    drain: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def reorder(event: StockRanOut) -> None:
        raise LookupError(f"no supplier of {event.sku}")

    listen(reorder)
    run_out("MUG")

    assert drain() == 1

    printed = capsys.readouterr().out
    assert "inventory.stock-ran-out to inventory.reorder is pending after 1 attempts" in printed
    assert 'raise LookupError(f"no supplier of {event.sku}")' in printed
    assert "LookupError: no supplier of MUG" in printed
    assert (drain(), capsys.readouterr().out) == (0, "")


def test_drain_prints_the_traceback_of_a_handler_that_waits(
    listen: Callable[..., None],
    run_out: Callable[..., None],
    drain: Callable[..., int],
    stopped_clock: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def reorder(event: StockRanOut) -> None:
        raise NotYet("no supplier yet")

    listen(reorder)
    run_out("MUG")
    drain()

    assert "NotYet: no supplier yet" in capsys.readouterr().out


def test_drain_prints_nothing_when_all_is_handled(
    listen: Callable[..., None],
    run_out: Callable[..., None],
    drain: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
) -> None:
    listen(lambda event: None)
    run_out("MUG", "LAMP")

    assert (drain(), capsys.readouterr().out) == (2, "")
