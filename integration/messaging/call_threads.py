"""Calls to external systems have threads of their own, so that a call that hangs delays no other work of the process.

A worker lends its turn to such a thread and waits for a moment. In usual times the thread is done by then, and no two
threads of the process work at once. If not, the worker goes on with other work and the thread finishes alone.

A call that exceeds its consumer's timeout is given up: its delivery is settled as failed, and another thread takes the
place of the one that hangs. Python cannot end a thread. So a child of a prefork worker in which a thread stays hung is
ended when it is idle, and the pool replaces it. In other processes the number of hung threads is limited.
"""

import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Hashable
from queue import SimpleQueue
from typing import Any

from celery.signals import task_postrun, task_prerun, worker_process_init, worker_process_shutdown, worker_shutdown
from django.db import close_old_connections, connections

log = logging.getLogger(__name__)

LENT = 0.2
"""Seconds that a worker waits for the thread before it goes on with other work."""

MOST_WORKING = 4
"""Threads of one kind in a process. A slow external system gets as many calls at a time, and no more."""

MOST_HUNG = 16
"""Hung threads in a process, beyond which it makes no more external calls."""

HUNG_FOR = 30.0
"""Seconds after a call was given up until its process is ended."""

IDLE_FOR = 0.05
"""Seconds without a task after which a process counts as idle, so that the result of its last task is sent."""

LONGEST_END = 60.0
"""Seconds that a process may take to become idle before it is ended all the same."""

EXIT_CODE = 0x9B
"""The exit code with which the pool expects a child to end that is to be replaced (billiard's `EX_RECYCLE`)."""


class CallThread(threading.Thread):
    """A thread that runs one piece of work after another.

    Args:
        kind: what its work has in common; threads of one kind are interchangeable.
    """

    def __init__(self, kind: Hashable) -> None:
        super().__init__(name=f"calls of {kind}", daemon=True)
        self.kind, self.is_busy, self.is_given_up = kind, False, False
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def do(self, work: Callable[[], None]) -> threading.Event:
        """Have the thread run `work`; returns an event that is set once it is done."""
        done = threading.Event()
        self.is_busy = True

        def work_and_say() -> None:
            try:
                work()
            finally:
                self.is_busy = False
                done.set()

        self._work.put(work_and_say)
        return done

    def end(self) -> None:
        """Let the thread end once it has finished its work."""
        self._work.put(None)

    def run(self) -> None:
        try:
            while work := self._work.get():
                close_old_connections()
                try:
                    work()
                except Exception:
                    log.exception("%s failed", self.name)
        finally:
            connections.close_all()


class CallThreads:
    """The threads of this process that call external systems."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[Hashable, list[CallThread]] = defaultdict(list)
        self._hung: list[CallThread] = []
        self._tasks, self._last_task, self._is_ending, self._is_replaced = 0, 0.0, False, False

    def run(self, kind: Hashable, work: Callable[[], None], most: int = MOST_WORKING) -> None:
        """Have a thread run `work`, and wait for a moment until it is done.

        Nothing is run if as many threads of this kind are busy as may be. Those find what is due before they finish,
        and the next sweep does otherwise.
        """
        thread = self._free_thread(kind, most)
        if thread:
            thread.do(work).wait(LENT)

    def give_up(self, thread: threading.Thread) -> None:
        """Replace a thread whose call takes too long; when the call returns, the thread ends."""
        if isinstance(thread, CallThread):
            with self._lock:
                thread.is_given_up = True
                if thread in self._threads[thread.kind]:
                    self._threads[thread.kind].remove(thread)
                self._hung = [hung for hung in self._hung if hung.is_alive()] + [thread]
            thread.end()

    def note_hung(self, thread: threading.Thread) -> None:
        """End this process, if the pool replaces it, because a thread still hangs that was given up."""
        log.error("%s hangs: its call ignores its timeout", thread.name)
        with self._lock:
            if not self._is_replaced or self._is_ending:
                return
            self._is_ending = True
        self._end_when_idle()

    def close(self, **kwargs: Any) -> None:
        """Wait for calls in progress before a worker ends; those that hang are not waited for.

        A worker that is started again in this process gets new threads.
        """
        with self._lock:
            threads = [thread for some in self._threads.values() for thread in some]
            self._threads.clear()
        for thread in threads:
            thread.end()
        until = time.monotonic() + HUNG_FOR
        for thread in threads:
            while thread.is_alive() and not thread.is_given_up and time.monotonic() < until:
                thread.join(0.1)

    def note_process(self, **kwargs: Any) -> None:
        """Note that this process is a child of a pool, which replaces it when it ends."""
        self._is_replaced = True

    def begin_task(self, **kwargs: Any) -> None:
        """Note that the process has begun a task."""
        self._tasks += 1

    def end_task(self, **kwargs: Any) -> None:
        """Note that the process has finished a task."""
        self._tasks, self._last_task = self._tasks - 1, time.monotonic()

    def _free_thread(self, kind: Hashable, most: int) -> CallThread | None:
        with self._lock:
            threads = self._threads[kind]
            self._hung = [hung for hung in self._hung if hung.is_alive()]
            if self._is_ending:
                return None
            if len(self._hung) >= MOST_HUNG:
                log.error("no external calls are made: %s threads hang", len(self._hung))
                return None
            free = next((thread for thread in threads if not thread.is_busy), None)
            if free is None and len(threads) < most:
                free = CallThread(kind)
                threads.append(free)
                free.start()
            if free:
                free.is_busy = True
            return free

    def _end_when_idle(self) -> None:
        until = time.monotonic() + LONGEST_END
        while time.monotonic() < until:
            with self._lock:
                is_calling = any(thread.is_busy for some in self._threads.values() for thread in some)
            if not is_calling and not self._tasks and time.monotonic() - self._last_task > IDLE_FOR:
                break
            time.sleep(IDLE_FOR)
        log.error("this process ends, because a call to an external system hangs; the pool replaces it")
        os._exit(EXIT_CODE)


call_threads = CallThreads()


def is_given_up() -> bool:
    """Whether the current thread was given up: it is to do nothing more."""
    thread = threading.current_thread()
    return isinstance(thread, CallThread) and thread.is_given_up


worker_process_init.connect(call_threads.note_process)
worker_process_shutdown.connect(call_threads.close)
worker_shutdown.connect(call_threads.close)
task_prerun.connect(call_threads.begin_task)
task_postrun.connect(call_threads.end_task)
