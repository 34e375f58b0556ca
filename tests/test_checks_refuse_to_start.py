"""What cannot work refuses to start, with a sentence that tells what to do instead."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MANAGE = [sys.executable, str(ROOT / "manage.py")]
CELERY = [sys.executable, "-m", "celery", "-A", "config"]
SERVER = {"CELERY_BROKER_URL": "redis://127.0.0.1:1/0", "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}


def start(command: list[str], folder: Path, **changes: str) -> tuple[int, str]:
    """The exit code and all the words of a program that is started embedded but for these changes, and must end."""
    environment = {
        **os.environ,
        "CELERY_BROKER_URL": "memory://",
        "CELERY_WORKER_POOL": "threads",
        "DATABASE_URL": f"sqlite:///{folder / 'waybill.sqlite3'}",
        "PAYMENT_PROVIDER": "sandbox",
        "PYTHONPATH": str(ROOT),
        "SECRET_KEY": "",
        "WAYBILL_VAR": str(folder),
        "WEB_CONCURRENCY": "1",
        **changes,
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_the_embedded_mode_as_it_comes_has_nothing_to_complain_about(tmp_path: Path) -> None:
    code, words = start([*MANAGE, "check", "--fail-level", "INFO"], tmp_path)
    assert code == 0, words


@pytest.mark.parametrize("command", [["check"], ["serve", "--port", "0"]], ids=["check", "serve"])
@pytest.mark.parametrize(
    ("changes", "refusal", "advice"),
    [
        ({"WEB_CONCURRENCY": "2"}, "waybill.E002", "Set WEB_CONCURRENCY=1, or CELERY_BROKER_URL to a Redis."),
        ({"CELERY_WORKER_POOL": "prefork"}, "waybill.E003", "Set CELERY_WORKER_POOL=threads, or CELERY_BROKER_URL"),
    ],
    ids=["two web processes", "a prefork worker"],
)
def test_processes_that_could_not_hear_each_other_are_refused(
    tmp_path: Path, command: list[str], changes: dict[str, str], refusal: str, advice: str
) -> None:
    code, words = start([*MANAGE, *command], tmp_path, **changes)
    assert code != 0
    assert refusal in words
    assert advice in words
    assert "is being served" not in words


@pytest.mark.parametrize("command", ["worker", "worker -P prefork", "worker -P threads", "worker -B", "beat"])
def test_worker_and_beat_apart_are_refused_without_a_broker_they_could_share(tmp_path: Path, command: str) -> None:
    code, words = start([*CELERY, *command.split()], tmp_path)
    assert code == 1, words
    assert "memory:// reaches no other process" in words
    assert "set CELERY_BROKER_URL" in words
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": "s" * 60, "DATABASE_URL": "sqlite:///waybill.sqlite3"}, "set DATABASE_URL"),
        ({"SECRET_KEY": "s" * 60, "PAYMENT_PROVIDER": ""}, "PAYMENT_PROVIDER must name"),
    ],
    ids=["no secret", "SQLite", "no payment provider"],
)
def test_a_server_takes_nothing_for_granted(tmp_path: Path, changes: dict[str, str], advice: str) -> None:
    code, words = start([*MANAGE, "check"], tmp_path, **{**SERVER, **changes})
    assert code != 0
    assert advice in words
