"""Each request and each delivery has one line with its story, and no line contains personal data."""

import json
import logging
import sys
from collections.abc import Callable
from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.urls import reverse
from markers import API, MAIL, NAME, PASSWORD, STREET, TOKEN
from rest_framework.test import APIClient

from config.celery import app
from config.environment import Environment
from config.logs import log_settings, logging_settings
from integration.domain.metadata import new_story
from integration.logs import JsonFormatter, TextFormatter, access_log
from integration.messaging.models import Message
from ordering.api.orders import Orders

MARKERS = (NAME, MAIL, STREET, TOKEN, PASSWORD)


def lines(stream: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.django_db(transaction=True)
def test_all_lines_of_an_order_are_found_by_its_correlation_id(
    buyer: APIClient, order: Callable[..., str], persist: Callable[[], None], logged_json: StringIO
) -> None:
    number = order()
    persist()
    buyer.get(f"{API}/orders/{number}")

    of_order = [line for line in lines(logged_json) if line.get("order") == number]
    correlation_id = str(Message.objects.get(name="ordering.order-placed").correlation_id)
    placing, *deliveries, reading = of_order
    assert placing.items() >= {"method": "POST", "route": "orders", "status": 201, "logger": "waybill.access"}.items()
    assert placing["correlation_id"] == correlation_id
    assert placing["actor"].startswith("user:")
    assert reading.items() >= {"method": "GET", "route": "order", "status": 200}.items()
    assert {line["correlation_id"] for line in deliveries} == {correlation_id}
    assert {line["outcome"] for line in deliveries} == {"done"}
    consumers = [line["consumer"] for line in deliveries]
    assert {"inventory.reserve-stock", "billing.collect-payment", "fulfillment.arrange-shipment"} <= {*consumers}
    assert len(consumers) == len({*consumers}), "one line for each delivery"
    assert all(line["ms"] >= 0 and line["attempt"] == 1 for line in deliveries)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("stream", ["logged", "logged_json"])
def test_requests_with_errors_log_no_personal_data(
    stream: str, buyer: APIClient, request: pytest.FixtureRequest
) -> None:
    logged: StringIO = request.getfixturevalue(stream)
    buyer.raise_request_exception = False
    body = {"name": NAME, "email": MAIL, "street": STREET, "payment_method": TOKEN, "lines": [{"sku": MAIL}]}
    buyer.post(f"{API}/orders?q={MAIL}", body, headers={"Idempotency-Key": NAME})
    buyer.post(f"{API}/auth/tokens", {"username": NAME, "password": PASSWORD})
    buyer.generic(NAME.upper(), f"{API}/orders")
    buyer.get(f"/{NAME}/{MAIL}?street={STREET}", headers={"traceparent": NAME, "User-Agent": NAME, "Referer": MAIL})
    buyer.get(f"{API}/orders/{MAIL}")
    refused = {"name": NAME, "email": MAIL, "password": PASSWORD, "username": "zeb"}
    buyer.post(f"{API}/customers", refused, headers={"Idempotency-Key": "2"})

    def fail(*args: Any, **kwargs: Any) -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT %s::text::integer", [STREET])
        raise DatabaseError(f"null value in a column\nDETAIL:  Failing row contains ({NAME}, {MAIL}).")

    with mock.patch.object(Orders, "get", fail):
        assert buyer.get(f"{API}/orders").status_code == 500

    text = logged.getvalue()
    assert not [marker for marker in MARKERS if marker.lower() in text.lower()], text
    assert "DatabaseError" in text or "DataError" in text, "the error must still be named"
    assert text.count("waybill.access") == 7


def test_a_line_is_one_line_whatever_it_says() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        record = logging.LogRecord(
            "n", logging.ERROR, __file__, 1, "a %s", ("b\r\nERROR c\u2028d \ud800",), sys.exc_info()
        )
    with new_story("user:1", "00-" + "a" * 32 + "-" + "b" * 16 + "-01") as cause:
        found = json.loads(JsonFormatter().format(record))
        first, second, *_ = TextFormatter("{levelname} {message}", style="{").format(record).split("\n")

    assert "\n" not in JsonFormatter().format(record)
    assert found["message"] == "a b\r\nERROR c\u2028d \ud800"
    assert "ValueError: first" in found["traceback"]
    assert (
        found.items() >= {"actor": "user:1", "correlation_id": str(cause.correlation_id), "trace_id": "a" * 32}.items()
    )
    assert first.startswith("ERROR a b ERROR c d")
    assert f"correlation_id={cause.correlation_id}" in first
    assert second.startswith("Traceback")


def test_settings_of_the_log_are_checked() -> None:
    def read(*, is_embedded: bool = False, **values: str) -> Any:
        return log_settings(Environment(values), is_embedded=is_embedded)

    assert read().access
    assert not read(is_embedded=True).access
    assert logging_settings(read(ACCESS_LOG="false"))["loggers"][access_log.name] == {"level": "WARNING"}
    assert read(LOG_SEARCH_URL="https://logs/?q={correlation_id}").search_url == "https://logs/?q={correlation_id}"
    for wrong in ("https://logs/", "javascript:{correlation_id}", "https://logs/{correlation_id}/{order}"):
        with pytest.raises(ImproperlyConfigured, match="LOG_SEARCH_URL must"):
            read(LOG_SEARCH_URL=wrong)
    with pytest.raises(ImproperlyConfigured, match="LOG_FORMAT must be one of text, json"):
        read(LOG_FORMAT="xml")


@pytest.mark.django_db
def test_the_page_of_a_story_links_to_its_lines(admin_client: Any, settings: Any, placed: Any) -> None:
    placed()
    correlation_id = Message.objects.earliest("id").correlation_id
    story = reverse("admin:integration_story", args=[correlation_id])
    assert "Log lines" not in admin_client.get(story).content.decode()
    settings.LOGS = settings.LOGS._replace(search_url="https://logs.example/?q={correlation_id}&x=1")
    page = admin_client.get(story).content.decode()
    assert f'href="https://logs.example/?q={correlation_id}&amp;x=1"' in page


@pytest.mark.django_db(transaction=True)
def test_a_failed_attempt_and_a_dead_letter_are_found_by_the_order(
    order: Callable[..., str], persist: Callable[[], None], logged_json: StringIO, settings: Any
) -> None:
    settings.DELIVERY_MAX_ATTEMPTS = 2
    with mock.patch("fulfillment.commands.arrange_shipment", side_effect=RuntimeError("no shelf")):
        number = order()
        persist()

    about = [line for line in lines(logged_json) if line.get("consumer") == "fulfillment.arrange-shipment"]
    ended = [(line["level"], line["attempt"], line["outcome"], line["order"]) for line in about]
    assert ended == [("WARNING", 1, "failed", number), ("ERROR", 2, "died", number)]
    placing = next(line for line in lines(logged_json) if line.get("route") == "orders")
    assert {line["correlation_id"] for line in about} == {placing["correlation_id"]}
    assert "no shelf" in about[0]["message"]


def test_celery_leaves_the_level_of_the_log_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    monkeypatch.setattr(type(app.log), "already_setup", False)
    try:
        app.log.setup_logging_subsystem(loglevel="CRITICAL")
        assert root.level == level
        assert root.handlers == handlers
    finally:
        root.setLevel(level)
