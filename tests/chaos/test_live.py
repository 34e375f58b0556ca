"""A tenth of the faults and loads of `make chaos`, on real processes and servers."""

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
