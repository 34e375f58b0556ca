"""Tools that look at the code and run its tests do so as they are configured."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("profile", ["chaos", "thorough"])
def test_a_profile_of_hypothesis_is_known_before_any_test_is(profile: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--collect-only", "tests/test_words.py"]
    environment = {**os.environ, "HYPOTHESIS_PROFILE": profile}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import tarfile\ntarfile.open('x').extractall('y')", "B202"),
        ("import hashlib\nhashlib.md5(b'x')", "B324"),
        ("import requests\nrequests.get('https://x', verify=False, timeout=1)", "B501"),
        ("import yaml\nyaml.load('x')", "B506"),
        ("import subprocess\nsubprocess.run('ls *', shell=True)", "B602"),
    ],
)
def test_bandit_finds_what_is_planted(tmp_path: Path, code: str, found: str) -> None:
    pytest.importorskip("bandit", reason="make install installs it")
    (tmp_path / "planted.py").write_text(code)
    command = [sys.executable, "-m", "bandit", "-q", "-c", str(ROOT / "pyproject.toml"), "-r", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert found in ran.stdout
