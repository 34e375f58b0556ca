"""A call to an external system that hangs is given up: its delivery is retried, and nothing else waits for it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from integration.contracts.inventory import StockRanOut
from integration.domain import clock
from integration.messaging import call_threads as call_threads_module
from integration.messaging import deliver as delivering
from integration.messaging import external, leases, tasks
from integration.messaging.call_threads import CallThreads, is_given_up
from integration.messaging.claim import claim
from integration.messaging.deliver import deliver_due
from integration.messaging.models import ConsumerState, Delivery, Status
from integration.messaging.retries import Retries
from integration.messaging.wakeups import DeliveryQueue
from integration.policies import every

pytestmark = pytest.mark.usefixtures("for_threads")

EXTERNAL = DeliveryQueue("inventory", True)
NAME = "inventory.call"
SHORT = timedelta(seconds=0.3)
LONG_WAIT = Retries(attempts=3, longest_wait=timedelta(hours=1))

Listen = Callable[..., None]
RunOut = Callable[..., None]


class Peer:
    """An external system that hangs when it is asked about some SKUs, until it is released."""

    def __init__(self, *hangs_at: str) -> None:
        self._hangs_at, self._released = hangs_at, threading.Event()
        self.asked: list[str] = []
        self.recorded: list[str] = []
        self.fails = False

    def ask(self, event: StockRanOut) -> Callable[[], None]:
        self.asked.append(event.sku)
        if event.sku in self._hangs_at:
            assert self._released.wait(30)
            if self.fails:
                raise OSError("too late, and in vain")
        return lambda: self.recorded.append(event.sku)

    def release(self) -> None:
        self._released.set()


@pytest.fixture
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    peer = Peer("SLOW", "SLOW-2", "SLOW-3", "SLOW-4", "SLOW-5")
    yield peer
    peer.release()


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[CallThreads]:
    """Threads of this test alone, as a worker has them."""
    pool = CallThreads()
    for module in (delivering, leases, tasks):
        monkeypatch.setattr(module, "call_threads", pool)
    monkeypatch.setattr(delivering, "CALLS_HAVE_THREADS", True)
    yield pool
    pool.close()


def _wait_until(condition: Callable[[], Any]) -> None:
    began = clock.stopwatch()
    while not condition():
        assert clock.stopwatch() - began < 20, "this never happened"
        clock.pause(0.01)


def _status(sku: str) -> tuple[str, int]:
    delivery = Delivery.objects.get(message__data__sku=sku)
    return delivery.status, delivery.attempts


@contextmanager
def in_another_thread(work: Callable[[], object]) -> Iterator[threading.Thread]:
    """Run `work` in a thread, which must end by the end of the block."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(30)
        assert not thread.is_alive()


# --- The timeout of a call ---


def test_a_call_that_hangs_counts_as_failed_at_its_timeout(listen: Listen, run_out: RunOut, peer: Peer) -> None:
    listen(peer.ask, name=NAME, external=True, timeout=SHORT, retries=LONG_WAIT)
    run_out("SLOW")

    with in_another_thread(lambda: deliver_due(EXTERNAL)):
        _wait_until(lambda: Delivery.objects.get().error)
        delivery = Delivery.objects.get()
        assert delivery.error.startswith("CallTimedOut: The call to the external system did not return in time.")
        assert (delivery.status, delivery.attempts, delivery.in_flight) == (Status.PENDING, 1, False)
        assert delivery.due_at > clock.now()
        peer.release()


