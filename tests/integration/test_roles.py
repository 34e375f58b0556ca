"""The roles of operators: the groups that `migrate` makes, what auditors cannot do, and that nothing is allowed by
default."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from knox.models import get_token_model
from rest_framework.test import APIClient

from integration.documents.roles_page import rest_views, staff_routes
from integration.domain.identifiers import OrderNumber
from integration.messaging.holding import hold_and_release
from integration.messaging.models import ConsumerState
from integration.read_models.catch_up import catch_up_all
from integration.roles import AUDITOR, ENGINEER, NOT_SHOWN, ROLES, Role, allows, unknown_permissions
from integration.webhooks.endpoints import register
from tests.questions import submit

OF_EACH_PERSON = {
    *("tokens", "current-token", "customers", "me", "carts", "cart-item", "cart-address", "cart-option"),
    *("cart-voucher", "claim-cart", "checkout", "lookup", "orders", "withdraw", "cancel", "claim-order"),
    *("payment-methods", "payment-method", "returns", "call-backs", "carrier-call-backs", "payments-of-order"),
}
"""The routes by which people change what is their own, or which are signed, and that no right opens."""
SAMPLES = {"int": 1, "wirename": "ordering.confirm-paid-order", "uuid": "0198c0de-0000-7000-8000-000000000001"}
"""Arguments of routes by the name of their converter; `R-1` for all others."""
CHANGES = ("INSERT", "UPDATE", "DELETE")


@pytest.fixture
def member(db: None) -> Callable[[Role], Any]:
    """A function that makes a member of staff with a role."""

    def hire(role: Role) -> Any:
        user = get_user_model().objects.create_user(role.name, is_staff=True)
        user.groups.add(Group.objects.get(name=role.group))
        return user

    return hire


@pytest.fixture
def auditor(member: Callable[[Role], Any]) -> Client:
    client = Client()
    client.force_login(member(AUDITOR))
    return client


def pages() -> list[type[Any]]:
    shown = [model for model in admin.site._registry if model._meta.app_label not in NOT_SHOWN]
    return sorted(shown, key=lambda model: model._meta.label)


def url(model: type[Any], verb: str, *keys: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{verb}", args=[quote(key) for key in keys])


def written(statements: list[str]) -> list[str]:
    return [sql for sql in statements if sql.lstrip().startswith(CHANGES) and "session" not in sql]


@pytest.fixture
def rows(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> None:
    """Rows of nearly every page."""
    register({"url": "https://hooks.example/", "events": ["ordering.order-confirmed"]}, None)
    placed()
    placed(method="pm_card_chargeDeclined")
    drain()
    catch_up_all()
    hold_and_release()


def test_migrate_makes_a_group_for_each_role(db: None) -> None:
    for role in ROLES:
        assert Group.objects.get(name=role.group).permissions.exists()
    assert Group.objects.filter(name__in=settings.CONTEXTS).count() == len(settings.CONTEXTS)


def test_every_right_that_a_role_is_given_exists() -> None:
    assert unknown_permissions() == set()


def test_an_auditor_can_only_view(db: None) -> None:
    given = Group.objects.get(name=AUDITOR.group).permissions.values_list("codename", flat=True)
    assert {codename for codename in given if not codename.startswith("view_")} == {"read_feed"}
    with pytest.raises(ValueError, match="changes nothing"):
        allows(AUDITOR, "ordering.change_order")


def test_migrate_takes_what_was_added_by_hand_and_returns_what_was_taken(db: None) -> None:
    group = Group.objects.get(name=ENGINEER.group)
    before = {*group.permissions.values_list("pk", flat=True)}
    group.permissions.set(Permission.objects.filter(codename="change_order"))

    call_command("migrate", verbosity=0)

    assert {*group.permissions.values_list("pk", flat=True)} == before


def test_a_member_of_staff_without_a_role_sees_nothing(db: None) -> None:
    client = Client()
    client.force_login(get_user_model().objects.create_user("newcomer", is_staff=True))
    for model in pages():
        assert client.get(url(model, "changelist")).status_code == 403, model


def test_an_auditor_sees_every_page_and_is_offered_what_only_shows(
    rows: None, auditor: Client, subtests: pytest.Subtests
) -> None:
    for model in pages():
        with subtests.test(model._meta.label):
            listed = auditor.get(url(model, "changelist"))
            assert listed.status_code == 200
            form, page = listed.context["action_form"], admin.site._registry[model]
            offered = [name for name, _ in form.fields["action"].choices if name] if form else []
            assert [name for name in offered if getattr(page, name).allowed_permissions != ["view"]] == []
            if row := model._default_manager.first():
                shown = auditor.get(url(model, "change", row.pk))
                assert shown.status_code == 200
                assert {act.name for act in shown.context.get("acts", ())} <= {*offered}


def test_an_auditor_changes_nothing_in_the_admin(
    rows: None,
    auditor: Client,
    statements: Callable[[], AbstractContextManager[list[str]]],
    subtests: pytest.Subtests,
) -> None:
    tried = 0
    for model in pages():
        key = getattr(model._default_manager.first(), "pk", "1")
        for action in [*(admin.site._registry[model].actions or ()), "delete_selected"]:
            with subtests.test(f"{model._meta.label} {action}"), statements() as seen:
                form = {"action": action, "_selected_action": [key], "submitted": "yes", "post": "yes", "reason": "x"}
                auditor.post(url(model, "changelist"), form)
            assert written(seen) == []
            tried += 1
        for verb, keys in (("add", []), ("change", [key]), ("delete", [key])):
            with statements() as seen:
                assert auditor.post(url(model, verb, *keys), {"post": "yes"}).status_code in (302, 403)
            assert written(seen) == []
    assert tried > 50


def test_an_auditor_reads_every_staff_route_and_changes_nothing_over_rest(
    rows: None, member: Callable[[Role], Any], subtests: pytest.Subtests
) -> None:
    client = APIClient(raise_request_exception=False)
    _, token = get_token_model().objects.create(member(AUDITOR))
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    routes = list(staff_routes())
    assert {route.method for route in routes} >= {"GET", "POST", "PATCH", "DELETE"}
    for route in routes:
        with subtests.test(f"{route.method} {route.path}"):
            status = client.generic(route.method, f"/api/v1{_with_samples(route.path)}").status_code
            assert (status == 403) is (route.method != "GET"), status


def test_every_route_that_changes_something_requires_a_right_or_is_of_each_person() -> None:
    for_staff = {(route.method, route.path) for route in staff_routes()}
    names = {str(name) for name in _names_of_changing_routes(for_staff)}
    assert names == OF_EACH_PERSON


def _names_of_changing_routes(for_staff: set[tuple[str, str]]) -> set[str]:
    from config.urls import v1

    names = {f"/{route.pattern}": route.name for route in v1}
    return {
        names[path]
        for path, view in rest_views()
        for method in ("POST", "PUT", "PATCH", "DELETE")
        if hasattr(view.view_class, method.lower()) and (method, path) not in for_staff
    }


def _with_samples(path: str) -> str:
    parts = []
    for part in path.split("/"):
        kind = part.removeprefix("<").partition(":")[0]
        parts.append(str(SAMPLES.get(kind, "R-1")) if part.startswith("<") else part)
    return "/".join(parts)


def test_an_act_in_the_admin_is_recorded_with_the_name_of_the_operator(
    rows: None, member: Callable[[Role], Any], admin_client: Client
) -> None:
    engineer, client = member(ENGINEER), Client()
    client.force_login(engineer)
    state = ConsumerState.objects.first()
    pausing = {"_selected_action": [state.pk], "action": "pause_consumers", "reason": "the shelf is being moved"}
    submit(client, url(ConsumerState, "changelist"), pausing)
    resuming = {"_selected_action": [state.pk], "action": "resume_consumers"}
    for _ in range(2):  # the second is refused
        client.post(url(ConsumerState, "changelist"), resuming)

    acts = LogEntry.objects.order_by("pk").values_list("user", "object_id", "change_message")
    assert list(acts) == [
        (engineer.pk, state.pk, f"{state} is paused"),
        (engineer.pk, state.pk, f"{state} is resumed"),
    ]
    shown = admin_client.get(url(LogEntry, "changelist")).content.decode()
    assert f"{state} is resumed" in shown
    assert "engineer" in shown
