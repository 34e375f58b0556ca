"""The desk of events: failures of the same kind, replays with a preview, states, and who gets an event and why."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import msgspec
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from integration.domain.identifiers import OrderNumber
from integration.messaging.consumer_states import pause
from integration.messaging.consumers import consumers
from integration.messaging.failure_groups import FailureGroup
from integration.messaging.models import Delivery, Status
from integration.messaging.replay_jobs import ReplayJob, run_jobs
from integration.roles import AGENT, AUDITOR, ENGINEER, Role
from tests.questions import submit

DELIVERIES = reverse("admin:integration_delivery_changelist")
GROUPS = reverse("admin:integration_failuregroup_changelist")
JOBS = reverse("admin:integration_replayjob_changelist")
NEW = reverse("admin:integration_new_replay")
ROUTING = reverse("admin:integration_routing")
CONSUMER = "inventory.reserve-stock"


@pytest.fixture
def dead(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> list[OrderNumber]:
    """The numbers of two orders whose stock could not be reserved because of a bug, which is mended by now."""

    def fail(event: Any) -> None:
        raise RuntimeError("the shelf fell over")

    drain()
    settings.DELIVERY_MAX_ATTEMPTS = 1
    consumer = consumers.get(CONSUMER)
    original = consumer.handle
    msgspec.structs.force_setattr(consumer, "handle", fail)
    try:
        numbers = [placed(), placed()]
        drain()
    finally:
        msgspec.structs.force_setattr(consumer, "handle", original)
    return numbers


@pytest.fixture
def desk_of(db: None) -> Callable[[Role], Client]:
    """A function that logs in somebody with a role."""

    def log_in(role: Role) -> Client:
        user = get_user_model().objects.create_user(role.name, is_staff=True)
        user.groups.add(Group.objects.get(name=role.group))
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def engineer(desk_of: Callable[[Role], Client]) -> Client:
    return desk_of(ENGINEER)


def test_a_delivery_is_listed_with_the_number_of_its_order(dead: list[OrderNumber], engineer: Client) -> None:
    listed = engineer.get(DELIVERIES, {"state": "dead"}).content.decode()
    for number in dead:
        assert f">{number}</a>" in listed


def test_what_is_retried_is_as_visible_as_what_is_dead(dead: list[OrderNumber], engineer: Client) -> None:
    first, second = Delivery.objects.filter(status=Status.DEAD).order_by("pk")
    Delivery.objects.filter(pk=first.pk).update(status=Status.PENDING)
    for state, expected in (("retrying", first), ("dead", second)):
        found = engineer.get(DELIVERIES, {"state": state}).context["cl"].queryset
        assert list(found) == [expected]


def test_failures_are_grouped_and_a_group_leads_to_its_deliveries(dead: list[OrderNumber], engineer: Client) -> None:
    group = FailureGroup.objects.get()
    assert group.failures == 2
    listed = engineer.get(GROUPS).content.decode()
    assert "RuntimeError" in listed
    assert "test_replays_in_the_admin.py: dead.&lt;locals&gt;.fail" in listed
    shown = engineer.get(reverse("admin:integration_failuregroup_change", args=[group.pk]))
    assert "the shelf fell over" in shown.content.decode()
    found = engineer.get(dict(shown.context["tools"])["Deliveries"]).context["cl"].queryset
    assert {delivery.status for delivery in found} == {"dead"}
    assert len(found) == 2


def test_an_archived_group_is_not_listed(dead: list[OrderNumber], engineer: Client) -> None:
    group = FailureGroup.objects.get()
    engineer.post(GROUPS, {"action": "archive_groups", "_selected_action": [group.pk]})
    assert list(engineer.get(GROUPS).context["cl"].queryset) == []
    assert list(engineer.get(GROUPS, {"archived": "yes"}).context["cl"].queryset) == [group]
    assert FailureGroup.objects.get().archived_by == f"user:{get_user_model().objects.get().pk}"


def test_a_group_is_replayed_after_a_preview(
    dead: list[OrderNumber], engineer: Client, drain: Callable[..., int]
) -> None:
    group = FailureGroup.objects.get()
    page = engineer.get(reverse("admin:integration_failuregroup_change", args=[group.pk]))
    url = dict(page.context["tools"])["Replay …"]
    asked = engineer.get(url)
    assert asked.context["matching"].rows == [(CONSUMER, "dead", 2)]

    form = {"token": asked.context["starting"].token, "rate": "100"}
    started = engineer.post(url, form, follow=True)
    job = ReplayJob.objects.get()
    assert started.redirect_chain[0][0] == reverse("admin:integration_replayjob_change", args=[job.pk])
    assert started.headers["Refresh"] == "3"
    assert "0 of 2" in started.content.decode()
    engineer.post(url, form)  # a double click
    assert ReplayJob.objects.count() == 1

    run_jobs()
    drain()
    ended = engineer.get(reverse("admin:integration_replayjob_change", args=[job.pk]))
    assert "Refresh" not in ended.headers
    assert "none is dead" in ended.content.decode()
    assert "2 of 2" in engineer.get(JOBS).content.decode()


def test_a_replay_that_is_not_valid_is_not_started(dead: list[OrderNumber], engineer: Client) -> None:
    asked = engineer.get(NEW)
    refused = engineer.post(f"{NEW}?status=dead", {"token": asked.context["starting"].token, "rate": "0"})
    assert "greater than or equal to 1" in refused.content.decode()
    assert engineer.post(NEW, {"token": "forged"}).status_code == 200
    assert engineer.get(NEW, {"status": "done"}).status_code == 200
    assert not ReplayJob.objects.exists()


def test_a_running_replay_is_stopped(dead: list[OrderNumber], engineer: Client) -> None:
    engineer.post(f"{NEW}?status=dead", {"token": engineer.get(f"{NEW}?status=dead").context["starting"].token})
    job = ReplayJob.objects.get()
    engineer.post(JOBS, {"action": "stop_replays", "_selected_action": [job.pk]})
    job.refresh_from_db()
    assert (job.status, job.replayed) == ("stopped", 0)
    assert "2 are dead" in engineer.get(reverse("admin:integration_replayjob_change", args=[job.pk])).content.decode()


def test_only_engineers_replay(dead: list[OrderNumber], desk_of: Callable[[Role], Client]) -> None:
    for role in (AGENT, AUDITOR):
        client = desk_of(role)
        assert client.get(NEW).status_code == 403
        assert client.post(NEW, {}).status_code == 403
        assert "Replay …" not in client.get(DELIVERIES).content.decode()
        assert client.get(GROUPS).status_code == 200
    assert not ReplayJob.objects.exists()


def test_routing_says_who_gets_an_event_and_why(engineer: Client) -> None:
    pause(CONSUMER, "the shelf is being moved", "user:1")
    shown = engineer.get(ROUTING, {"event": "ordering.order-placed"}).content.decode()
    assert CONSUMER in shown
    assert "billing.issue-invoice" in shown
    assert "paused</span> the shelf is being moved" in shown
    assert "ordering.order-confirmed</a>" not in shown
    whole = engineer.get(ROUTING, {"event": "junk"}).content.decode()
    assert all(name in whole for name, _ in consumers.items())


def test_every_consumer_says_why_it_reacts(engineer: Client) -> None:
    kinds = engineer.get(ROUTING).context["kinds"]
    receivers = [receiver for _, events in kinds for _, _, found in events for receiver in found]
    assert len(receivers) > 50
    assert [receiver["who"] for receiver in receivers if not receiver["why"]] == []


def test_the_pages_take_a_bounded_number_of_statements(
    dead: list[OrderNumber], engineer: Client, statements: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    group = reverse("admin:integration_failuregroup_change", args=[FailureGroup.objects.get().pk])
    for path in (DELIVERIES, GROUPS, group, JOBS, NEW, ROUTING):
        with statements() as seen:
            assert engineer.get(path).status_code == 200
        assert len(seen) < 30, path


def test_pausing_takes_a_reason_and_is_shown(engineer: Client) -> None:
    consumer = reverse("admin:integration_consumerstate_changelist")
    pause(CONSUMER, "first", "user:1")
    form = {"action": "resume_consumers", "_selected_action": [CONSUMER]}
    engineer.post(consumer, form)
    submit(engineer, consumer, {**form, "action": "pause_consumers", "reason": "the shelf is being moved"})
    assert "the shelf is being moved" in engineer.get(consumer).content.decode()
