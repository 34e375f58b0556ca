"""Celery tasks that do nothing: a single one, and a chain of three in which each task sends the next."""

import time
from collections.abc import Callable
from functools import cache
from uuid import uuid4

import redis
from celery import Task, current_app, shared_task
from django.conf import settings

TIMEOUT = 60


@shared_task(name="bench.no_op", ignore_result=True)
def no_op() -> None:
    """Do nothing."""


@shared_task(name="bench.three", ignore_result=True)
def three(left: int, list_name: str) -> None:
    """Send the next task of the chain; the last one pushes to a Redis list, on which the sender waits."""
    if left > 1:
        three.apply_async((left - 1, list_name), queue=queue())
    else:
        _redis().rpush(list_name, "done")


def queue() -> str:
    """Return the queue of these tasks, which the measured consumer's wake-ups use as well."""
    return f"{settings.QUEUE_PREFIX}.integration"


def time_chains(task: Task, chains: int, pause: float) -> list[float]:
    """Run chains of three, one at a time, with a pause between them; returns the seconds of each.

    Raises:
        TimeoutError: a chain took longer than `TIMEOUT` seconds.
    """
    return [_seconds_of(lambda: _run(task), pause) for _ in range(chains)]


def _run(task: Task) -> None:
    list_name = f"bench.done.{uuid4()}"
    task.apply_async((3, list_name), queue=queue())
    if _redis().blpop([list_name], TIMEOUT) is None:
        raise TimeoutError(f"three no-op tasks took longer than {TIMEOUT} s")


def _seconds_of(run: Callable[[], None], pause: float) -> float:
    time.sleep(pause)
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


@cache
def _redis() -> "redis.Redis[bytes]":
    return redis.Redis.from_url(current_app.conf.broker_url)
