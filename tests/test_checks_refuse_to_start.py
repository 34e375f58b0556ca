"""A configuration that cannot work refuses to start, and the message says what to set instead."""

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
    """Run a program in embedded mode with these changes to its environment; returns its exit code and output.

    A program that does not end within a minute fails the test.
    """
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
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout + done.stderr


def test_the_default_embedded_mode_passes_all_checks(tmp_path: Path) -> None:
    code, output = start([*MANAGE, "check", "--fail-level", "INFO"], tmp_path)
    assert code == 0, output


@pytest.mark.parametrize("command", [["check"], ["serve", "--port", "0"]], ids=["check", "serve"])
@pytest.mark.parametrize(
    ("changes", "check", "advice"),
    [
        ({"WEB_CONCURRENCY": "2"}, "waybill.E002", "Set WEB_CONCURRENCY=1, or CELERY_BROKER_URL to a Redis."),
        ({"CELERY_WORKER_POOL": "prefork"}, "waybill.E003", "Set CELERY_WORKER_POOL=threads, or CELERY_BROKER_URL"),
    ],
    ids=["two web processes", "a prefork worker"],
)
def test_processes_that_cannot_share_a_broker_are_refused(
    tmp_path: Path, command: list[str], changes: dict[str, str], check: str, advice: str
) -> None:
    code, output = start([*MANAGE, *command], tmp_path, **changes)
    assert code != 0
    assert check in output
    assert advice in output
    assert "is being served" not in output


@pytest.mark.parametrize("command", ["worker", "worker -P prefork", "worker -P threads", "worker -B", "beat"])
def test_separate_workers_and_beat_are_refused_on_the_in_memory_broker(tmp_path: Path, command: str) -> None:
    code, output = start([*CELERY, *command.split()], tmp_path)
    assert code == 1, output
    assert "memory:// reaches no other process" in output
    assert "set CELERY_BROKER_URL" in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        ({}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": "s" * 60, "DATABASE_URL": "sqlite:///waybill.sqlite3"}, "set DATABASE_URL"),
        ({"SECRET_KEY": "s" * 60, "PAYMENT_PROVIDER": ""}, "PAYMENT_PROVIDER must name"),
    ],
    ids=["no secret", "SQLite", "no payment provider"],
)
def test_a_server_requires_its_settings(tmp_path: Path, changes: dict[str, str], advice: str) -> None:
    code, output = start([*MANAGE, "check"], tmp_path, **{**SERVER, **changes})
    assert code != 0
    assert advice in output
