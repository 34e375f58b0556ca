"""Run the harness as a process with a database of its own, of the same kind as the database of the test run."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import connection

from tests.system.running_system import eventually

ROOT = Path(__file__).parents[2]


def run_harness(tmp_path: Path, *options: str) -> dict[str, Any]:
    """Run `python -m tests.chaos` with these options; returns its report, once every process it started has ended."""
    mark = f"STARTED_BY={uuid4()}"
    name = f"waybill_crash_{os.getpid()}"
    database = settings.DATABASES["default"]
    url = f"sqlite:///{tmp_path}/{name}.sqlite3"
    if connection.vendor == "postgresql":
        url = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/".format(**database) + name
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "WAYBILL_VAR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "EMAIL_URL": "dummymail://",
        "LOG_LEVEL": "CRITICAL",
        "STARTED_BY": mark.partition("=")[2],
    }
    command = [sys.executable, "-m", "tests.chaos", *options]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3_600, check=False
    )
    assert done.stdout, done.stderr
    eventually(lambda: left_behind(mark), lambda left: not left, "an end of all processes of the harness")
    return json.loads(done.stdout)


def left_behind(mark: str) -> list[str]:
    """The command lines of running processes whose environment contains `mark`, read from `/proc`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process belongs to another user, or has just ended
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found
