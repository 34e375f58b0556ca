"""A tenth of the faults and loads of `make chaos`, on real processes and servers."""

import os
from pathlib import Path

import pytest
from django.conf import settings
from harness import run_harness

pytestmark = pytest.mark.system

ON_SERVERS = [
    ("faults", "storm"),
    ("faults", "kill_postgresql"),
    ("faults", "bad_provider"),
    ("faults", "poison"),
    ("loads", "last_units"),
    ("loads", "same_key"),
    ("loads", "refunds_at_once"),
]
IN_ONE_PROCESS = [("embedded", "kill_the_one_process"), ("simulations", "simulations")]


# Each starts servers of its own, so the test run with servers runs the first list, and the embedded run the second.
@pytest.mark.parametrize(("part", "name"), IN_ONE_PROCESS if settings.EMBEDDED else ON_SERVERS)
def test_the_system_keeps_its_promises_under_a_fault(tmp_path: Path, part: str, name: str) -> None:
    report = run_harness(tmp_path, part, "--short", "--only", name)
    assert report["violations"] == []
    assert report[name]["n"], "nothing was tried"


@pytest.mark.redis
@pytest.mark.skipif(settings.EMBEDDED, reason="embedded, the broker is in the one process")
def test_the_system_heals_when_a_peer_was_ill(tmp_path: Path) -> None:
    """One row of each peer is drawn. How long it took to heal is printed only, because the machine may be busy."""
    brokers = "" if "RABBITMQ_URL" in os.environ else "redis"
    report = run_harness(tmp_path, "outages", "--short", "--only", brokers)
    rows = {name: row for name, row in report.items() if isinstance(row, dict)}
    for name, row in rows.items():
        print(f"{name}: healed after {row['healed']} s, {row['n']}")
    assert report["violations"] == []
    assert {"Redis"} <= {row["peer"] for row in rows.values() if row["n"]}, "nothing was tried"