def test_results_of_earlier_calls_are_recorded_and_later_ones_released(
    listen: Listen, run_out: RunOut, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEWED_EVERY", timedelta(minutes=1))
    listen(peer.ask, name=NAME, external=True, timeout=SHORT, retries=LONG_WAIT)
    run_out("MUG", "SLOW", "LAMP")

    with in_another_thread(lambda: deliver_due(EXTERNAL)):
        _wait_until(lambda: Delivery.objects.filter(status=Status.DONE).exists())
        _wait_until(lambda: not Delivery.objects.filter(in_flight=True).exists())
        assert (_status("MUG"), _status("SLOW")) == ((Status.DONE, 1), (Status.PENDING, 1))
        assert _status("LAMP") == (Status.PENDING, 0)
        peer.release()

    assert peer.asked[:2] == ["MUG", "SLOW"]
    assert peer.recorded[0] == "MUG"


def test_a_late_result_is_recorded_once_even_if_the_delivery_is_dead(
    listen: Listen, run_out: RunOut, peer: Peer
) -> None:
    listen(peer.ask, name=NAME, external=True, timeout=SHORT, retries=Retries(1, timedelta(seconds=1)))
    run_out("SLOW")

    with in_another_thread(lambda: deliver_due(EXTERNAL)):
        _wait_until(lambda: Delivery.objects.get().status == Status.DEAD)
        peer.release()

    assert (_status("SLOW"), peer.recorded) == ((Status.DONE, 1), ["SLOW"])


def test_a_late_error_changes_nothing_of_the_next_attempt(listen: Listen, run_out: RunOut, peer: Peer) -> None:
    listen(peer.ask, name=NAME, external=True, timeout=SHORT, retries=LONG_WAIT)
    run_out("SLOW")
    peer.fails = True

    with in_another_thread(lambda: deliver_due(EXTERNAL)):
        _wait_until(lambda: Delivery.objects.get().error)
        Delivery.objects.update(due_at=clock.now())
        (again,) = claim(EXTERNAL, 1)
        peer.release()

    delivery = Delivery.objects.get()
    assert (delivery.in_flight, delivery.attempts, delivery.fencing_token) == (True, 2, again.fencing_token)
    assert "CallTimedOut" in delivery.error


def test_a_late_error_does_not_move_the_next_attempt(listen: Listen, run_out: RunOut, peer: Peer) -> None:
    listen(peer.ask, name=NAME, external=True, timeout=SHORT, retries=LONG_WAIT)
    run_out("SLOW")
    peer.fails = True

    with in_another_thread(lambda: deliver_due(EXTERNAL)):
        _wait_until(lambda: Delivery.objects.get().error)
        Delivery.objects.update(due_at=clock.now() + timedelta(hours=1))
        due_at = Delivery.objects.get().due_at
        peer.release()

    assert Delivery.objects.get().due_at == due_at


def test_what_comes_after_the_last_call_may_hang_too(listen: Listen, run_out: RunOut, peer: Peer) -> None:
    @contextmanager
    def line(events: Any) -> Iterator[None]:
        yield
        peer.ask(StockRanOut(sku="SLOW", sequence=1))

    listen(lambda event, line: peer.ask(event), name=NAME, external=True, read=line, timeout=SHORT)
    run_out("MUG")

    with in_another_thread(lambda: deliver_due(EXTERNAL)):
        _wait_until(lambda: _status("MUG") == (Status.DONE, 1))
        peer.release()

    assert peer.recorded == ["MUG"]


# --- Threads of their own ---


def test_a_call_that_hangs_delays_no_other_delivery_queue(
    listen: Listen, run_out: RunOut, peer: Peer, pool: CallThreads
) -> None:
    handled: list[str] = []
    listen(peer.ask, name=NAME, external=True)
    listen(lambda event: handled.append(event.sku), name="inventory.reorder")
    run_out("SLOW")

    began = clock.stopwatch()
    tasks.deliver("inventory", True)
    tasks.deliver("inventory", False)

    assert clock.stopwatch() - began < 1.0
    assert handled == ["SLOW"]
    peer.release()
    _wait_until(lambda: peer.recorded == ["SLOW"])


def test_a_call_that_hangs_delays_no_other_external_consumer(
    listen: Listen, run_out: RunOut, peer: Peer, pool: CallThreads
) -> None:
    mailed: list[str] = []
    listen(peer.ask, name=NAME, external=True)
    run_out("SLOW")
    tasks.deliver("inventory", True)
    _wait_until(lambda: peer.asked)

    listen(lambda event: mailed.append(event.sku), name="inventory.mail", external=True)
    run_out("MUG")
    tasks.deliver("inventory", True)

    _wait_until(lambda: "MUG" in mailed)
    peer.release()
    _wait_until(lambda: not Delivery.objects.filter(status=Status.PENDING).exists())


def test_at_most_four_threads_of_a_delivery_queue_call_at_once(
    listen: Listen, run_out: RunOut, peer: Peer, pool: CallThreads
) -> None:
    listen(peer.ask, name=NAME, external=True)
    external.claim_sizes[EXTERNAL] = 1
    run_out("SLOW", "SLOW-2", "SLOW-3", "SLOW-4", "SLOW-5")
    for _ in range(6):
        tasks.deliver("inventory", True)

    assert len(peer.asked) == 4
    peer.release()
    _wait_until(lambda: len(peer.recorded) == 5)


def test_a_thread_whose_call_hangs_is_replaced_and_ends_when_the_call_returns(
    listen: Listen, run_out: RunOut, peer: Peer, pool: CallThreads
) -> None:
    listen(peer.ask, name=NAME, external=True, timeout=SHORT, retries=LONG_WAIT)
    run_out("SLOW")
    tasks.deliver("inventory", True)
    (thread,) = [*pool._threads[EXTERNAL], *pool._hung]  # on a busy machine it is given up already
    _wait_until(lambda: thread.is_given_up)
    _wait_until(lambda: Delivery.objects.get().error)

    run_out("MUG")
    tasks.deliver("inventory", True)
    _wait_until(lambda: _status("MUG") == (Status.DONE, 1))

    peer.release()
    thread.join(20)
    assert not thread.is_alive()
    assert peer.recorded == ["MUG", "SLOW"]


def test_a_worker_that_ends_waits_for_calls_in_progress_and_ends_their_threads(pool: CallThreads) -> None:
    release, done = threading.Event(), list[bool]()
    pool.run(EXTERNAL, lambda: done.append(release.wait(30)))
    (thread,) = [*pool._threads[EXTERNAL], *pool._hung]  # on a busy machine it is given up already
    threading.Timer(0.3, release.set).start()

    pool.close()

    assert done == [True]
    assert not thread.is_alive()


def test_no_more_calls_are_made_while_too_many_threads_hang(
    listen: Listen,
    run_out: RunOut,
    peer: Peer,
    pool: CallThreads,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(call_threads_module, "MOST_HUNG", 1)
    listen(peer.ask, name=NAME, external=True, timeout=SHORT, retries=LONG_WAIT)
    run_out("SLOW")
    tasks.deliver("inventory", True)
    _wait_until(lambda: pool._hung)
    run_out("MUG")
    tasks.deliver("inventory", True)

    assert peer.asked == ["SLOW"]
    assert "no external calls are made: 1 threads hang" in caplog.text
    peer.release()
    _wait_until(lambda: not pool._hung[0].is_alive())
    tasks.deliver("inventory", True)
    _wait_until(lambda: "MUG" in peer.recorded)


def test_a_thread_that_is_given_up_makes_no_further_calls(
    listen: Listen, run_out: RunOut, peer: Peer, pool: CallThreads
) -> None:
    seen: list[bool] = []
    listen(
        lambda event: (peer.ask(event), seen.append(is_given_up()))[0],
        name=NAME,
        external=True,
        timeout=SHORT,
        retries=LONG_WAIT,
    )
    run_out("SLOW", "MUG")
    tasks.deliver("inventory", True)
    (thread,) = [*pool._threads[EXTERNAL], *pool._hung]  # on a busy machine it is given up already
    _wait_until(lambda: thread.is_given_up)
    peer.release()
    thread.join(20)

    assert (peer.asked, seen) == (["SLOW"], [True])


# --- The hard limit ---


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The exit codes with which this process would have ended."""
    codes: list[int] = []
    monkeypatch.setattr(call_threads_module.os, "_exit", codes.append)
    monkeypatch.setattr(leases, "HUNG_FOR", 0.1)
    return codes


def test_a_child_of_the_pool_ends_when_a_call_stays_hung_and_its_task_is_done(
    listen: Listen, run_out: RunOut, peer: Peer, pool: CallThreads, ended: list[int]
) -> None:
    pool.note_process()
    listen(peer.ask, name=NAME, external=True, timeout=SHORT, retries=LONG_WAIT)
    run_out("SLOW")
    pool.begin_task()
    tasks.deliver("inventory", True)
    _wait_until(lambda: pool._is_ending)
    clock.pause(0.3)
    assert ended == []

    pool.end_task()
    _wait_until(lambda: ended)
    assert ended == [call_threads_module.EXIT_CODE]
    assert (_status("SLOW"), ConsumerState.objects.get(pk=NAME).failures) == ((Status.PENDING, 1), 1)


def test_another_process_is_not_ended(
    listen: Listen,
    run_out: RunOut,
    peer: Peer,
    pool: CallThreads,
    ended: list[int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    listen(peer.ask, name=NAME, external=True, timeout=SHORT, retries=LONG_WAIT)
    run_out("SLOW")
    tasks.deliver("inventory", True)
    _wait_until(lambda: "its call ignores its timeout" in caplog.text)

    assert ended == []


# --- Routines ---


def test_an_external_routine_that_hangs_delays_nothing_and_does_not_begin_again(
    listen: Listen, peer: Peer, pool: CallThreads
) -> None:
    every(timedelta(seconds=1), name="inventory.ask", external=True)(
        lambda: peer.ask(StockRanOut(sku="SLOW", sequence=1))
    )

    began = clock.stopwatch()
    tasks.run("inventory.ask")
    tasks.run("inventory.ask")

    assert clock.stopwatch() - began < 1.0
    assert peer.asked == ["SLOW"]


def test_the_worker_goes_on_with_what_the_thread_has_made_due(
    listen: Listen, run_out: RunOut, pool: CallThreads, monkeypatch: pytest.MonkeyPatch, publish_all: Any
) -> None:
    threads: list[str] = []
    monkeypatch.setattr("integration.messaging.wakeups._is_served_here", lambda delivery_queue: True)

    def call(event: StockRanOut) -> Callable[[], None] | None:
        threads.append(threading.current_thread().name)
        if event.sku == "LAMP":
            return None
        from integration.messaging.publish import publish

        return lambda: publish(StockRanOut(sku="LAMP", sequence=1))

    listen(lambda event: threads.append(f"{event.sku} in {threading.current_thread().name}"), name="inventory.count")
    listen(call, name=NAME, external=True)
    run_out("MUG")
    tasks.deliver("inventory", True)

    assert f"LAMP in {threading.current_thread().name}" in threads


def test_a_closed_pool_ends_its_threads_and_waits_for_their_calls(pool: CallThreads) -> None:
    began, finished = threading.Event(), list[str]()

    def work() -> None:
        began.set()
        clock.pause(0.3)
        finished.append("the call")

    runner = threading.Thread(target=pool.run, args=("a kind", work))
    runner.start()
    assert began.wait(10)
    (thread,) = pool._threads["a kind"]

    pool.close()

    assert finished == ["the call"]
    assert not thread.is_alive()
    runner.join()
