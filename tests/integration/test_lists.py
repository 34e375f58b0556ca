"""Lists count at most 10,000 rows, save views without what was searched for, and are exported without formulas."""

import csv
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from integration.admin import lists
from integration.domain.identifiers import BuyerId, OrderNumber
from integration.rest.models import SavedView
from integration.storage import pages
from ordering.commands import change_profile, register_buyer_if_new

ORDERS, BUYERS = "/admin/ordering/order/", "/admin/ordering/buyer/"


@pytest.fixture
def operator(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("olga"))
    return client


def exported(client: Client, path: str, **query: str) -> list[list[str]]:
    response: Any = client.get(f"{path}csv/", query)
    assert response.status_code == 200, response
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return list(csv.reader(StringIO(text)))


def test_a_list_says_that_there_are_more_rows_than_it_counts(
    placed: Callable[..., OrderNumber], operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "MOST_COUNTED", 2)
    orders = [placed() for _ in range(2)]
    assert "2 orders" in operator.get(ORDERS).content.decode()
    placed()
    page = operator.get(ORDERS).content.decode()
    assert "More than 10,000 orders" in page
    assert orders[0] in operator.get(ORDERS, {"q": orders[0]}).content.decode()


def test_all_rows_that_the_filters_leave_are_exported(
    placed: Callable[..., OrderNumber], drain: Callable[..., int], operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "MOST_COUNTED", 2)
    monkeypatch.setattr(pages.pages, "__defaults__", ("pk", 2))
    orders = [placed() for _ in range(5)]
    declined = placed(method="pm_card_chargeDeclined")
    drain()

    headings, *rows = exported(operator, ORDERS)
    assert headings[:4] == ["number", "buyer", "status", "total"]
    assert [row[0] for row in rows] == [*orders, declined]
    assert rows[0][2] == "Confirmed"
    (row,) = exported(operator, ORDERS, status__exact="cancelled")[1:]
    assert row[0] == declined


@pytest.mark.parametrize("name", ["=1+1", "+1+1", "-cmd", "@SUM(A1)", "\t=1"])
def test_an_exported_cell_is_no_formula(db: None, operator: Client, name: str) -> None:
    register_buyer_if_new(BuyerId("B-7"))
    change_profile(BuyerId("B-7"), {"name": name, "email": "lev@example.com"})
    headings, row = exported(operator, BUYERS)
    assert row[headings.index("name")] == f"'{name.strip()}"


def test_an_export_takes_few_statements(
    placed: Callable[..., OrderNumber], operator: Client, statements: Callable[[], AbstractContextManager[list[str]]]
) -> None:
    for _ in range(3):
        placed()
    with statements() as run:
        exported(operator, ORDERS)
    assert len(run) < 15


def test_only_who_may_view_a_list_exports_it(db: None) -> None:
    user = get_user_model().objects.create_user("packer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_shipment"))
    client = Client()
    client.force_login(user)
    assert client.get(f"{ORDERS}csv/").status_code == 403
    assert client.post(f"{ORDERS}views/", {"name": "Mine"}).status_code == 403
    assert client.get("/admin/fulfillment/shipment/csv/").status_code == 200
    assert "/admin/login/" in Client().get(f"{ORDERS}csv/").headers["Location"]


def test_a_view_is_saved_shown_replaced_and_deleted(db: None, operator: Client) -> None:
    saved = operator.post(f"{ORDERS}views/", {"name": "Unpaid", "query": "status__exact=pending&q=Ada&p=3&o=4"})
    assert saved.headers["Location"] == f"{ORDERS}?o=4&status__exact=pending"
    page = operator.get(ORDERS, {"status__exact": "pending", "o": "4"}).content.decode()
    assert 'aria-current="page">Unpaid</a>' in page.replace("\n", "")
    assert "Save the view" not in page

    operator.post(f"{ORDERS}views/", {"name": "Unpaid", "query": "status__exact=payment_pending"})
    view = SavedView.objects.get()
    assert (view.page, view.query) == ("ordering.order", "status__exact=payment_pending")
    operator.post(f"{ORDERS}views/", {"delete": view.pk})
    assert not SavedView.objects.exists()


def test_a_view_belongs_to_its_user_and_its_list(db: None, operator: Client) -> None:
    operator.post(f"{ORDERS}views/", {"name": "Mine", "query": "status__exact=pending"})
    other = Client()
    other.force_login(get_user_model().objects.create_superuser("otto"))
    assert "Mine" not in other.get(ORDERS).content.decode()
    other.post(f"{ORDERS}views/", {"delete": SavedView.objects.get().pk})
    operator.post(f"{BUYERS}views/", {"delete": SavedView.objects.get().pk})
    assert SavedView.objects.exists()
    assert "Mine" not in operator.get(BUYERS).content.decode()


@pytest.mark.parametrize(
    "given", [{"name": ""}, {"name": "x" * 61}, {"name": "a\x00b"}, {"delete": "x"}, {"delete": "9" * 40}]
)
def test_a_view_that_cannot_be_saved_says_why(db: None, operator: Client, given: dict[str, str]) -> None:
    page = operator.post(f"{ORDERS}views/", given, follow=True).content.decode()
    assert ("The view is not saved. Name: " in page) == ("name" in given)
    assert not SavedView.objects.exists()


def test_a_user_saves_a_limited_number_of_views(db: None, operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration.admin.saved_views.MOST_VIEWS", 1)
    operator.post(f"{ORDERS}views/", {"name": "One", "query": "o=1"})
    operator.post(f"{ORDERS}views/", {"name": "One", "query": "o=2"})
    page = operator.post(f"{ORDERS}views/", {"name": "Two", "query": "o=3"}, follow=True).content.decode()
    assert "at most 1 views" in page
    assert SavedView.objects.get().query == "o=2"
