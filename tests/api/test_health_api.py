"""The health checks are public, and every response has a correlation id."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from amqp.exceptions import AMQPError
from django.db import DatabaseError, connection
from django.http import HttpResponse
from redis import ResponseError

from integration.domain.metadata import current_cause
from integration.messaging.consumer_states import pause
from integration.messaging.heartbeat import SWEEP, note_heartbeat
from integration.read_models.catch_up import catch_up_all
from integration.read_models.late import LATE
from integration.read_models.models import ReadModelBuild
from integration.rest import degraded, health
from integration.rest.middleware import begin_story

BROKER_RESPONDS = health._broker_responds
"""The original function, before a fixture of all tests replaces it."""


@pytest.fixture(autouse=True)
def broker_is_reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_broker_responds", lambda: True)
    monkeypatch.setattr(degraded, "_last", None)


@pytest.fixture
def sweeping(db: None) -> None:
    """The sweep ran just now."""
    note_heartbeat(SWEEP)


def test_liveness_does_not_depend_on_the_database(anonymous: Any) -> None:
    """This test lacks the fixture `db`, so a query would raise an error."""
    response = anonymous.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_readiness_is_ok_when_database_and_broker_respond(anonymous: Any, sweeping: None) -> None:
    response = anonymous.get("/readyz")

    ready = {"status": "ok", "database": "ok", "broker": "ok", "degraded": []}
    assert (response.status_code, response.json()) == (200, ready)


def _degraded(anonymous: Any) -> list[str]:
    response = anonymous.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (200, "ok")
    found: list[str] = response.json()["degraded"]
    return found


def test_a_paused_consumer_is_listed_without_its_reason(anonymous: Any, sweeping: None) -> None:
    pause("billing.collect-payment", "a secret of the shop", "user:1")

    (sentence,) = _degraded(anonymous)
    assert sentence.startswith("consumer billing.collect-payment is paused since ")


def test_a_silent_beat_is_listed(anonymous: Any, sweeping: None, later: Any) -> None:
    later(timedelta(seconds=31))

    (sentence,) = _degraded(anonymous)
    assert sentence.startswith("no sweep has run for 3")


def test_a_beat_that_never_ran_is_listed(anonymous: Any, db: None) -> None:
    assert [each for each in _degraded(anonymous) if each.startswith("no sweep has run yet")]


def test_a_read_model_that_is_behind_or_has_stopped_is_listed(
    anonymous: Any, placed: Any, drain: Any, later: Any
) -> None:
    catch_up_all()
    placed()
    note_heartbeat(SWEEP)
    ReadModelBuild.objects.filter(read_model="ordering.order-board").update(error="KeyError: 'Ada Lovelace'")
    assert _degraded(anonymous) == ["read model ordering.order-board has stopped: its projection failed"]

    degraded._last = None
    ReadModelBuild.objects.update(error="")
    later(LATE + timedelta(seconds=1))
    note_heartbeat(SWEEP)
    found = _degraded(anonymous)
    assert "read model ordering.order-board is " in " ".join(found)
    assert all(each.endswith(" s behind") for each in found)


def test_probes_do_not_look_each_time(anonymous: Any, sweeping: None, statements: Any) -> None:
    _degraded(anonymous)
    with statements() as seen:
        _degraded(anonymous)

    assert seen == ["SELECT 1"]


def test_readiness_names_the_unreachable_service(anonymous: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_broker_responds", lambda: False)
    no_broker = anonymous.get("/readyz")
    with monkeypatch.context() as broken:
        broken.setattr(connection, "cursor", _refuse)
        neither = anonymous.get("/readyz")

    assert (no_broker.status_code, neither.status_code) == (503, 503)
    shown = no_broker.json()
    assert (shown["status"], shown["database"], shown["broker"]) == ("not ready", "ok", "unreachable")
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
