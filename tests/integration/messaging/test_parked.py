"""A delivery that this code does not know is parked for other code: no attempt is used up, and no other delivery
waits, however many are parked."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command

from integration.contracts.inventory import StockRanOut
from integration.messaging.back_off import bring_forward
from integration.messaging.backlog import backlog
from integration.messaging.claim import due_delivery_queues
from integration.messaging.dead_letters import replay, skip_one
from integration.messaging.models import Delivery, Message, Status
from integration.messaging.parking import Kind, parked_kinds, unpark_readable
from integration.messaging.wakeups import DeliveryQueue

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]
Later = Callable[[timedelta], None]

UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "a consumer of yesterday": ({"consumer": "inventory.mend"}, "no consumer is named 'inventory.mend'"),
    "a contract of tomorrow": ({"name": "inventory.shelf-painted"}, "no contract is named 'inventory.shelf-painted'"),
    "a version of tomorrow": (
        {"version": 2},
        "inventory.stock-ran-out is known up to version 1, and this is version 2",
    ),
}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("stopped_clock")]


def make_unknown(delivery: Delivery, change: dict[str, Any]) -> None:
    if "consumer" in change:
        Delivery.objects.filter(pk=delivery.pk).update(**change)
    else:
        Message.objects.filter(pk=delivery.message_id).update(**change)


@pytest.fixture
def handled() -> list[str]:
    return []


@pytest.fixture(params=[False, True], ids=["in_transaction", "external"])
def unknown(
    request: pytest.FixtureRequest,
    handled: list[str],
    listen: Listen,
    run_out: RunOut,
    delivery: Callable[..., Delivery],
) -> Delivery:
    """The first of three deliveries of one consumer; a test makes it unknown to this code."""

    def handle(event: StockRanOut) -> None:
        handled.append(event.sku)

    listen(handle, external=request.param)
    run_out("MUG", "LAMP", "ATLAS")
    return delivery("MUG")


@pytest.mark.parametrize(("change", "reason"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_delivery_waits_and_the_others_are_handled(
    change: dict[str, Any], reason: str, unknown: Delivery, handled: list[str], deliver: Deliver, later: Later
) -> None:
    make_unknown(unknown, change)
    deliver()

    for _ in range(3):
        unknown.refresh_from_db()
        assert (unknown.status, unknown.attempts, unknown.traceback) == (Status.PENDING, 0, "")
        assert (unknown.error, unknown.due_at) == (f"Parked: {reason}", None)
        later(timedelta(hours=1))
        unpark_readable()
        bring_forward()
        assert due_delivery_queues() == []
        assert deliver() == 0

    assert handled == ["LAMP", "ATLAS"]


@pytest.mark.parametrize(("change", "reason"), UNKNOWN.values(), ids=UNKNOWN)
def test_a_parked_delivery_is_handled_once_the_code_knows_it(
    change: dict[str, Any],
    reason: str,
    unknown: Delivery,
    handled: list[str],
    deliver: Deliver,
    monkeypatch: pytest.MonkeyPatch,
    woken: list[DeliveryQueue],
) -> None:
    make_unknown(unknown, change)
    deliver()
    woken.clear()

    # Newer code, which knows what this code does not, reads it as the consumer and the contract of the test.
    monkeypatch.setattr(Kind, "unreadable_because", "")
    unpark_readable()
    assert woken == due_delivery_queues() == [DeliveryQueue("inventory", unknown.external)]
    known = {"consumer": "inventory.reorder", "name": "inventory.stock-ran-out", "version": 1}
    make_unknown(unknown, {field: known[field] for field in change})
    deliver()

    unknown.refresh_from_db()
    assert handled == ["LAMP", "ATLAS", "MUG"]
    assert (unknown.status, unknown.attempts, unknown.error) == (Status.DONE, 1, "")


def test_only_what_this_code_knows_is_unparked(
    listen: Listen, run_out: RunOut, deliver: Deliver, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    listen(print)
    run_out(*(f"MUG-{number}" for number in range(30)))
    messages = list(Message.objects.order_by("pk"))
    for number, message in enumerate(messages):
        message.version = 2 + number % 3
    Message.objects.bulk_update(messages, ["version"])
    deliver()
    assert [*parked_kinds()] == [Kind("inventory.reorder", "inventory.stock-ran-out", version) for version in (2, 3, 4)]

    with django_assert_max_num_queries(4):  # one for each kind, and one that finds no more
        unpark_readable()

    Delivery.objects.filter(message__version=3).update(parked_as="inventory.reorder inventory.stock-ran-out 1")
    unpark_readable()
    assert sorted(Delivery.objects.filter(parked_as=None).values_list("message__version", flat=True)) == [3] * 10


def test_unparked_deliveries_let_due_ones_go_first(
    unknown: Delivery, handled: list[str], deliver: Deliver, run_out: RunOut
) -> None:
    make_unknown(unknown, {"version": 2})
    deliver()
    make_unknown(unknown, {"version": 1})
    Delivery.objects.filter(pk=unknown.pk).update(parked_as="inventory.reorder inventory.stock-ran-out 1")

    unpark_readable()
    run_out("NEW")
    deliver()

    assert handled == ["LAMP", "ATLAS", "NEW", "MUG"]


def test_an_operator_can_replay_a_parked_delivery(unknown: Delivery, handled: list[str], deliver: Deliver) -> None:
    make_unknown(unknown, {"version": 2})
    deliver()
    make_unknown(unknown, {"version": 1})

    replay(Delivery.objects.filter(status=Status.PENDING))

    assert [*parked_kinds()] == []
    assert deliver() == 1
    assert handled == ["LAMP", "ATLAS", "MUG"]


def test_parking_preserves_earlier_failed_attempts(unknown: Delivery, deliver: Deliver) -> None:
    Delivery.objects.filter(pk=unknown.pk).update(attempts=3)
    make_unknown(unknown, {"version": 2})
    deliver()

    unknown.refresh_from_db()
    assert (unknown.status, unknown.attempts) == (Status.PENDING, 3)


def test_a_batch_is_parked_with_a_bounded_number_of_statements(
    listen: Listen, run_out: RunOut, deliver: Deliver, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    listen(print)
    run_out(*(f"MUG-{number}" for number in range(50)))
    Message.objects.update(version=2)

    with django_assert_max_num_queries(12):
        assert deliver() == 50

    assert Delivery.objects.filter(error__startswith="Parked: ", attempts=0).count() == 50


def test_operators_see_a_parked_delivery_and_can_skip_it(
    unknown: Delivery, deliver: Deliver, capsys: pytest.CaptureFixture[str]
) -> None:
    make_unknown(unknown, {"version": 2})
    deliver()

    assert [(row.consumer, row.parked, row.waiting) for row in backlog()] == [("inventory.reorder", 1, 1)]
    call_command("deliveries")
    assert "Parked" in capsys.readouterr().out
    call_command("deliveries", "list", "--status", "pending")
    assert "Parked: inventory.stock-ran-out is known" in capsys.readouterr().out
    assert skip_one(unknown.pk, "nobody needs it any more", "user:1").status == Status.SKIPPED
