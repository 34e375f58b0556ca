"""Every bug that is planted into the code is caught by some check."""

from pathlib import Path

import pytest
from django.db import connection
from harness import run_harness

PARTS = 10
FEWEST = 3
"""How many bugs each part has at least, with those that only PostgreSQL can show."""
ON_SQLITE, ON_POSTGRESQL = range(6, PARTS + 1), range(1, 6)
"""CI runs the tests on both databases, and so hunts every bug once. `make chaos` hunts all bugs on PostgreSQL."""


@pytest.mark.parametrize("part", ON_POSTGRESQL if connection.vendor == "postgresql" else ON_SQLITE)
def test_every_planted_bug_is_caught(tmp_path: Path, part: int) -> None:
    report = run_harness(tmp_path, "bugs", "--share", f"{part}/{PARTS}")
    skipped = report["needs PostgreSQL"]
    assert report["violations"] == []
    assert report["caught"] == report["planted"] == len(report["shown"])
    assert report["planted"] + len(skipped) >= FEWEST
    assert not (skipped and connection.vendor == "postgresql")
