"""Failures are grouped by consumer, error and place; an archived group comes back when it fails again."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command

from integration.domain.errors import NotYet
from integration.messaging.failure_groups import (
    FailureGroup,
    NoSuchGroup,
    archive,
    deliveries_of,
    first_frame,
    forget_old_groups,
    group_of,
)
from integration.messaging.models import Delivery, Status

pytestmark = pytest.mark.django_db

Listen = Callable[..., None]
RunOut = Callable[..., None]
Deliver = Callable[[], int]


@pytest.fixture
def fail_with(
    listen: Listen, run_out: RunOut, deliver: Deliver, later: Callable[[timedelta], None]
) -> Callable[..., None]:
    """A function that handles messages about these SKUs with a consumer that raises this error."""

    def fail(error: Exception, *skus: str) -> None:
        def handle(event: Any) -> None:
            raise error

        listen(handler := handle, name="inventory.reorder")
        assert handler
        run_out(*skus)
        deliver()

    return fail


def test_failures_of_one_kind_are_one_group(fail_with: Callable[..., None]) -> None:
    fail_with(ValueError("MUG is red"), "MUG", "LAMP")

    group = FailureGroup.objects.get()
    assert (group.consumer, group.exception, group.failures) == ("inventory.reorder", "ValueError", 2)
    assert group.frame.startswith("tests/integration/messaging/test_failure_groups.py: ")
    assert set(deliveries_of(group.pk)) == set(Delivery.objects.all())


def test_another_error_is_another_group(fail_with: Callable[..., None]) -> None:
    fail_with(ValueError("red"), "MUG")
    first = FailureGroup.objects.get()
    Delivery.objects.all().update(status=Status.DEAD)
    assert group_of("inventory.reorder", KeyError("red")).pk != first.pk
    assert group_of("inventory.recount", ValueError("red")).pk != first.pk


def test_an_archived_group_comes_back_when_it_fails_again(
    fail_with: Callable[..., None], deliver: Deliver, later: Callable[[timedelta], None]
) -> None:
    fail_with(ValueError("red"), "MUG")
    group = archive(FailureGroup.objects.get().pk, "user:1")
    assert group.archived_at

    later(timedelta(hours=1))
    deliver()

    group.refresh_from_db()
    assert (group.failures, group.archived_at, group.archived_by) == (2, None, "")
    assert group.first_seen < group.last_seen


def test_a_group_that_nobody_knows_cannot_be_archived() -> None:
    with pytest.raises(NoSuchGroup):
        archive("0" * 32, "user:1")


def test_what_comes_too_early_has_not_failed(fail_with: Callable[..., None]) -> None:
    fail_with(NotYet("soon"), "MUG")
    assert not FailureGroup.objects.exists()
    assert Delivery.objects.get().fingerprint is None


def test_success_writes_no_fingerprint(
    listen: Listen,
    run_out: RunOut,
    deliver: Deliver,
    statements: Callable[[], AbstractContextManager[list[str]]],
) -> None:
    listen(lambda event: None)
    run_out("MUG")
    with statements() as seen:
        deliver()
    assert not [sql for sql in seen if re.search("UPDATE.*fingerprint|failuregroup", sql, re.DOTALL)]


def test_a_frame_of_a_context_comes_before_the_machinery() -> None:
    from inventory.commands import receive_stock

    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is
        receive_stock(None, None, None)  # type: ignore[arg-type]
    assert first_frame(raised.value).startswith("inventory/")
    assert first_frame(ValueError("never raised")) == ""


def test_old_groups_without_open_deliveries_are_forgotten(
    fail_with: Callable[..., None], later: Callable[[timedelta], None]
) -> None:
    fail_with(ValueError("red"), "MUG")
    later(timedelta(days=100))
    forget_old_groups()
    assert FailureGroup.objects.exists()

    Delivery.objects.update(status=Status.DEAD)
    call_command("deliveries", "skip", Delivery.objects.get().pk, reason="no longer needed", verbosity=0)
    forget_old_groups()
    assert not FailureGroup.objects.exists()
