"""A sample of the crash matrix, on the kind of database the suite runs on; `make chaos` tries every point."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).parents[2]


def run_matrix(tmp_path: Path, *options: str) -> dict:
    """Run the matrix in a process of its own, on a database of its own; returns its report."""
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
    }
    command = [sys.executable, "-m", "tests.chaos", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_dies_wherever_nothing_is_lost_doubled_or_oversold(tmp_path: Path, seed: int) -> None:
    report = run_matrix(tmp_path, "matrix", "--sample", "100", "--seed", str(seed))
    assert report["violations"] == []
    assert sum(report["died"].values()) >= 95, "nearly every crash must really have happened"
    assert len(report["points"]) >= 8, "a sample that leaves flows out shows nothing about them"
