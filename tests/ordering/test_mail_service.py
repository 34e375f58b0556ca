"""Letters sent by a mail service: each names what it is about, and what it reports as undelivered is a task."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from anymail.signals import tracking
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from django.core.mail import get_connection
from django.test import Client, RequestFactory
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from integration.domain.identifiers import BuyerId, OrderNumber
from ordering.api.mail_reports import note_report
from ordering.commands import close_bounce, note_bounce
from ordering.gateways import send_email
from ordering.gateways.mail_service import MailServiceFailed
from ordering.models import BounceOutcome, BounceStatus, History, LetterBounce, Order

SECRET = "reports:0123456789abcdef"
ABOUT = {"letter": "abc123", "kind": "confirmed"}

Placed = Callable[..., OrderNumber]


@pytest.fixture
def service(settings: Any, httpserver: HTTPServer) -> HTTPServer:
    """Postmark, played by a local server."""
    settings.ANYMAIL = {
        "POSTMARK_API_URL": httpserver.url_for("/"),
        "POSTMARK_SERVER_TOKEN": "token",
        "WEBHOOK_SECRET": SECRET,
        "IGNORE_RECIPIENT_STATUS": True,
    }
    return httpserver


@pytest.fixture
def reports(service: HTTPServer) -> Iterator[Callable[..., int]]:
    """A function that sends a report of the mail service about a letter, and returns the status of the response."""
    tracking.connect(note_report)

    def report(order: OrderNumber, *, secret: str = SECRET, kind: str = "Bounce", **more: Any) -> int:
        body = {"RecordType": kind, "ID": 4, "TypeCode": 1, "Type": "HardBounce", "MessageID": "m-1"}
        body |= {"Email": "ada@example.com", "Metadata": {**ABOUT, "order": order}, **more}
        request = RequestFactory().post("/mail/postmark/tracking/", json.dumps(body), "application/json")
        auth = RequestFactory(HTTP_AUTHORIZATION=_basic(secret))
        request = auth.post("/mail/postmark/tracking/", json.dumps(body), "application/json")
        return PostmarkTrackingWebhookView.as_view()(request).status_code

    yield report
    tracking.disconnect(note_report)


def _basic(secret: str) -> str:
    from base64 import b64encode

    return f"Basic {b64encode(secret.encode()).decode()}"


def _send(key: str = "abc123") -> None:
    server = get_connection("anymail.backends.postmark.EmailBackend")
    send_email(
        server,
        buyer=BuyerId("B-1"),
        is_wanted=lambda: True,
        to="ada@example.com",
        subject="Hello",
        body="…",
        key=key,
        about={"order": "R-1001", "kind": "confirmed"},
    )


def test_a_letter_names_what_it_is_about(service: HTTPServer) -> None:
    sent: list[Any] = []

    def accept(request: Request) -> Response:
        sent.append(request.get_json())
        return Response(json.dumps({"ErrorCode": 0, "Message": "OK", "MessageID": "1", "To": "ada@example.com"}))

    service.expect_request("/email").respond_with_handler(accept)

    _send()

    assert sent[0]["Metadata"] == {"letter": "abc123", "order": "R-1001", "kind": "confirmed"}
    assert {"Name": "Message-ID", "Value": "<abc123@shop.example>"} in sent[0]["Headers"]


@pytest.mark.parametrize(("status", "says"), [(500, "responded with 500"), (401, "responded with 401")])
def test_an_error_of_the_service_is_retried_and_quotes_nobody(service: HTTPServer, status: int, says: str) -> None:
    service.expect_request("/email").respond_with_data("ada@example.com", status=status)

    with pytest.raises(MailServiceFailed, match=says) as failed:
        _send()

    assert "ada" not in str(failed.value)
    assert failed.value.__suppress_context__


def test_a_service_that_is_away_is_an_error_that_quotes_nobody(settings: Any, service: HTTPServer) -> None:
    settings.ANYMAIL = {**settings.ANYMAIL, "POSTMARK_API_URL": "http://127.0.0.1:9/"}

    with pytest.raises(OSError, match=r"could not be asked|refused") as failed:
        _send()

    assert "ada" not in str(failed.value)


@pytest.mark.django_db
def test_a_bounce_is_a_task_once_in_the_orders_story(reports: Callable[..., int], placed: Placed) -> None:
    number = placed()

    assert [reports(number), reports(number), reports(number, kind="SpamComplaint")] == [200, 200, 200]

    bounce = LetterBounce.objects.get()
    assert (bounce.id, bounce.order, bounce.kind, bounce.reason) == ("abc123", number, "confirmed", "bounced")
    assert bounce.status == BounceStatus.OPEN
    entry = History.objects.get(stream="letter_bounce")
    assert entry.correlation_id == Order.objects.get(pk=number).correlation_id
    assert entry.actor == "mail service"
    assert "ada" not in repr(entry.data)


@pytest.mark.django_db
def test_other_reports_and_letters_of_nobody_here_are_no_task(reports: Callable[..., int], placed: Placed) -> None:
    number = placed()

    assert reports(number, kind="Delivery") == 200
    assert reports(number, Metadata={}) == 200
    assert reports(OrderNumber("R-999999")) == 200

    assert not LetterBounce.objects.exists()


@pytest.mark.django_db
def test_a_report_without_the_secret_is_refused(reports: Callable[..., int], placed: Placed) -> None:
    with pytest.raises(Exception, match="basic auth"):
        reports(placed(), secret="reports:wrong")

    assert not LetterBounce.objects.exists()


@pytest.mark.django_db
def test_a_person_closes_the_task_once(admin_client: Client, placed: Placed) -> None:
    note_bounce("abc123", placed(), "confirmed", "invalid")

    for outcome in (BounceOutcome.ADDRESS_CORRECTED, BounceOutcome.NOT_REACHED):
        close_bounce("abc123", outcome)

    assert LetterBounce.objects.get().status == BounceStatus.CLOSED
    closed = History.objects.get(name="ordering.letter_bounce_closed")
    assert closed.data["outcome"] == "address_corrected"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"EMAIL_URL": "anymail://nobody"}, "a mail service that Anymail does not know: 'nobody'"),
        ({"EMAIL_URL": "anymail://../x"}, "a mail service that Anymail does not know"),
        ({"EMAIL_URL": "anymail://postmark"}, "ANYMAIL_WEBHOOK_SECRET must be user:password"),
        (
            {"EMAIL_URL": "anymail://postmark", "ANYMAIL_WEBHOOK_SECRET": "user:short"},
            "ANYMAIL_WEBHOOK_SECRET must be user:password",
        ),
    ],
)
def test_a_wrong_setting_is_one_sentence(environment: dict[str, str], says: str) -> None:
    ran = _python("from config import settings", environment)
    assert says in ran.stderr.splitlines()[-1]


def test_a_mail_service_is_set_by_its_url_and_accepts_reports() -> None:
    show = (
        "from django.urls import reverse; print(settings.EMAIL_BACKEND, reverse('anymail:postmark_tracking_webhook'))"
    )
    begin = "import django; django.setup(); from django.conf import settings; "
    environment = {"EMAIL_URL": "anymail://postmark", "ANYMAIL_WEBHOOK_SECRET": SECRET}
    ran = _python(begin + show, {**environment, "DJANGO_SETTINGS_MODULE": "config.settings"})
    assert ran.stdout.split() == ["anymail.backends.postmark.EmailBackend", "/mail/postmark/tracking/"], ran.stderr


def _python(code: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
