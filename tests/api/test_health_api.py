"""Whether the process lives and whether it can work is told to anybody, and every answer belongs to a story."""

from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection
from django.http import HttpResponse

from integration.domain.metadata import current_cause
from integration.rest import health
from integration.rest.middleware import begin_story


@pytest.fixture(autouse=True)
def the_broker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_broker_responds", lambda: True)


def test_the_process_lives_whatever_else_does_not(anonymous: Any) -> None:
    """Without the fixture `db` a query would be an error."""
    answer = anonymous.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_it_can_work(anonymous: Any, db: None) -> None:
    answer = anonymous.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "database": "ok", "broker": "ok"})


def test_which_one_does_not_answer_is_told(anonymous: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_broker_responds", lambda: False)
    no_broker = anonymous.get("/readyz")
    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", _refuse)
        neither = anonymous.get("/readyz")

    assert (no_broker.status_code, neither.status_code) == (503, 503)
    assert no_broker.json() == {"status": "not ready", "database": "ok", "broker": "does not answer"}
    assert neither.json() == {"status": "not ready", "database": "does not answer", "broker": "does not answer"}


def _refuse(*args: object) -> None:
    raise DatabaseError("the server closed the connection")


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/", "/api/schema", "/api/docs", "/admin/login/", "/nowhere", "/api/v1/orders"]
)
def test_every_answer_has_its_correlation_id(anonymous: Any, db: None, path: str) -> None:
    ids = [UUID(anonymous.get(path).headers["X-Correlation-Id"]) for _ in range(2)]

    assert ids[0] != ids[1]


def test_an_answer_of_the_api_is_not_kept_apart_by_cookies(anonymous: Any, shop: object) -> None:
    assert "Cookie" not in anonymous.get("/api/v1/products").headers.get("Vary", "")


def test_outside_the_api_the_session_tells_who_acts(rf: Any, django_user_model: Any) -> None:
    request = rf.get("/admin/")
    request.user = django_user_model(pk=7)
    actors = []

    def respond(request: Any) -> HttpResponse:
        actors.append(current_cause().actor)
        middleware.process_view(request, respond, (), {})
        actors.append(current_cause().actor)
        return HttpResponse()

    middleware = begin_story(respond)
    middleware(request)

    assert actors == ["anonymous", "user:7"]
