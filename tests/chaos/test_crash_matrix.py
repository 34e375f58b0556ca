"""A sample of the crash matrix, on the kind of database the suite runs on; `make chaos` tries every point."""

from pathlib import Path

import pytest
from harness import run_harness


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_dies_wherever_nothing_is_lost_doubled_or_oversold(tmp_path: Path, seed: int) -> None:
    report = run_harness(tmp_path, "matrix", "--sample", "60", "--seed", str(seed))
    assert report["violations"] == []
    assert sum(report["died"].values()) >= 57, "nearly every crash must really have happened"
    assert len(report["points"]) >= 8, "a sample that leaves flows out shows nothing about them"
