"""A short form of what `make chaos` does to a whole house: real processes, real servers, real kills."""

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


# Each brings its own servers: once is enough, in the run that has them.
@pytest.mark.parametrize(("part", "name"), IN_ONE_PROCESS if settings.EMBEDDED else ON_SERVERS)
def test_whatever_is_done_to_a_house_its_promises_hold(tmp_path: Path, part: str, name: str) -> None:
    report = run_harness(tmp_path, part, "--short", "--only", name)
    assert report["violations"] == []
    assert report[name]["n"], "nothing was tried, so nothing was shown"
