"""Celery tasks that do nothing: alone, and three of them, each sent by the one before."""

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
    """Nothing."""


@shared_task(name="bench.three", ignore_result=True)
def three(left: int, told_to: str) -> None:
    """Nothing, and then the next one; the last tells whoever waits."""
    if left > 1:
        three.apply_async((left - 1, told_to), queue=queue())
    else:
        _redis().rpush(told_to, "done")


def queue() -> str:
    """Where they are sent; the queue that the measured consumer's wake-ups take, too."""
    return f"{settings.QUEUE_PREFIX}.integration"


def time_chains(task: Task, chains: int, pause: float) -> list[float]:
    """Run chains of three, one at a time, with a pause between them; returns the seconds of each.

    Raises:
        TimeoutError: nobody answers.
    """
    return [_seconds_of(lambda: _run(task), pause) for _ in range(chains)]


def _run(task: Task) -> None:
    told_to = f"bench.told.{uuid4()}"
    task.apply_async((3, told_to), queue=queue())
    if _redis().blpop([told_to], TIMEOUT) is None:
        raise TimeoutError(f"three no-op tasks took longer than {TIMEOUT} s")


def _seconds_of(run: Callable[[], None], pause: float) -> float:
    time.sleep(pause)
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


@cache
def _redis() -> "redis.Redis[bytes]":
    return redis.Redis.from_url(current_app.conf.broker_url)
