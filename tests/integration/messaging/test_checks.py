"""Wiring mistakes are refused at start, before they can lose work."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from integration.messaging.checks import batches_lock_in_one_order, contexts_exist, memory_broker_stays_in_process
from integration.messaging.consumers import locks_nothing
from integration.policies import every


@pytest.fixture
def embedded(settings: Settings) -> Settings:
    settings.EMBEDDED, settings.WEB_CONCURRENCY, settings.CELERY_WORKER_POOL = True, 1, "threads"
    return settings


def _ids(errors: list[object]) -> list[str]:
    return [error.id for error in errors]  # type: ignore[attr-defined]


def test_the_system_as_it_is_passes_its_checks() -> None:
    assert run_checks() == []


@pytest.mark.parametrize("name", ["shipping.wrap-presents", "reorder", "Inventory.reorder", ".reorder"])
def test_a_consumer_of_an_unknown_context_is_refused(listen: Callable[..., None], name: str) -> None:
    listen(print, name=name, prepare=locks_nothing)

    assert _ids(run_checks()) == ["waybill.E001"]
    assert name in run_checks()[0].msg


def test_a_routine_of_an_unknown_context_is_refused(listen: object) -> None:
    every(timedelta(seconds=5), name="shipping.look-out")(print)

    assert _ids(run_checks()) == ["waybill.E001"]


@pytest.mark.parametrize("context", ["ordering", "inventory", "billing", "fulfillment", "integration"])
def test_every_context_may_have_consumers(listen: Callable[..., None], context: str) -> None:
    listen(print, name=f"{context}.listen")

    assert contexts_exist(None) == []


def test_the_embedded_mode_passes_its_checks(embedded: Settings) -> None:
    assert memory_broker_stays_in_process(None) == []


def test_several_web_processes_cannot_share_an_in_memory_broker(embedded: Settings) -> None:
    embedded.WEB_CONCURRENCY = 2

    assert _ids(run_checks()) == ["waybill.E002"]


@pytest.mark.parametrize("pool", ["prefork", "solo", "gevent"])
def test_workers_on_an_in_memory_broker_must_be_threads(embedded: Settings, pool: str) -> None:
    embedded.CELERY_WORKER_POOL = pool

    assert _ids(run_checks()) == ["waybill.E003"]


def test_a_server_may_have_many_processes(embedded: Settings) -> None:
    embedded.EMBEDDED, embedded.WEB_CONCURRENCY, embedded.CELERY_WORKER_POOL = False, 8, "prefork"

    assert memory_broker_stays_in_process(None) == []


def test_a_reaction_that_locks_without_prepare_is_found(listen: Callable[..., None]) -> None:
    listen(print, name="inventory.lock-at-will")
    listen(print, name="inventory.prepare", prepare=print)
    listen(print, name="inventory.lock-nothing", prepare=locks_nothing)
    listen(print, name="inventory.call", external=True)

    (found,) = batches_lock_in_one_order(None)

    assert (found.id, found.msg.partition(" ")[0]) == ("waybill.W011", "inventory.lock-at-will")
