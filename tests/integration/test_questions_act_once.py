"""The form of an admin's action acts once, however often and by however many processes it is received."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from billing.models import Invoice, Refund
from integration.admin.question import forget_used_tokens
from integration.domain import clock
from integration.domain.identifiers import OrderNumber
from integration.rest.models import UsedToken
from inventory.models import History
from tests.chaos.at_once import at_once
from tests.questions import submit

ROOT = Path(__file__).resolve().parents[2]
INVOICES, STOCK = "/admin/billing/invoice/", "/admin/inventory/stockitem/"


@pytest.fixture
def refund(placed: Callable[..., OrderNumber], drain: Callable[..., int]) -> dict[str, Any]:
    """The form that refunds 10 USD of an invoice."""
    placed()
    drain()
    invoice = Invoice.objects.get().pk
    return {"action": "refund_in_part", "_selected_action": invoice, "reason": "scratched", f"each:{invoice}": "10.00"}


def token_of(client: Client, path: str, form: Mapping[str, Any]) -> str:
    asked = client.post(path, {name: form[name] for name in ("action", "_selected_action")})
    return asked.context["form"].token


def filled_in(client: Client, path: str, form: Mapping[str, Any]) -> dict[str, Any]:
    return {**form, "submitted": "yes", "token": token_of(client, path, form)}


@pytest.mark.django_db
def test_a_refund_sent_twice_is_granted_once(refund: dict[str, Any], admin_client: Client) -> None:
    sent = filled_in(admin_client, INVOICES, refund)
    assert "10.00 USD will be refunded" in admin_client.post(INVOICES, sent, follow=True).content.decode()
    assert "This form was sent before" in admin_client.post(INVOICES, sent, follow=True).content.decode()
    assert [str(each.amount) for each in Refund.objects.all()] == ["10.00 USD"]

    submit(admin_client, INVOICES, refund)  # a second form is a second refund
    assert Refund.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("receive_stock", {"reference": "DN-1", "each:MUG": "10"}),
        ("adjust_stock", {"reason": "two are broken", "each:MUG": "-2"}),
    ],
)
def test_stock_forms_sent_twice_act_once(
    shop: object, admin_client: Client, action: str, fields: dict[str, str]
) -> None:
    sent = filled_in(admin_client, STOCK, {"action": action, "_selected_action": "MUG", **fields})
    before = History.objects.count()
    for _ in range(3):
        admin_client.post(STOCK, sent)
    assert History.objects.count() == before + 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has the test below")
@pytest.mark.django_db(transaction=True)
def test_a_refund_sent_twice_at_the_same_moment_is_granted_once(refund: dict[str, Any], admin_client: Client) -> None:
    sent = filled_in(admin_client, INVOICES, refund)

    def post() -> str:
        client = Client()
        client.force_login(get_user_model().objects.get())
        return client.post(INVOICES, sent, follow=True).content.decode()

    shown = at_once(*[partial(post)] * 4)
    assert sorted("will be refunded" in page for page in shown) == [False, False, False, True]
    assert Refund.objects.count() == 1


SEND_AT_ONCE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth import get_user_model
from django.test import Client
from billing.models import Invoice, Refund
from tests.chaos.at_once import at_once
from tests.chaos.flows import World, drain, open_shop
open_shop()
World("x").place({"MUG": 1})
drain()
operator = get_user_model().objects.create_superuser("refunder")
path, invoice = "/admin/billing/invoice/", Invoice.objects.get().pk
form = {"action": "refund_in_part", "_selected_action": invoice}

def client():
    client = Client(HTTP_HOST="localhost")
    client.force_login(operator)
    return client

clients = [client() for _ in range(4)]
token = clients[0].post(path, form).context_data["form"].token
sent = {**form, "submitted": "yes", "token": token, "reason": "scratched", f"each:{invoice}": "1.00"}
pages = at_once(*[lambda each=each: each.post(path, sent, follow=True).content.decode() for each in clients])
print([sum("will be refunded" in page for page in pages), sum("was sent before" in page for page in pages)])
print(Refund.objects.count())
"""


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has the test above")
def test_on_sqlite_a_refund_sent_twice_at_the_same_moment_is_granted_once(tmp_path: Path) -> None:
    """The database of the tests is in memory and has one connection, so another process uses one in a file."""
    environment = {
        **{name: value for name, value in os.environ.items() if name not in ("CELERY_BROKER_URL", "DATABASE_URL")},
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "EMAIL_URL": "dummymail://",
        "WAYBILL_VAR": str(tmp_path),
    }
    command = [sys.executable, "-c", SEND_AT_ONCE]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.stdout == "[1, 3]\n1\n", ran.stdout + ran.stderr


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["", "x", "IjAxIg:1:x", None])
def test_a_form_without_a_valid_token_changes_nothing_and_is_shown_again(
    refund: dict[str, Any], admin_client: Client, token: str | None
) -> None:
    sent = {**refund, "submitted": "yes"} | ({} if token is None else {"token": token})
    shown = admin_client.post(INVOICES, sent)
    assert "out of date" in shown.content.decode()
    assert 'value="scratched"' in shown.content.decode()
    assert not Refund.objects.exists()
    admin_client.post(INVOICES, {**sent, "token": shown.context["form"].token})
    assert Refund.objects.count() == 1


@pytest.mark.django_db
def test_a_token_is_good_for_one_action_of_one_user_and_one_day(refund: dict[str, Any], admin_client: Client) -> None:
    other = Client()
    other.force_login(get_user_model().objects.create_superuser("other"))
    receive = {"action": "receive_stock", "_selected_action": "MUG"}
    for token in (token_of(other, INVOICES, refund), token_of(admin_client, STOCK, receive)):
        admin_client.post(INVOICES, {**refund, "submitted": "yes", "token": token})
    sent = filled_in(admin_client, INVOICES, refund)
    with clock.moved(timedelta(days=2)):
        admin_client.post(INVOICES, sent)
    assert not Refund.objects.exists()


@pytest.mark.django_db
def test_a_form_that_is_corrected_keeps_its_token(refund: dict[str, Any], admin_client: Client) -> None:
    sent = filled_in(admin_client, INVOICES, refund)
    shown = admin_client.post(INVOICES, {**sent, "reason": ""})
    assert shown.context["form"].token == sent["token"]
    admin_client.post(INVOICES, sent)
    assert Refund.objects.count() == 1


@pytest.mark.django_db
def test_used_tokens_are_forgotten_after_they_are_no_longer_accepted(
    refund: dict[str, Any], admin_client: Client
) -> None:
    submit(admin_client, INVOICES, refund)
    forget_used_tokens()
    assert UsedToken.objects.count() == 1
    with clock.moved(timedelta(days=3)):
        forget_used_tokens()
    assert not UsedToken.objects.exists()
