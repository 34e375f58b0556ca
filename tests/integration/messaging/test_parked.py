"""What this code does not know is parked for code that does: no attempt is charged, and nobody else waits for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command

from integration.contracts.inventory import StockRanOut
from integration.messaging.backlog import backlog
from integration.messaging.dead_letters import skip_one
from integration.messaging.models import Delivery, Message, Status

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]
Later = Callable[[timedelta], None]

STRANGE: dict[str, tuple[dict[str, Any], str]] = {
    "a consumer of yesterday": ({"consumer": "inventory.mend"}, "no consumer is named 'inventory.mend'"),
    "a contract of tomorrow": ({"name": "inventory.shelf-painted"}, "no contract is named 'inventory.shelf-painted'"),
    "a version of tomorrow": (
        {"version": 2},
        "inventory.stock-ran-out is known up to version 1, and this is version 2",
    ),
}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("stopped_clock")]


def make_strange(delivery: Delivery, change: dict[str, Any]) -> None:
    if "consumer" in change:
        Delivery.objects.filter(pk=delivery.pk).update(**change)
    else:
        Message.objects.filter(pk=delivery.message_id).update(**change)


@pytest.fixture
def heard() -> list[str]:
    return []


@pytest.fixture(params=[False, True], ids=["inside", "external"])
def strange(
    request: pytest.FixtureRequest, heard: list[str], listen: Listen, run_out: RunOut, delivery: Callable[..., Delivery]
) -> Delivery:
    """The first of three deliveries of one consumer; a test makes it strange."""

    def hear(event: StockRanOut) -> None:
        heard.append(event.sku)

    listen(hear, external=request.param)
    run_out("MUG", "LAMP", "ATLAS")
    return delivery("MUG")


@pytest.mark.parametrize(("change", "reason"), STRANGE.values(), ids=STRANGE)
def test_it_waits_for_code_that_knows_it_and_its_neighbours_do_not(
    change: dict[str, Any], reason: str, strange: Delivery, heard: list[str], deliver: Deliver, later: Later
) -> None:
    make_strange(strange, change)

    for _ in range(20):
        deliver()
        strange.refresh_from_db()
        assert (strange.status, strange.attempts, strange.traceback) == (Status.PENDING, 0, "")
        assert strange.error == f"Parked: {reason}"
        assert deliver() == 0, "it is due again at once"
        later(timedelta(minutes=1))

    assert heard == ["LAMP", "ATLAS"]


@pytest.mark.parametrize(("change", "reason"), STRANGE.values(), ids=STRANGE)
def test_once_code_knows_it_it_is_handled(
    change: dict[str, Any], reason: str, strange: Delivery, heard: list[str], deliver: Deliver, later: Later
) -> None:
    make_strange(strange, change)
    deliver()

    known = {"consumer": "inventory.reorder", "name": "inventory.stock-ran-out", "version": 1}
    make_strange(strange, {field: known[field] for field in change})
    later(timedelta(minutes=1))
    deliver()

    strange.refresh_from_db()
    assert heard == ["LAMP", "ATLAS", "MUG"]
    assert (strange.status, strange.attempts, strange.error) == (Status.DONE, 1, "")


def test_attempts_that_failed_before_are_kept(strange: Delivery, deliver: Deliver) -> None:
    Delivery.objects.filter(pk=strange.pk).update(attempts=3)
    make_strange(strange, {"version": 2})
    deliver()

    strange.refresh_from_db()
    assert (strange.status, strange.attempts) == (Status.PENDING, 3)


def test_a_whole_batch_is_parked_with_as_many_statements_as_one(
    listen: Listen, run_out: RunOut, deliver: Deliver, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    listen(print)
    run_out(*(f"MUG-{number}" for number in range(50)))
    Message.objects.update(version=2)

    with django_assert_max_num_queries(12):
        assert deliver() == 50

    assert Delivery.objects.filter(error__startswith="Parked: ", attempts=0).count() == 50


def test_operators_see_it_and_may_give_it_up(
    strange: Delivery, deliver: Deliver, capsys: pytest.CaptureFixture[str]
) -> None:
    make_strange(strange, {"version": 2})
    deliver()

    assert [(row.consumer, row.parked, row.waiting) for row in backlog()] == [("inventory.reorder", 1, 1)]
    call_command("deliveries")
    assert "Parked" in capsys.readouterr().out
    call_command("deliveries", "list", "--status", "pending")
    assert "Parked: inventory.stock-ran-out is known" in capsys.readouterr().out
    assert skip_one(strange.pk, "nobody needs it any more", "user:1").status == Status.SKIPPED
