"""State machines and mutated messages, left to Hypothesis for much longer than in every test run."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.system.running_system import ROOT

MACHINES = {
    "order": "tests/ordering/test_order_machine.py",
    "stock": "tests/inventory/test_stock_machine.py",
    "invoice": "tests/billing/test_invoice_machine.py",
    "all three together": "tests/chaos/test_house_machine.py",
    "mutated messages": "tests/integration/messaging/test_mutated_messages.py",
}
"""What each of the files is about."""


def try_long(folder: Path, short: bool) -> dict[str, Any]:
    """Run them under the long profile, or the usual one; each one's report says how many examples were tried.

    Args:
        folder: where pytest may write.
        short: whether the usual number of examples is enough.
    """
    environment = {**os.environ, **({} if short else {"HYPOTHESIS_PROFILE": "chaos"})}
    found = {}
    for what, path in MACHINES.items():
        xml = folder / f"{Path(path).stem}.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "--hypothesis-show-statistics", path]
        command += ["--junitxml", str(xml), "-o", "faulthandler_timeout=0"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        if done.returncode:
            print(done.stdout, done.stderr, file=sys.stderr)  # the shortest story that goes wrong
            failed = failed or [f"pytest ended with {done.returncode}"]
        found[what] = {
            "what": f"Hypothesis on {what}.",
            "must hold": "every invariant after every step",
            "n": {"examples": examples(done.stdout, xml)},
            "violations": failed,
        }
    return found


def examples(said: str, xml: Path) -> int:
    """How many examples were tried, by what Hypothesis printed, and by what tests that call it themselves recorded."""
    printed = re.findall(r"^ *- (\d+) passing, ", said, re.MULTILINE)
    recorded = re.findall(r'<property name="examples" value="(\d+)"', xml.read_text()) if xml.exists() else []
    return sum(map(int, printed + recorded))
