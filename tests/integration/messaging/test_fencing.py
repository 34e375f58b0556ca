"""Each claim has a fencing token of its own: a worker whose claim has ended changes nothing about its delivery."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F
from pytest_django import Settings

from integration.domain import clock
from integration.messaging.claim import LEASE, Claim, claim
from integration.messaging.dead_letters import replay
from integration.messaging.models import Delivery, Status
from integration.messaging.outcomes import record_failure, release, take
from integration.messaging.wakeups import DeliveryQueue

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]

IN_TRANSACTION = DeliveryQueue("inventory", False)

Find = Callable[..., Delivery]


@pytest.fixture
def first(listen: Callable[..., None], run_out: Callable[..., None], settings: Settings) -> Claim:
    """The first claim of a delivery, which an operator has replayed since."""
    settings.DELIVERY_MAX_ATTEMPTS = 3
    listen(lambda event: None)
    run_out("MUG")
    (claimed,) = claim(IN_TRANSACTION, 10)
    replay(Delivery.objects.all())
    return claimed


def _facts(delivery: Delivery) -> tuple[Any, ...]:
    return delivery.status, delivery.attempts, delivery.in_flight, delivery.due_at, delivery.error


@pytest.mark.parametrize(
    "end",
    [
        lambda outdated: record_failure(outdated, OSError("failed at last")),
        lambda outdated: release(IN_TRANSACTION, [outdated]),
    ],
    ids=["failure", "release"],
)
def test_an_outdated_claim_does_not_end_the_claim_after_it(
    first: Claim, delivery: Find, end: Callable[[Claim], None]
) -> None:
    (second,) = claim(IN_TRANSACTION, 10)
    assert second.attempt == first.attempt
    before = _facts(delivery())

    end(first)

    assert _facts(delivery()) == before
    assert take([first]) == []
    assert [taken.pk for taken in take([second])] == [second.id]


def test_a_token_grows_with_every_claim_and_is_never_reset(
    first: Claim, delivery: Find, later: Callable[..., None]
) -> None:
    tokens = [first.fencing_token]
    for _ in range(3):
        (claimed,) = claim(IN_TRANSACTION, 10)
        tokens.append(claimed.fencing_token)
        release(IN_TRANSACTION, [claimed])
        assert delivery().attempts == 0
        replay(Delivery.objects.all())
        later(LEASE)
    assert tokens == sorted({*tokens})


def test_the_claims_of_one_statement_share_a_token_that_is_new_to_each_delivery(
    listen: Callable[..., None], run_out: Callable[..., None]
) -> None:
    listen(lambda event: None)
    run_out("MUG", "LAMP", "ATLAS")
    Delivery.objects.filter(message__data__sku="LAMP").update(fencing_token=7)

    assert {each.fencing_token for each in claim(IN_TRANSACTION, 10)} == {8}


def test_a_claim_of_older_code_ends_ours(listen: Callable[..., None], run_out: Callable[..., None]) -> None:
    """Code without fencing tokens counts only the attempt."""
    listen(lambda event: None)
    run_out("MUG")
    ours = claim(IN_TRANSACTION, 10)
    Delivery.objects.update(attempts=F("attempts") + 1, due_at=clock.now() + LEASE)

    record_failure(ours[0], OSError("too late"))

    assert take(ours) == []
    assert (Delivery.objects.get().status, Delivery.objects.get().error) == (Status.PENDING, "")
