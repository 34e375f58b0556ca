"""The health checks are public, and every response has a correlation id."""

from typing import Any
from uuid import UUID

import pytest
from amqp.exceptions import AMQPError
from django.db import DatabaseError, connection
from django.http import HttpResponse
from redis import ResponseError

from integration.domain.metadata import current_cause
from integration.rest import health
from integration.rest.middleware import begin_story

BROKER_RESPONDS = health._broker_responds
"""The original function, before a fixture of all tests replaces it."""


@pytest.fixture(autouse=True)
def broker_is_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_broker_responds", lambda: True)


def test_liveness_does_not_depend_on_the_database(anonymous: Any) -> None:
    """This test lacks the fixture `db`, so a query would raise an error."""
    response = anonymous.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_readiness_is_ok_when_database_and_broker_respond(anonymous: Any, db: None) -> None:
    response = anonymous.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ok", "database": "ok", "broker": "ok"})


def test_readiness_names_the_unreachable_service(anonymous: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_broker_responds", lambda: False)
    no_broker = anonymous.get("/readyz")
    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", _refuse)
        neither = anonymous.get("/readyz")

    assert (no_broker.status_code, neither.status_code) == (503, 503)
    assert no_broker.json() == {"status": "not ready", "database": "ok", "broker": "unreachable"}
    assert neither.json() == {"status": "not ready", "database": "unreachable", "broker": "unreachable"}


@pytest.mark.parametrize("error", [OSError(), ResponseError("MISCONF"), AMQPError()])
def test_a_broker_that_refuses_is_unreachable(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "connection_for_sending", lambda: Refusing(error))

    assert not BROKER_RESPONDS()


class Refusing:
    """A connection on which the broker replies with an error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __enter__(self) -> "Refusing":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    @property
    def default_channel(self) -> None:
        raise self._error


def _refuse(*args: object) -> None:
    raise DatabaseError("the server closed the connection")


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/", "/api/schema", "/api/docs", "/admin/login/", "/nowhere", "/api/v1/orders"]
)
def test_every_response_has_a_correlation_id_of_its_own(anonymous: Any, db: None, path: str) -> None:
    ids = [UUID(anonymous.get(path).headers["X-Correlation-Id"]) for _ in range(2)]

    assert ids[0] != ids[1]


def test_api_responses_do_not_vary_by_cookie(anonymous: Any, shop: object) -> None:
    assert "Cookie" not in anonymous.get("/api/v1/products").headers.get("Vary", "")


def test_the_session_determines_the_actor_of_other_views(rf: Any, django_user_model: Any) -> None:
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
