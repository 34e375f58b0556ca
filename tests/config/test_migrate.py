"""`manage.py migrate` tries again when a table is locked, so that requests never wait behind it for long."""

from contextlib import nullcontext
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.commands.migrate import Command as Migrate
from django.db import OperationalError
from psycopg.errors import DiskFull, LockNotAvailable

from config.management.commands import migrate
from integration.storage.limits import UNLIMITED, current_limits


@pytest.fixture
def outcomes(monkeypatch: pytest.MonkeyPatch) -> list[Exception | None]:
    """What each attempt ends with; an attempt takes one away."""
    left: list[Exception | None] = []

    def attempt(self: Migrate, *args: Any, **options: Any) -> None:
        assert current_limits().lock == migrate.LOCK_TIMEOUT
        if cause := left.pop(0):
            raise OperationalError(str(cause)) from cause

    monkeypatch.setattr(Migrate, "handle", attempt)
    monkeypatch.setattr(migrate, "PAUSE", 0.0)
    monkeypatch.setattr(migrate, "prepare_alone", nullcontext)
    monkeypatch.setattr(migrate, "all_or_nothing", nullcontext)
    return left


def test_it_tries_again_while_a_table_is_locked(
    outcomes: list[Exception | None], capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes += [LockNotAvailable("locked"), LockNotAvailable("locked"), None]

    call_command("migrate")

    assert outcomes == []
    assert capsys.readouterr().err.count("tried again") == 2
    assert current_limits() == UNLIMITED


def test_it_gives_up_in_the_end(outcomes: list[Exception | None]) -> None:
    outcomes += [LockNotAvailable("locked")] * (migrate.ATTEMPTS + 1)
    with pytest.raises(OperationalError, match="locked"):
        call_command("migrate")
    assert len(outcomes) == 1


def test_other_errors_end_it(outcomes: list[Exception | None]) -> None:
    outcomes += [DiskFull("full"), None]
    with pytest.raises(OperationalError, match="full"):
        call_command("migrate")
    assert len(outcomes) == 1
