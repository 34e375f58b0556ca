"""`runserver` says that no worker handles what it stores, unless one does."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.staticfiles.management.commands import runserver as django_runserver
from django.core.management import get_commands, load_command_class
from kombu.exceptions import OperationalError

from config.management.commands import runserver

Served = list[dict[str, Any]]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Served:
    """How often Django's own command was asked to serve, instead of serving."""
    calls: Served = []
    monkeypatch.setattr(django_runserver.Command, "inner_run", lambda self, *args, **options: calls.append(options))
    return calls


def warning() -> str:
    """What the command writes to stderr before it serves."""
    errors = StringIO()
    runserver.Command(stderr=errors, no_color=True).inner_run(addrport="8000")
    return errors.getvalue().strip()


@pytest.fixture
def worker_replies(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a ping of the workers brings; an error is raised."""
    replies: list[Any] = []

    def ping(**options: Any) -> list[Any]:
        if replies and isinstance(replies[0], Exception):
            raise replies[0]
        return replies

    monkeypatch.setattr(runserver.app.control, "ping", ping)
    return replies


def test_manage_py_runs_this_command_and_not_djangos() -> None:
    assert isinstance(load_command_class(get_commands()["runserver"], "runserver"), runserver.Command)


def test_an_embedded_server_warns_that_it_has_no_worker(settings: Any, served: Served) -> None:
    settings.EMBEDDED = True

    assert warning() == runserver.ALONE
    assert served == [{"addrport": "8000"}]


@pytest.mark.parametrize("replies", [[], [OperationalError("nobody there")]])
def test_a_server_whose_workers_do_not_reply_warns(
    settings: Any, served: Served, worker_replies: list[Any], replies: list[Any]
) -> None:
    settings.EMBEDDED = False
    worker_replies.extend(replies)

    assert warning() == runserver.NOBODY
    assert len(served) == 1


def test_a_server_with_a_worker_serves_without_a_warning(
    settings: Any, served: Served, worker_replies: list[Any]
) -> None:
    settings.EMBEDDED = False
    worker_replies.append({"celery@here": {"ok": "pong"}})

    assert warning() == ""
    assert len(served) == 1
