"""GET, HEAD and OPTIONS write nothing: every route of the API, every other page and every page of the admin."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from api_calls import BASE, Call, System, examples, rolled_back, routes
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import reverse

from integration.read_models.models import ReadModelBuild
from integration.read_models.registry import read_models
from ordering.models import Buyer
from tests.once import one_database

READING = ("GET", "HEAD", "OPTIONS")
WRITES = re.compile(r'(?:\bINSERT INTO|(?<!FOR )(?<!KEY )\bUPDATE|\bDELETE FROM)\s+"?(?!SET\b)(\w+)', re.IGNORECASE)
ROUTES = sorted({route.path for route in routes()})


def derived_tables() -> set[str]:
    """The tables of read models: a reader lets them catch up with the history, which says nothing new."""
    return {ReadModelBuild._meta.db_table} | {read_model.rows._meta.db_table for _, read_model in read_models.items()}


@contextmanager
def writes_forbidden() -> Iterator[None]:
    written = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        written.extend(set(WRITES.findall(sql)) - derived_tables())
        return execute(sql, *rest)

    with connection.execute_wrapper(note):
        yield
    assert written == []


@pytest.fixture
def readers(client_of: Callable[..., Any], anonymous: Any, buyer: Any, operator: Any) -> dict[str, Any]:
    """Every kind of user; of each kind one who is no buyer yet."""
    return {
        "anonymous": anonymous,
        "a buyer": buyer,
        "a user who never bought": client_of("nina"),
        "staff of every context": operator,
        "staff of one context": client_of("mary", "ordering"),
        "staff without any right": client_of("stan", staff=True),
        "a superuser": client_of("root", staff=True, is_superuser=True),
    }


def paths(system: System) -> dict[str, str]:
    """A path that exists for every path of the URLconf."""
    found = {key.partition(" ")[2]: call.path.partition("?")[0] for key, call in examples(system).items()}
    found.update({key[4:]: call.path for key, call in examples(system).items() if key.startswith("GET ")})
    return found


def test_the_guard_sees_writes(db: None) -> None:
    with pytest.raises(AssertionError, match="auth_group"), writes_forbidden():
        Group.objects.filter(name="x").update(name="y")
    with pytest.raises(AssertionError, match="auth_group"), writes_forbidden():
        Group.objects.create(name="x")
    with pytest.raises(AssertionError, match="auth_group"), writes_forbidden():
        Group.objects.filter(name="x").delete()
    with writes_forbidden():
        list(Buyer.objects.filter(pk="U-1"))


def test_no_route_of_the_api_writes_when_it_is_read(
    system: System, readers: dict[str, Any], subtests: pytest.Subtests
) -> None:
    path_of = paths(system)
    for route in ROUTES:
        with subtests.test(route), rolled_back():
            for client in readers.values():
                for method in READING:
                    with writes_forbidden():
                        client.call(Call(method, path_of[route]))


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/api/docs", "/api/schema", "/admin/login/"])
def test_no_other_page_writes_when_it_is_read(path: str, readers: dict[str, Any]) -> None:
    for who, client in readers.items():
        for method in READING:
            with writes_forbidden():
                response = client.generic(method, path)
            assert response.status_code < 500, (who, method, response.content)


@one_database
def test_no_page_of_the_admin_writes_when_it_is_read(system: System, readers: dict[str, Any]) -> None:
    urls = [reverse("admin:index"), reverse("admin:integration_events"), *map(reverse, ["admin:password_change"])]
    for model, page in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        urls += [reverse(f"{name}_changelist"), reverse(f"{name}_add")]
        row = model._default_manager.first()
        if row is not None:
            verbs = ["change", "history", "delete", *(["life"] if hasattr(page, "life_view") else [])]
            urls += [reverse(f"{name}_{verb}", args=[quote(row.pk)]) for verb in verbs]
    for who in ("staff of every context", "staff without any right", "a superuser"):
        client = Client(raise_request_exception=False)
        client.force_login(readers[who].user)
        for url in urls:
            for method in READING if who == "a superuser" else ("GET",):
                with writes_forbidden():
                    response = client.generic(method, url)
                assert response.status_code < 500, (who, method, url)


def test_reading_a_profile_registers_nobody(operator: Any, client_of: Callable[..., Any], system: System) -> None:
    known = set(Buyer.objects.values_list("pk", flat=True))

    for client in (operator, client_of("nina"), client_of("mary", "ordering"), client_of("root", is_superuser=True)):
        profile = client.get(BASE + "me")
        assert profile.json()["email"] == client.user.email
        assert profile.headers["ETag"] == '"0"'

    assert set(Buyer.objects.values_list("pk", flat=True)) == known


def test_the_first_change_of_a_profile_registers_its_buyer(operator: Any) -> None:
    seen = operator.get(BASE + "me").headers["ETag"]

    assert operator.patch(BASE + "me", {"name": "Olga"}, headers={"If-Match": '"7"'}).status_code == 412
    assert not Buyer.objects.filter(user=operator.user).exists()
    assert operator.patch(BASE + "me", {"name": "Olga"}, headers={"If-Match": seen}).status_code == 200
    assert operator.patch(BASE + "me", {"name": "Olle"}, headers={"If-Match": seen}).status_code == 412

    bought = Buyer.objects.get(user=operator.user)
    assert (bought.name, bought.email) == ("Olga", "olga@example.com")


def test_every_table_of_a_read_model_is_derived() -> None:
    derived = derived_tables()
    assert derived <= {model._meta.db_table for model in apps.get_models()}
    assert not {table for table in derived if table.endswith(("_history", "_order", "_buyer"))}
    assert {table.partition("_")[0] for table in derived} <= {"integration", *settings.CONTEXTS}
